use crate::{MessageId, SigningSecret};

/// The value of `webhook-signature`: one signature for each secret, by Standard Webhooks.
///
/// `at` is the time of the attempt in seconds since 1970, as `webhook-timestamp` says it.
pub fn signature_header<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &MessageId,
    at: i64,
    body: &[u8],
) -> String {
    signatures(secrets, id.as_str(), at, body)
}

fn signatures<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    at: i64,
    body: &[u8],
) -> String {
    let at = at.to_string();
    let parts = [id.as_bytes(), b".", at.as_bytes(), b".", body];
    let signed: Vec<_> = secrets.into_iter().map(|secret| format!("v1,{}", secret.sign(parts))).collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secret(text: &str) -> SigningSecret {
        SigningSecret::parse(&text.to_owned().into()).unwrap()
    }

    // The message of the published libraries' own tests.
    #[test]
    fn a_signature_is_the_published_one() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(
            signatures([&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let old = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let new = secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let both = signatures([&new, &old], "msg_1", 1, BODY);
        let alone = [signatures([&new], "msg_1", 1, BODY), signatures([&old], "msg_1", 1, BODY)];
        assert_eq!(both, alone.join(" "));
        assert_ne!(alone[0], alone[1]);
    }
}
