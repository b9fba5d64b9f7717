use aws_lc_rs::hmac;
use stallkeeper_runtime::hex;

/// Makes the texts that forms carry, so that no other site can send one for an operator; each holds for one visitor.
pub(super) struct Seal(hmac::Key);

impl Seal {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The text for a visitor's forms.
    pub(super) fn of(&self, visitor: &str) -> String {
        hex(hmac::sign(&self.0, visitor.as_bytes()).as_ref())
    }

    /// Whether a form carries the text of this visitor; in the same time whatever it carries.
    pub(super) fn is_of(&self, visitor: &str, carried: &str) -> bool {
        let right = self.of(visitor);
        aws_lc_rs::constant_time::verify_slices_are_equal(right.as_bytes(), carried.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_text_holds_for_one_visitor_of_one_process() {
        let (seal, other) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let text = seal.of("session-1");
        assert!(seal.is_of("session-1", &text));
        assert!(!seal.is_of("session-2", &text));
        assert!(!other.is_of("session-1", &text));
        assert!(!seal.is_of("session-1", ""));
    }
}
