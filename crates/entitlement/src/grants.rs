use std::collections::HashMap;

use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{GrantId, GrantRecord};

use crate::catalog::{Catalog, ProductNumber};
use crate::entry::is_for;

/// Grants, by tenant; one that was revoked is over.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    by_tenant: HashMap<String, Vec<Granted>>,
    tenants: HashMap<GrantId, String>,
}

/// One grant.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) id: GrantId,
    user: Option<String>,
    /// None where the configuration has the product no more.
    product: Option<ProductNumber>,
    pub(crate) until: Option<Timestamp>,
}

impl Granted {
    pub(crate) fn is_about(&self, product: ProductNumber, user: Option<&str>) -> bool {
        self.product == Some(product) && is_for(self.user.as_deref(), user)
    }

    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Grants {
    pub(crate) fn of(&self, tenant: &str) -> &[Granted] {
        if self.tenants.is_empty() {
            return &[];
        }
        self.by_tenant.get(tenant).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn put(&mut self, record: &GrantRecord, catalog: &Catalog) {
        let grant = &record.grant;
        self.remove(&grant.id);
        // Who had one is no direct customer, and is told that it is over.
        let until =
            if record.revoked.is_some() { Some(Timestamp::from_micros(i64::MIN)) } else { grant.until };
        self.tenants.insert(grant.id.clone(), grant.tenant.to_string());
        let granted = Granted {
            id: grant.id.clone(),
            user: grant.user.as_ref().map(ToString::to_string),
            product: catalog.number(grant.product.as_str()),
            until,
        };
        let granteds = self.by_tenant.entry(grant.tenant.to_string()).or_default();
        let at = granteds.partition_point(|before| before.id < granted.id);
        granteds.insert(at, granted);
    }

    fn remove(&mut self, id: &GrantId) {
        let Some(tenant) = self.tenants.remove(id) else { return };
        let Some(granteds) = self.by_tenant.get_mut(&tenant) else { return };
        granteds.retain(|granted| granted.id != *id);
        if granteds.is_empty() {
            self.by_tenant.remove(&tenant);
        }
    }
}
