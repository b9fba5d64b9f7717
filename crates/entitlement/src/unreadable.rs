use std::collections::{BTreeSet, HashMap};

/// Subscriptions whose rows cannot be read, by the tenant that listings have for them: about such a tenant
/// nothing can be said.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    by_tenant: HashMap<String, BTreeSet<String>>,
    tenants: HashMap<String, String>,
}

impl Unreadable {
    /// One of the tenant's that cannot be read.
    pub(crate) fn of(&self, tenant: &str) -> Option<&str> {
        if self.tenants.is_empty() {
            return None;
        }
        self.by_tenant.get(tenant)?.first().map(String::as_str)
    }

    pub(crate) fn put(&mut self, key: &str, tenant: &str) {
        self.remove(key);
        self.tenants.insert(key.to_owned(), tenant.to_owned());
        self.by_tenant.entry(tenant.to_owned()).or_default().insert(key.to_owned());
    }

    pub(crate) fn remove(&mut self, key: &str) {
        let Some(tenant) = self.tenants.remove(key) else { return };
        let Some(keys) = self.by_tenant.get_mut(&tenant) else { return };
        keys.remove(key);
        if keys.is_empty() {
            self.by_tenant.remove(&tenant);
        }
    }
}
