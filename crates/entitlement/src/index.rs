use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use stallkeeper_lifecycle::{Holder, MarketplaceName, ProductCode, SubscriptionKey, TenantId, Terms};
use stallkeeper_persistence::{Changed, GrantRecord, SubscriptionRecord};

use crate::catalog::{Catalog, CatalogListing, ProductNumber};
use crate::entry::{Entry, link, place_of};
use crate::former::Formers;
use crate::grants::{Granted, Grants};
use crate::slab::{Place, Slab};
use crate::unreadable::Unreadable;

/// All that answers rest on: the subscriptions that are bound to a tenant, and grants.
#[derive(Debug)]
pub struct Index {
    catalog: Arc<Catalog>,
    listings: Vec<Listing>,
    listing_numbers: HashMap<(MarketplaceName, ProductCode), u32>,
    entries: Slab<Entry>,
    by_key: HashTable<Place>,
    /// The first of each tenant's; the others are chained to it.
    by_tenant: HashTable<Place>,
    grants: Grants,
    formers: Formers,
    unreadable: Unreadable,
    hasher: RandomState,
    /// What entries hold outside of themselves.
    bytes_held: usize,
}

/// A listing that subscriptions are of, whether or not it is configured.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) marketplace: MarketplaceName,
    pub(crate) code: ProductCode,
    pub(crate) product: Option<ProductNumber>,
    /// None where it is not configured any more.
    pub(crate) configured: Option<CatalogListing>,
}

impl Index {
    /// Nothing is known yet.
    pub fn new(catalog: &Arc<Catalog>) -> Self {
        let mut index = Self {
            catalog: catalog.clone(),
            listings: Vec::new(),
            listing_numbers: HashMap::new(),
            entries: Slab::default(),
            by_key: HashTable::new(),
            by_tenant: HashTable::new(),
            grants: Grants::default(),
            formers: Formers::default(),
            unreadable: Unreadable::default(),
            hasher: RandomState::new(),
            bytes_held: 0,
        };
        for (number, product) in (0..).zip(catalog.products()) {
            for listing in &product.listings {
                index.add_listing(Listing {
                    marketplace: listing.marketplace.clone(),
                    code: listing.code.clone(),
                    product: Some(number),
                    configured: Some(listing.clone()),
                });
            }
        }
        index
    }

    /// What is sold.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn catalog_shared(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    pub(crate) fn formers(&self) -> &Formers {
        &self.formers
    }

    /// How many subscriptions are bound to a tenant.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no subscription is bound to a tenant.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much memory subscriptions take, in bytes, but for what the allocator adds to each of its pieces.
    pub fn bytes(&self) -> usize {
        // A place, and a byte of control, for each bucket; seven of eight are used at the most.
        let table = |table: &HashTable<Place>| table.capacity() * 8 / 7 * (size_of::<Place>() + 1);
        self.entries.bytes() + table(&self.by_key) + table(&self.by_tenant) + self.bytes_held
    }

    /// Takes a subscription as it is now.
    pub fn put_subscription(&mut self, changed: &Changed<SubscriptionRecord>) {
        let text = &changed.position.key;
        match &changed.record {
            Ok(record) => {
                self.unreadable.remove(text);
                self.put(record);
            }
            Err(_) => match &changed.tenant {
                // What is known from before is kept, but does not count until it can be read again.
                Some(tenant) => self.unreadable.put(text, tenant),
                None => self.unreadable.remove(text),
            },
        }
    }

    /// Takes a grant as it is now.
    pub fn put_grant(&mut self, record: &GrantRecord) {
        let catalog = self.catalog.clone();
        self.grants.put(record, &catalog);
    }

    fn put(&mut self, record: &SubscriptionRecord) {
        let key = &record.key;
        self.remove(key);
        let former = record.subscription.former.as_ref();
        self.formers.put(&key.to_string(), former.map(TenantId::as_str));
        if key.is_agreement() || record.subscription.binding.is_none() {
            return;
        }
        let Some(listing) = self.listing_of(key) else { return };
        let terms = self.listing(listing).and_then(|listing| listing.configured.as_ref());
        let terms = terms.map_or_else(Terms::default, |listing| listing.terms);
        let Some(entry) = Entry::of(key, &record.subscription, terms, listing) else { return };
        self.insert(key, entry);
    }

    fn insert(&mut self, key: &SubscriptionKey, mut entry: Entry) {
        let (of_key, of_tenant) =
            (self.key_hash(entry.listing, &key.holder), self.tenant_hash(entry.tenant()));
        let Self { entries, by_key, by_tenant, hasher, bytes_held, .. } = self;
        let head =
            by_tenant.find_mut(of_tenant, |place| is_of(entries, *place, entry.tenant())).map(|place| {
                entry.next = link(*place);
                place
            });
        let is_first = head.is_none();
        *bytes_held += entry.bytes();
        // None only beyond four thousand million.
        let Some(place) = entries.insert(entry) else { return };
        if let Some(head) = head {
            *head = place;
        }
        let hash =
            |place: &Place| entries.get(*place).map_or(0, |entry| hash_of_tenant(hasher, entry.tenant()));
        if is_first {
            by_tenant.insert_unique(of_tenant, place, hash);
        }
        let hash = |place: &Place| entries.get(*place).map_or(0, |entry| hash_of_key(hasher, entry));
        by_key.insert_unique(of_key, place, hash);
    }

    fn remove(&mut self, key: &SubscriptionKey) {
        let known = (key.marketplace.clone(), key.product.clone());
        let Some(listing) = self.listing_numbers.get(&known).copied() else { return };
        let of_key = self.key_hash(listing, &key.holder);
        let entries = &self.entries;
        let is_it =
            |place: &Place| entries.get(*place).is_some_and(|entry| entry.is_held_by(listing, &key.holder));
        let Ok(found) = self.by_key.find_entry(of_key, is_it) else { return };
        let (place, _) = found.remove();
        self.unchain(place);
        if let Some(removed) = self.entries.remove(place) {
            self.bytes_held = self.bytes_held.saturating_sub(removed.bytes());
        }
    }

    /// Takes a place out of its tenant's chain.
    fn unchain(&mut self, place: Place) {
        let Some(entry) = self.entries.get(place) else { return };
        let (next, hash) = (entry.next, self.tenant_hash(entry.tenant()));
        let entries = &self.entries;
        let is_head_of = |head: &Place| is_of(entries, *head, entry.tenant());
        let Ok(mut head) = self.by_tenant.find_entry(hash, is_head_of) else { return };
        if *head.get() == place {
            match next {
                Some(next) => *head.get_mut() = place_of(next),
                None => drop(head.remove()),
            }
            return;
        }
        let mut before = Some(*head.get());
        while let Some(at) = before {
            let Some(entry) = self.entries.get_mut(at) else { return };
            if entry.next.map(place_of) == Some(place) {
                entry.next = next;
                return;
            }
            before = entry.next.map(place_of);
        }
    }

    /// The tenant's subscriptions, of all products and users.
    pub(crate) fn entries_of<'a>(&'a self, tenant: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let hash = self.tenant_hash(tenant);
        let head = self.by_tenant.find(hash, |place| is_of(&self.entries, *place, tenant)).copied();
        let first = head.and_then(|place| self.entries.get(place));
        std::iter::successors(first, |entry| self.entries.get(place_of(entry.next?)))
    }

    pub(crate) fn grants_of(&self, tenant: &str) -> &[Granted] {
        self.grants.of(tenant)
    }

    pub(crate) fn unreadable_of(&self, tenant: &str) -> Option<&str> {
        self.unreadable.of(tenant)
    }

    pub(crate) fn listing(&self, number: u32) -> Option<&Listing> {
        self.listings.get(usize::try_from(number).ok()?)
    }

    fn listing_of(&mut self, key: &SubscriptionKey) -> Option<u32> {
        let known = (key.marketplace.clone(), key.product.clone());
        if let Some(number) = self.listing_numbers.get(&known) {
            return Some(*number);
        }
        let (marketplace, code) = known;
        self.add_listing(Listing { marketplace, code, product: None, configured: None })
    }

    fn add_listing(&mut self, listing: Listing) -> Option<u32> {
        let number = u32::try_from(self.listings.len()).ok()?;
        self.listing_numbers.insert((listing.marketplace.clone(), listing.code.clone()), number);
        self.listings.push(listing);
        Some(number)
    }

    fn key_hash(&self, listing: u32, holder: &Holder) -> u64 {
        self.hasher.hash_one((listing, holder.kind(), holder.id()))
    }

    fn tenant_hash(&self, tenant: &str) -> u64 {
        hash_of_tenant(&self.hasher, tenant)
    }
}

fn hash_of_tenant(hasher: &RandomState, tenant: &str) -> u64 {
    hasher.hash_one(tenant)
}

fn hash_of_key(hasher: &RandomState, entry: &Entry) -> u64 {
    let (kind, id) = entry.holder();
    hasher.hash_one((entry.listing, kind, id))
}

fn is_of(entries: &Slab<Entry>, place: Place, tenant: &str) -> bool {
    entries.get(place).is_some_and(|entry| entry.tenant() == tenant)
}
