use std::collections::HashSet;

use serde_json::{Value, json};
use sqlx::SqliteConnection;
use stallkeeper_ledger::{EventKey, EventState, Held, HeldReason, Hour, Rest, UsageEvent};
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::HeldOf;

use crate::error::store_error;
use crate::rows::rows;
use crate::usage::{decode, encode};

/// Reads an event as it is stored.
pub(super) fn read(number: i64, event: &str) -> Result<UsageEvent, StoreError> {
    decode(event, || format!("usage_events.event {number}"))
}

/// Stores events whose ids are new; answers the others' content.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    events: &[UsageEvent],
) -> Result<Vec<(EventKey, String)>, StoreError> {
    let new = insert(connection, events).await?;
    let is_new =
        |key: &EventKey| new.contains(&(key.product.to_string(), key.tenant.to_string(), key.id.to_string()));
    let known: Vec<&EventKey> = events.iter().map(|event| &event.key).filter(|key| !is_new(key)).collect();
    if known.is_empty() { Ok(Vec::new()) } else { contents(connection, &known).await }
}

/// Stores what is new, and answers its identities.
async fn insert(
    connection: &mut SqliteConnection,
    events: &[UsageEvent],
) -> Result<HashSet<(String, String, String)>, StoreError> {
    let events = rows(events.iter().map(inserted).collect::<Result<Vec<_>, _>>()?)?;
    let inserted = sqlx::query!(
        r#"
        INSERT INTO usage_events
            (product, tenant, id, subscription, dimension, hour, state, counted, held_for, held_until,
             received_at, content, event)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
        FROM json_each($1) WHERE true ORDER BY key
        ON CONFLICT (product, tenant, id) DO NOTHING
        RETURNING product, tenant, id
        "#,
        events,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(inserted.into_iter().map(|row| (row.product, row.tenant, row.id)).collect())
}

async fn contents(
    connection: &mut SqliteConnection,
    keys: &[&EventKey],
) -> Result<Vec<(EventKey, String)>, StoreError> {
    let wanted = rows(keys.iter().map(|key| identity(key)))?;
    // The position in the list tells whose content it is.
    let stored = sqlx::query!(
        r#"
        SELECT CAST(wanted.key AS INTEGER) AS "position!: i64", content FROM json_each($1) AS wanted
        CROSS JOIN usage_events
        WHERE product = wanted.value ->> 0 AND tenant = wanted.value ->> 1
            AND usage_events.id = wanted.value ->> 2
        "#,
        wanted,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let key_at = |position: i64| keys.get(usize::try_from(position).ok()?).map(|key| (*key).clone());
    Ok(stored.into_iter().filter_map(|row| Some((key_at(row.position)?, row.content))).collect())
}

fn identity(key: &EventKey) -> Value {
    json!([key.product.as_str(), key.tenant.as_str(), key.id.as_str()])
}

/// The columns that change.
struct Columns {
    state: &'static str,
    counted: i64,
    held_for: Option<&'static str>,
    held_until: Option<i64>,
    event: String,
}

impl Columns {
    fn of(event: &UsageEvent) -> Result<Self, StoreError> {
        let (held_for, held_until) = match event.state {
            EventState::Held { reason, until } => (Some(held_word(reason)), Some(until.as_micros())),
            EventState::Counted { .. } | EventState::Lost { .. } => (None, None),
        };
        Ok(Self {
            state: event.state.word(),
            counted: event.counted.parts(),
            held_for,
            held_until,
            event: encode(event)?,
        })
    }
}

/// The word under which the reason is stored.
fn held_word(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::BeforeActivation => "before_activation",
        HeldReason::Late => "late",
    }
}

/// All columns.
fn inserted(event: &UsageEvent) -> Result<Value, StoreError> {
    let Columns { state, counted, held_for, held_until, event: text } = Columns::of(event)?;
    Ok(json!([
        event.key.product.as_str(),
        event.key.tenant.as_str(),
        event.key.id.as_str(),
        event.subscription.to_string(),
        event.api_name.as_str(),
        Hour::of(event.occurred_at).number(),
        state,
        counted,
        held_for,
        held_until,
        event.received_at.as_micros(),
        event.content(),
        text,
    ]))
}

/// Writes what became of events.
pub(super) async fn update(
    connection: &mut SqliteConnection,
    events: &[UsageEvent],
) -> Result<(), StoreError> {
    let events = rows(events.iter().map(changed).collect::<Result<Vec<_>, _>>()?)?;
    sqlx::query!(
        r#"
        UPDATE usage_events
        SET state = new.value ->> 3, counted = new.value ->> 4, held_for = new.value ->> 5,
            held_until = new.value ->> 6, event = new.value ->> 7
        FROM json_each($1) AS new
        WHERE product = new.value ->> 0 AND tenant = new.value ->> 1 AND usage_events.id = new.value ->> 2
        "#,
        events,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(store_error)
}

fn changed(event: &UsageEvent) -> Result<Value, StoreError> {
    let Columns { state, counted, held_for, held_until, event: text } = Columns::of(event)?;
    Ok(json!([
        event.key.product.as_str(),
        event.key.tenant.as_str(),
        event.key.id.as_str(),
        state,
        counted,
        held_for,
        held_until,
        text,
    ]))
}

/// Stored events, in the order of the keys; those that are not there are left out.
pub(super) async fn by_keys(
    connection: &mut SqliteConnection,
    keys: &[EventKey],
) -> Result<Vec<UsageEvent>, StoreError> {
    let wanted = rows(keys.iter().map(identity))?;
    let stored = sqlx::query!(
        r#"
        SELECT number AS "number!", event FROM json_each($1) AS wanted
        CROSS JOIN usage_events
        WHERE product = wanted.value ->> 0 AND tenant = wanted.value ->> 1
            AND usage_events.id = wanted.value ->> 2
        ORDER BY wanted.key
        "#,
        wanted,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    stored.into_iter().map(|row| read(row.number, &row.event)).collect()
}

/// The first held events of each subscription that has some.
pub(super) async fn held_of(
    connection: &mut SqliteConnection,
    subscriptions: &[SubscriptionKey],
    limit: u32,
) -> Result<Vec<HeldOf>, StoreError> {
    let wanted = rows(subscriptions.iter().map(|key| json!(key.to_string())))?;
    // One more tells whether there are more.
    let one_more = i64::from(limit) + 1;
    let stored = sqlx::query!(
        r#"
        SELECT CAST(wanted.key AS INTEGER) AS "position!: i64", number AS "number!", event FROM json_each($1) AS wanted
        CROSS JOIN usage_events
        WHERE number IN (
            SELECT number FROM usage_events
            WHERE subscription = wanted.value AND state = 'held' ORDER BY held_until, number LIMIT $2
        )
        ORDER BY wanted.key, held_until, number
        "#,
        wanted,
        one_more,
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let mut of_each: Vec<Held> = vec![Held::default(); subscriptions.len()];
    for row in stored {
        let Some(held) = usize::try_from(row.position).ok().and_then(|at| of_each.get_mut(at)) else {
            continue;
        };
        if held.events.len() < limit as usize {
            held.events.push(read(row.number, &row.event)?);
        } else {
            held.rest = Rest::More;
        }
    }
    let has_some = |(_, held): &HeldOf| !held.events.is_empty();
    Ok(subscriptions.iter().cloned().zip(of_each).filter(has_some).collect())
}
