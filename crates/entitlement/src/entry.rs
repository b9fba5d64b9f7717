use stallkeeper_lifecycle::{
    Access, Holder, Snapshots, Standing, Subscription, SubscriptionKey, Terms, Timestamp, Trial, UserId,
    View, Word,
};

use crate::slab::Place;

/// A subscription that is bound to a tenant, as small as it goes.
///
/// How it looks comes from [`Subscription::view`] and nothing else. A look depends on the clock in one way: a
/// final-usage window that has passed is an end. So two looks say it all, one before the window's end and one
/// at it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The tenant, the holder's id and the user, one behind the other.
    text: Box<str>,
    more: Option<Box<More>>,
    /// From when on it looks as `after` says; never where the clock changes nothing.
    turns_at: Timestamp,
    pub(crate) listing: u32,
    /// The next one of the same tenant.
    pub(crate) next: Option<Next>,
    tenant_bytes: u16,
    holder_bytes: u16,
    holder_kind: HolderKind,
    before: Look,
    after: Look,
    trial: Trial,
}

/// A place in a chain; counted from 1, so that none takes no room.
pub(crate) type Next = std::num::NonZeroU32;

pub(crate) fn link(place: Place) -> Option<Next> {
    Next::new(place.checked_add(1)?)
}

pub(crate) fn place_of(next: Next) -> Place {
    next.get() - 1
}

/// What few subscriptions have.
#[derive(Debug)]
pub(crate) struct More {
    pub(crate) plan: Option<Box<str>>,
    pub(crate) expires_at: Option<Timestamp>,
    /// What the marketplace's newest answer grants.
    pub(crate) dimensions: Box<[Granted]>,
}

#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) api_name: Box<str>,
    pub(crate) value: Box<str>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// How a subscription looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) word: Word,
    pub(crate) access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum HolderKind {
    Customer,
    License,
    Agreement,
    Instance,
    LicenseCode,
}

impl HolderKind {
    fn of(holder: &Holder) -> Self {
        match holder {
            Holder::Customer(_) => Self::Customer,
            Holder::License(_) => Self::License,
            Holder::Agreement(_) => Self::Agreement,
            Holder::Instance(_) => Self::Instance,
            Holder::LicenseCode(_) => Self::LicenseCode,
        }
    }

    /// As it stands in a key.
    fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::License => "license",
            Self::Agreement => "agreement",
            Self::Instance => "instance",
            Self::LicenseCode => "code",
        }
    }
}

impl Entry {
    /// None where it is bound to nobody.
    pub(crate) fn of(
        key: &SubscriptionKey,
        subscription: &Subscription,
        terms: Terms,
        listing: u32,
    ) -> Option<Self> {
        let binding = subscription.binding.as_ref()?;
        // The earliest time there is: no window has passed.
        let before = subscription.view(Timestamp::from_micros(i64::MIN), terms);
        let (turns_at, after) = match before.standing {
            Standing::Ending { deadline, .. } => (deadline, subscription.view(deadline, terms)),
            _ => (Timestamp::from_micros(i64::MAX), before.clone()),
        };
        let (tenant, holder) = (binding.tenant.as_str(), key.holder.id());
        let user = binding.user.as_ref().map_or("", UserId::as_str);
        Some(Self {
            text: [tenant, holder, user].concat().into(),
            more: More::of(&before, &subscription.snapshots),
            turns_at,
            listing,
            next: None,
            // Ids have 256 bytes at the most.
            tenant_bytes: u16::try_from(tenant.len()).unwrap_or(u16::MAX),
            holder_bytes: u16::try_from(holder.len()).unwrap_or(u16::MAX),
            holder_kind: HolderKind::of(&key.holder),
            before: Look::of(&before),
            after: Look::of(&after),
            trial: before.standing.period().map_or(Trial::Unknown, |period| period.trial),
        })
    }

    /// How it looks at `now`.
    pub(crate) fn look(&self, now: Timestamp) -> Look {
        if now < self.turns_at { self.before } else { self.after }
    }

    /// When its final-usage window closes.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        (self.before.word == Word::Ending).then_some(self.turns_at)
    }

    pub(crate) fn tenant(&self) -> &str {
        self.text.get(..usize::from(self.tenant_bytes)).unwrap_or_default()
    }

    pub(crate) fn holder(&self) -> (&'static str, &str) {
        let (tenant, holder) = (usize::from(self.tenant_bytes), usize::from(self.holder_bytes));
        (self.holder_kind.as_str(), self.text.get(tenant..tenant + holder).unwrap_or_default())
    }

    /// For whom alone it is; for all of the tenant's users where there is none.
    pub(crate) fn user(&self) -> Option<&str> {
        let start = usize::from(self.tenant_bytes) + usize::from(self.holder_bytes);
        self.text.get(start..).filter(|user| !user.is_empty())
    }

    /// Whether it is for who is asked about: a user, or the tenant as a whole.
    pub(crate) fn is_for(&self, user: Option<&str>) -> bool {
        is_for(self.user(), user)
    }

    pub(crate) fn is_held_by(&self, listing: u32, holder: &Holder) -> bool {
        self.listing == listing && self.holder() == (holder.kind(), holder.id())
    }

    pub(crate) fn trial(&self) -> Trial {
        self.trial
    }

    pub(crate) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    /// What it holds outside of itself, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let granted = |granted: &Granted| granted.api_name.len() + granted.value.len() + size_of::<Granted>();
        let more = |more: &More| {
            let dimensions: usize = more.dimensions.iter().map(granted).sum();
            size_of::<More>() + dimensions + more.plan.as_ref().map_or(0, |plan| plan.len())
        };
        self.text.len() + self.more().map_or(0, more)
    }
}

/// Something that names a user is for him only; what names none is for all of the tenant's.
pub(crate) fn is_for(named: Option<&str>, asked: Option<&str>) -> bool {
    named.is_none_or(|named| asked == Some(named))
}

impl Look {
    fn of(view: &View) -> Self {
        Self { word: view.word, access: view.access }
    }
}

impl More {
    fn of(view: &View, snapshots: &Snapshots) -> Option<Box<Self>> {
        let period = view.standing.period();
        let plan = period.and_then(|period| period.plan.as_ref()).map(|plan| plan.id.as_str().into());
        let expires_at = period.and_then(|period| period.expires_at);
        let granted = snapshots.granted().map(|snapshot| snapshot.entitlements.as_slice());
        let dimensions = granted.unwrap_or_default().iter().map(|entitlement| Granted {
            api_name: entitlement.dimension.as_str().into(),
            value: entitlement.value.as_str().into(),
            expires_at: entitlement.expires_at,
        });
        let more = Self { plan, expires_at, dimensions: dimensions.collect() };
        let is_empty = more.plan.is_none() && more.expires_at.is_none() && more.dimensions.is_empty();
        (!is_empty).then(|| Box::new(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Option<Entry>>() <= 56, "{}", size_of::<Option<Entry>>());
    }
}
