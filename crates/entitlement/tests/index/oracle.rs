//! The index against a list that is walked from end to end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stallkeeper_entitlement::Index;
use stallkeeper_lifecycle::{Access, FactKind, UserId, Word};
use stallkeeper_persistence::GrantRecord;

use crate::stage::{Stage, Story, grant, minute};

const TENANTS: [&str; 3] = ["AAA", "BBB", "CCC"];
const USERS: [&str; 3] = ["", "111", "222"];
const PRODUCTS: [(&str, &[&str]); 3] =
    [("product1111", &["aws/p1/"]), ("product2222", &["aws/p2/", "aws-china/p2/"]), ("seats", &["aws/p3/"])];
const CODES: [&str; 5] = ["aws/p1", "aws/p2", "aws-china/p2", "aws/p3", "aws/gone"];

#[derive(Clone, Debug)]
enum Act {
    Subscribe,
    Fail,
    Leave,
    Gone,
    Bind(usize, usize),
    Unbind,
    Grant(usize, usize, usize, Option<u64>),
    Revoke(usize),
    Entitle(&'static str),
}

fn act() -> impl Strategy<Value = (usize, u64, Act)> {
    let act = prop_oneof![
        4 => Just(Act::Subscribe),
        1 => Just(Act::Fail),
        2 => Just(Act::Leave),
        1 => Just(Act::Gone),
        6 => (0..TENANTS.len(), 0..USERS.len()).prop_map(|(tenant, user)| Act::Bind(tenant, user)),
        1 => Just(Act::Unbind),
        2 => (0..TENANTS.len(), 0..USERS.len(), 0..PRODUCTS.len(), proptest::option::of(0_u64..200))
            .prop_map(|(tenant, user, product, until)| Act::Grant(tenant, user, product, until)),
        1 => (0_usize..3).prop_map(Act::Revoke),
        2 => prop_oneof![Just("3"), Just("4"), Just("")].prop_map(Act::Entitle),
    ];
    (0_usize..20, 0_u64..200, act)
}

#[derive(Default)]
struct World {
    /// The last one that each subscription was taken from.
    formers: BTreeMap<String, String>,
    stories: BTreeMap<String, Story>,
    grants: BTreeMap<String, GrantRecord>,
}

impl World {
    fn play(&mut self, index: &mut Index, (number, at, act): (usize, u64, Act)) {
        let id = format!("{}/customer/{}", CODES[number % CODES.len()], number / CODES.len());
        match act {
            Act::Grant(tenant, user, product, until) => {
                let id = format!("g{}", number % 3);
                let user = Some(USERS[user]).filter(|user| !user.is_empty());
                let mut record = grant(&id, TENANTS[tenant], user, PRODUCTS[product].0);
                record.grant.until = until.map(minute);
                index.put_grant(&record);
                self.grants.insert(id, record);
            }
            Act::Revoke(number) => {
                if let Some(record) = self.grants.get_mut(&format!("g{number}")) {
                    record.revoked = Some((record.by.clone(), minute(at)));
                    index.put_grant(record);
                }
            }
            act => {
                let story = self.stories.remove(&id).unwrap_or_else(|| Story::of(&id));
                let tenant_of =
                    |story: &Story| story.subscription.binding.clone().map(|one| one.tenant.to_string());
                let before = tenant_of(&story);
                let story = match act {
                    Act::Subscribe => story.subscribed(),
                    Act::Fail => story.told(at, FactKind::SubscribeFail),
                    Act::Leave => story.leaving(at),
                    Act::Gone => story.told(at, FactKind::UnsubscribeSuccess),
                    Act::Bind(tenant, user) => {
                        story.bound(TENANTS[tenant], Some(USERS[user]).filter(|user| !user.is_empty()))
                    }
                    Act::Unbind => story.change(stallkeeper_lifecycle::Change::Unbind, minute(at)),
                    Act::Entitle("") => story.granted(at, &[]),
                    Act::Entitle(value) => story.granted(at, &[("Seats", value)]),
                    Act::Grant(..) | Act::Revoke(_) => unreachable!(),
                };
                if let Some(before) = before.filter(|before| tenant_of(&story).as_ref() != Some(before)) {
                    self.formers.insert(id.clone(), before);
                }
                index.put_subscription(&story.changed());
                self.stories.insert(id, story);
            }
        }
    }

    /// Access and reason, by walking over everything.
    fn answer(&self, tenant: &str, user: &str, product: usize, at: u64) -> (Access, &'static str) {
        let now = minute(at);
        let for_asked = |named: Option<&str>| named.is_none_or(|named| named == user);
        let binding_of = |story: &Story| story.subscription.binding.clone();
        let mine: Vec<&Story> = self
            .stories
            .values()
            .filter(|story| binding_of(story).is_some_and(|binding| binding.tenant.as_str() == tenant))
            .collect();
        let views = mine.iter().filter(|story| {
            let is_of = |prefix: &&str| story.key.to_string().starts_with(prefix);
            let user = binding_of(story).and_then(|binding| binding.user);
            PRODUCTS[product].1.iter().any(is_of) && for_asked(user.as_ref().map(UserId::as_str))
        });
        let views: Vec<_> = views.map(|story| story.subscription.view(now, story.terms)).collect();
        let grants: Vec<&GrantRecord> =
            self.grants.values().filter(|record| record.grant.tenant.as_str() == tenant).collect();
        let of_product = |record: &&&GrantRecord| {
            record.grant.product.as_str() == PRODUCTS[product].0
                && for_asked(record.grant.user.as_ref().map(UserId::as_str))
        };
        let has = |word: Word| views.iter().any(|view| view.word == word);
        let with = |access: Access| views.iter().any(|view| view.access == access);
        if with(Access::Full) {
            (Access::Full, "active")
        } else if grants.iter().filter(of_product).any(|record| record.holds_at(now)) {
            (Access::Full, "granted")
        } else if with(Access::Limited) {
            (Access::Limited, "ending")
        } else if has(Word::Registered) || has(Word::Active) {
            (Access::None, "pending")
        } else if has(Word::Failed) {
            (Access::None, "payment_failed")
        } else if has(Word::Ended) || grants.iter().any(|record| of_product(&record)) {
            (Access::None, "ended")
        } else if mine.is_empty() && grants.is_empty() && !self.formers.values().any(|one| one == tenant) {
            (Access::None, "not_managed")
        } else {
            (Access::None, "not_subscribed")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_answer_is_that_of_a_walk_over_everything(
        acts in proptest::collection::vec(act(), 0..60),
        at in 0_u64..300,
    ) {
        let mut stage = Stage::new();
        let mut world = World::default();
        for act in acts {
            world.play(&mut stage.index, act);
        }
        let stage = stage.at(at);
        for tenant in TENANTS {
            for user in USERS {
                for (number, (product, _)) in PRODUCTS.into_iter().enumerate() {
                    let answer = stage.ask(tenant, user, product);
                    let expected = world.answer(tenant, user, number, at);
                    prop_assert_eq!((answer.access, answer.reason.as_str()), expected);
                }
            }
        }
        let bound = world.stories.values().filter(|story| story.subscription.binding.is_some()).count();
        prop_assert_eq!(stage.index.len(), bound);
    }
}
