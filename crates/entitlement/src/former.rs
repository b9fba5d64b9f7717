use std::collections::HashMap;

/// Tenants that had a subscription which is another's by now, or nobody's: they came through a marketplace.
#[derive(Debug, Default)]
pub(crate) struct Formers {
    tenants: HashMap<String, String>,
    /// How many subscriptions each of them had.
    counts: HashMap<String, u32>,
}

impl Formers {
    pub(crate) fn has(&self, tenant: &str) -> bool {
        self.counts.contains_key(tenant)
    }

    /// Takes whose a subscription was before, if it was anybody's.
    pub(crate) fn put(&mut self, key: &str, former: Option<&str>) {
        if let Some(tenant) = self.tenants.remove(key)
            && let Some(count) = self.counts.get_mut(&tenant)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&tenant);
            }
        }
        if let Some(tenant) = former {
            self.tenants.insert(key.to_owned(), tenant.to_owned());
            *self.counts.entry(tenant.to_owned()).or_default() += 1;
        }
    }
}
