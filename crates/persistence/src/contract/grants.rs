//! Grants: access outside any marketplace.

use std::time::Duration;

use super::Fixture;
use super::samples::minute;
use crate::{Actor, ChangePosition, ChangeRange, Grant, GrantId, GrantPut, GrantRecord, Page, Store};

fn grant(id: &str, tenant: &str) -> Grant {
    Grant {
        id: id.parse().expect("an id"),
        tenant: tenant.parse().expect("a tenant"),
        user: None,
        product: "product1111".parse().expect("a product"),
        until: None,
        why: "pilot".parse().expect("a reason"),
    }
}

fn mia() -> Actor {
    Actor::Operator("mia".to_owned())
}

async fn put(store: &dyn Store, grant: &Grant) -> GrantPut {
    store.put_grant(grant, &mia(), minute(0)).await.expect("put")
}

async fn changed(store: &dyn Store, from: i64) -> Vec<GrantRecord> {
    let range = ChangeRange { after: ChangePosition::before(from), below: None, limit: 100 };
    let rows = store.changed_grants(&range).await.expect("readable");
    rows.into_iter().map(|row| row.record.expect("readable")).collect()
}

pub async fn a_grant_is_kept_in_every_part(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let whole = Grant {
        user: "111".parse().ok(),
        until: Some(minute(60)),
        why: "日本 'quoted'".parse().expect("a reason"),
        ..grant("pilot-1", "AAA")
    };
    assert_eq!(put(store, &whole).await, GrantPut::Made);
    let stored = GrantRecord { grant: whole.clone(), by: mia(), created_at: minute(0), revoked: None };
    assert_eq!(store.grant(&whole.id).await.expect("readable"), Some(stored.clone()));
    assert_eq!(changed(store, 0).await, [stored]);
}

pub async fn a_grant_that_is_put_again_changes_nothing(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let pilot = grant("pilot-1", "AAA");
    put(store, &pilot).await;
    let number = async || {
        let range = ChangeRange { after: ChangePosition::default(), below: None, limit: 1 };
        store.changed_grants(&range).await.expect("readable")[0].position.number
    };
    let before = number().await;
    assert_eq!(put(store, &pilot).await, GrantPut::Same);
    assert_eq!(number().await, before);
    let acts = store.grant_acts(&pilot.id, &Page::first(10)).await.expect("readable");
    assert_eq!(acts.len(), 1);
}

pub async fn a_grant_with_other_content_takes_the_place_of_the_one_before(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    put(store, &grant("pilot-1", "AAA")).await;
    let longer = Grant { until: Some(minute(90)), ..grant("pilot-1", "BBB") };
    let by = Actor::Operator("noah".to_owned());
    let came_to = store.put_grant(&longer, &by, minute(5)).await.expect("put");
    assert_eq!(came_to, GrantPut::Changed);
    let stored = store.grant(&longer.id).await.expect("readable").expect("there");
    assert_eq!(stored, GrantRecord { grant: longer, by, created_at: minute(0), revoked: None });
    assert_eq!(changed(store, 0).await.len(), 1);
}

pub async fn a_revoked_grant_is_seen_by_followers_and_stays_as_it_was_revoked(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let pilot = grant("pilot-1", "AAA");
    put(store, &pilot).await;
    let horizon = store.change_horizon().await.expect("readable");
    let revoked = store.revoke_grant(&pilot.id, &mia(), minute(3)).await.expect("revoked").expect("there");
    assert_eq!(revoked.revoked, Some((mia(), minute(3))));
    let again = Actor::Operator("noah".to_owned());
    let again = store.revoke_grant(&pilot.id, &again, minute(9)).await.expect("revoked").expect("there");
    assert_eq!(again, revoked);
    assert_eq!(changed(store, horizon).await, [revoked]);
}

pub async fn a_revoked_grant_that_is_put_again_holds_again(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let pilot = grant("pilot-1", "AAA");
    put(store, &pilot).await;
    store.revoke_grant(&pilot.id, &mia(), minute(3)).await.expect("revoked");
    assert_eq!(put(store, &pilot).await, GrantPut::Changed);
    let stored = store.grant(&pilot.id).await.expect("readable").expect("there");
    assert_eq!(stored.revoked, None);
}

pub async fn an_unknown_grant_is_none(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let id: GrantId = "nothing".parse().expect("an id");
    assert_eq!(store.grant(&id).await.expect("readable"), None);
    assert_eq!(store.revoke_grant(&id, &mia(), minute(0)).await.expect("looked"), None);
    assert_eq!(store.grant_acts(&id, &Page::first(10)).await.expect("readable"), []);
}

pub async fn every_act_is_kept_with_who_did_it(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    let pilot = grant("pilot-1", "AAA");
    put(store, &pilot).await;
    put(store, &grant("pilot-2", "AAA")).await;
    let noah = Actor::Operator("noah".to_owned());
    store.revoke_grant(&pilot.id, &noah, minute(3)).await.expect("revoked");
    let acts = store.grant_acts(&pilot.id, &Page::first(10)).await.expect("readable");
    let told: Vec<_> = acts.iter().map(|act| (act.what.as_str(), act.by.clone(), act.at)).collect();
    assert_eq!(told, [("put", mia(), minute(0)), ("revoked", noah, minute(3))]);
    let put: Grant = serde_json::from_str(&acts[0].detail).expect("what was put");
    assert_eq!(put, pilot);
    let page = Page { after: Some(acts[0].number), limit: 10 };
    assert_eq!(store.grant_acts(&pilot.id, &page).await.expect("readable"), acts[1..]);
}

pub async fn grants_are_listed_by_tenant_or_all_and_paged(fixture: &dyn Fixture) {
    let store = &*fixture.store();
    for number in 0..5 {
        put(store, &grant(&format!("a-{number}"), "AAA")).await;
        put(store, &grant(&format!("b-{number}"), "BBB")).await;
    }
    let listed = async |tenant: Option<&str>, limit: u32| {
        let tenant = tenant.map(|tenant| tenant.parse().expect("a tenant"));
        let mut ids: Vec<GrantId> = Vec::new();
        loop {
            let page = Page { after: ids.last().cloned(), limit };
            let part = store.grants(tenant.as_ref(), &page).await.expect("readable");
            if part.is_empty() {
                return ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            }
            ids.extend(part.into_iter().map(|record| record.grant.id));
        }
    };
    for limit in [1, 2, 100] {
        assert_eq!(listed(Some("BBB"), limit).await, ["b-0", "b-1", "b-2", "b-3", "b-4"]);
        assert_eq!(listed(None, limit).await.len(), 10);
    }
}

pub async fn who_listens_hears_of_a_grant(fixture: &dyn Fixture) {
    let store = fixture.store();
    let mut listener = store.listen().await.expect("listening");
    put(&*store, &grant("pilot-1", "AAA")).await;
    let heard = tokio::time::timeout(Duration::from_secs(20), listener.heard()).await;
    heard.expect("heard in time").expect("still listening");
}
