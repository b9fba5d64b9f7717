use std::collections::HashSet;

/// Draws ids in AWS' shapes; the same seed draws the same ones.
#[derive(Debug)]
pub(crate) struct Ids {
    chance: fastrand::Rng,
    accounts: HashSet<String>,
    customers: HashSet<String>,
}

impl Ids {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self { chance: fastrand::Rng::with_seed(seed), accounts: HashSet::new(), customers: HashSet::new() }
    }

    /// An AWS account: twelve digits, nobody else's.
    pub(crate) fn account(&mut self) -> String {
        loop {
            let account = self.chance.u64(100_000_000_000..1_000_000_000_000).to_string();
            if self.accounts.insert(account.clone()) {
                return account;
            }
        }
    }

    /// A customer identifier of the older kind: eleven letters and digits, nobody else's.
    pub(crate) fn customer(&mut self) -> String {
        loop {
            let customer: String = (0..11).map(|_| self.chance.alphanumeric()).collect();
            if self.customers.insert(customer.clone()) {
                return customer;
            }
        }
    }

    pub(crate) fn agreement(&mut self) -> String {
        format!("agmt-{}", self.lower(25))
    }

    pub(crate) fn license(&mut self) -> String {
        format!("l-{:032x}", self.chance.u128(..))
    }

    pub(crate) fn offer(&mut self) -> String {
        format!("offer-{}", self.lower(13))
    }

    pub(crate) fn uuid(&mut self) -> String {
        let bits = self.chance.u128(..);
        let (version, variant) = (0x4 << 76, 0x8 << 60);
        let bits = bits & !(0xf << 76) & !(0xc << 60) | version | variant;
        let hex = format!("{bits:032x}");
        let mut uuid = String::with_capacity(36);
        for (position, digit) in hex.char_indices() {
            if matches!(position, 8 | 12 | 16 | 20) {
                uuid.push('-');
            }
            uuid.push(digit);
        }
        uuid
    }

    fn lower(&mut self, length: usize) -> String {
        (0..length).map(|_| self.chance.alphanumeric().to_ascii_lowercase()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_ids() {
        let draw = |seed| {
            let mut ids = Ids::with_seed(seed);
            (ids.account(), ids.customer(), ids.agreement(), ids.license(), ids.offer(), ids.uuid())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_uuid_is_of_the_random_kind() {
        let uuid = Ids::with_seed(7).uuid();
        let groups: Vec<&str> = uuid.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
        assert!(groups[2].starts_with('4'), "{uuid}");
        assert!(groups[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    }
}
