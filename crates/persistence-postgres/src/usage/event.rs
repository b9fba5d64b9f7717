use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use stallkeeper_ledger::{EventKey, EventState, Held, HeldReason, Hour, Rest, UsageEvent};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::HeldOf;

use crate::error::store_error;
use crate::moment::{moments, optional_moments};
use crate::usage::{decode, encode};

/// An event was there when it was to be stored, and gone when it was looked up.
#[derive(Debug, thiserror::Error)]
#[error("a usage event was pruned while it came again")]
struct Pruned;

/// For what an event waits, and until when.
fn held(event: &UsageEvent) -> Option<(HeldReason, Timestamp)> {
    match event.state {
        EventState::Held { reason, until } => Some((reason, until)),
        EventState::Counted { .. } | EventState::Lost { .. } => None,
    }
}

fn held_for(event: &UsageEvent) -> Option<&'static str> {
    held(event).map(|(reason, _)| match reason {
        HeldReason::BeforeActivation => "before_activation",
        HeldReason::Late => "late",
    })
}

/// Reads an event as it is stored.
pub(super) fn read(number: i64, event: &str) -> Result<UsageEvent, StoreError> {
    decode(event, || format!("usage_events.event {number}"))
}

/// The keys of events, column by column.
struct Keys<'a> {
    products: Vec<&'a str>,
    tenants: Vec<&'a str>,
    ids: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    fn of(keys: impl Iterator<Item = &'a EventKey>) -> Self {
        let mut columns = Self { products: Vec::new(), tenants: Vec::new(), ids: Vec::new() };
        for key in keys {
            columns.products.push(key.product.as_str());
            columns.tenants.push(key.tenant.as_str());
            columns.ids.push(key.id.as_str());
        }
        columns
    }
}

/// Stores events whose ids are new; answers the others' content as it was stored before.
pub(super) async fn claim(
    connection: &mut PgConnection,
    events: &[UsageEvent],
) -> Result<Vec<(EventKey, String)>, StoreError> {
    let stored = insert(connection, events).await?;
    let is_known = |key: &&EventKey| !stored.contains(&triple(key));
    let known: Vec<&EventKey> = events.iter().map(|event| &event.key).filter(is_known).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    contents(connection, &known).await
}

fn triple(key: &EventKey) -> (String, String, String) {
    (key.product.to_string(), key.tenant.to_string(), key.id.to_string())
}

/// Waits for another transaction that is storing one of these.
async fn insert(
    connection: &mut PgConnection,
    events: &[UsageEvent],
) -> Result<HashSet<(String, String, String)>, StoreError> {
    let keys = Keys::of(events.iter().map(|event| &event.key));
    let subscriptions: Vec<String> = events.iter().map(|event| event.subscription.to_string()).collect();
    let dimensions: Vec<&str> = events.iter().map(|event| event.api_name.as_str()).collect();
    let hours: Vec<i64> = events.iter().map(|event| Hour::of(event.occurred_at).number()).collect();
    let states: Vec<&str> = events.iter().map(|event| event.state.word()).collect();
    let counted: Vec<i64> = events.iter().map(|event| event.counted.parts()).collect();
    let held_for: Vec<Option<&str>> = events.iter().map(held_for).collect();
    let held_until = optional_moments(events.iter().map(|event| held(event).map(|(_, until)| until)))?;
    let received_at = moments(events.iter().map(|event| event.received_at))?;
    let contents: Vec<String> = events.iter().map(UsageEvent::content).collect();
    let texts: Vec<String> = events.iter().map(encode).collect::<Result<_, _>>()?;
    let stored = sqlx::query!(
        r#"
        INSERT INTO usage_events
            (product, tenant, id, subscription, dimension, hour, state, counted, held_for, held_until,
             received_at, content, event)
        SELECT product, tenant, id, subscription, dimension, hour, state, counted, held_for, held_until,
            received_at, content, event
        FROM UNNEST(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
            $8::bigint[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[]
        ) AS new
            (product, tenant, id, subscription, dimension, hour, state, counted, held_for, held_until,
             received_at, content, event)
        ORDER BY product COLLATE "C", tenant COLLATE "C", id COLLATE "C"
        ON CONFLICT (product, tenant, id) DO NOTHING
        RETURNING product, tenant, id
        "#,
        &keys.products as &[&str],
        &keys.tenants as &[&str],
        &keys.ids as &[&str],
        &subscriptions,
        &dimensions as &[&str],
        &hours,
        &states as &[&str],
        &counted,
        &held_for as &[Option<&str>],
        &held_until as &[Option<time::OffsetDateTime>],
        &received_at,
        &contents,
        &texts,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(stored.into_iter().map(|row| (row.product, row.tenant, row.id)).collect())
}

/// A statement of its own, as only a new one sees what another transaction has committed meanwhile.
async fn contents(
    connection: &mut PgConnection,
    known: &[&EventKey],
) -> Result<Vec<(EventKey, String)>, StoreError> {
    let keys = Keys::of(known.iter().copied());
    let contents = sqlx::query_scalar!(
        r#"
        SELECT usage_events.content
        FROM UNNEST($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
            AS known (product, tenant, id, position)
        JOIN usage_events ON usage_events.product = known.product AND usage_events.tenant = known.tenant
            AND usage_events.id = known.id
        ORDER BY known.position
        "#,
        &keys.products as &[&str],
        &keys.tenants as &[&str],
        &keys.ids as &[&str],
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    if contents.len() != known.len() {
        return Err(StoreError::Conflict(Pruned.into()));
    }
    Ok(known.iter().map(|key| (*key).clone()).zip(contents).collect())
}

/// Writes what became of stored events; whoever does holds their meters, so no two are in each other's way.
pub(super) async fn update(connection: &mut PgConnection, events: &[UsageEvent]) -> Result<(), StoreError> {
    let keys = Keys::of(events.iter().map(|event| &event.key));
    let states: Vec<&str> = events.iter().map(|event| event.state.word()).collect();
    let counted: Vec<i64> = events.iter().map(|event| event.counted.parts()).collect();
    let held_for: Vec<Option<&str>> = events.iter().map(held_for).collect();
    let held_until = optional_moments(events.iter().map(|event| held(event).map(|(_, until)| until)))?;
    let texts: Vec<String> = events.iter().map(encode).collect::<Result<_, _>>()?;
    sqlx::query!(
        r#"
        UPDATE usage_events
        SET state = new.state, counted = new.counted, held_for = new.held_for,
            held_until = new.held_until, event = new.event
        FROM UNNEST(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[],
            $8::text[]
        ) AS new (product, tenant, id, state, counted, held_for, held_until, event)
        WHERE usage_events.product = new.product AND usage_events.tenant = new.tenant
            AND usage_events.id = new.id
        "#,
        &keys.products as &[&str],
        &keys.tenants as &[&str],
        &keys.ids as &[&str],
        &states as &[&str],
        &counted,
        &held_for as &[Option<&str>],
        &held_until as &[Option<time::OffsetDateTime>],
        &texts,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

/// Stored events, in the order of the keys; those that are not there are left out.
pub(super) async fn by_keys(
    connection: &mut PgConnection,
    keys: &[EventKey],
) -> Result<Vec<UsageEvent>, StoreError> {
    let keys = Keys::of(keys.iter());
    let rows = sqlx::query!(
        r#"
        SELECT usage_events.number, usage_events.event
        FROM UNNEST($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
            AS wanted (product, tenant, id, position)
        JOIN usage_events ON usage_events.product = wanted.product AND usage_events.tenant = wanted.tenant
            AND usage_events.id = wanted.id
        ORDER BY wanted.position
        "#,
        &keys.products as &[&str],
        &keys.tenants as &[&str],
        &keys.ids as &[&str],
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter().map(|row| read(row.number, &row.event)).collect()
}

/// The first held events of each subscription, by the time at which they run out.
///
/// One more than wanted is looked for, which tells whether there are more.
pub(super) async fn held_of(
    connection: &mut PgConnection,
    subscriptions: &[SubscriptionKey],
    limit: u32,
) -> Result<Vec<HeldOf>, StoreError> {
    let keys: Vec<String> = subscriptions.iter().map(SubscriptionKey::to_string).collect();
    let rows = sqlx::query!(
        r#"
        SELECT held.number, held.event
        FROM UNNEST($1::text[]) AS wanted (subscription)
        CROSS JOIN LATERAL (
            SELECT number, event, held_until FROM usage_events
            WHERE usage_events.subscription = wanted.subscription AND state = 'held'
            ORDER BY held_until, number LIMIT $2
        ) AS held
        ORDER BY held.held_until, held.number
        "#,
        &keys,
        i64::from(limit) + 1,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let mut of: HashMap<SubscriptionKey, Held> = HashMap::new();
    for row in rows {
        let event = read(row.number, &row.event)?;
        of.entry(event.subscription.clone()).or_default().events.push(event);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let bounded = |mut held: Held| {
        if held.events.len() > limit {
            held.events.truncate(limit);
            held.rest = Rest::More;
        }
        held
    };
    Ok(subscriptions.iter().filter_map(|key| Some((key.clone(), bounded(of.remove(key)?)))).collect())
}
