use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, TenantId, Word};
use stallkeeper_persistence::{Page, StoreError, SubscriptionFilter, SubscriptionRecord};

use super::line::{HistoryLine, SubscriptionLine};
use super::{AccessApi, cursor, examples};
use crate::openapi::{Cursor, Doc, Id, Limit, ListingText, Name};
use crate::problem_document::ProblemDocument;
use crate::usage::{KeyParts, bounded, key_of, next_of, parameters};

const CURSOR: &str = "subscriptions";
const HISTORY_CURSOR: &str = "history";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionsQuery {
    /// Of this tenant. One of tenant, product, listing and word at a time.
    #[schemars(with = "Option<Id>")]
    tenant: Option<TenantId>,
    /// Of this product, by your key.
    #[schemars(with = "Option<Name>")]
    product: Option<ProductKey>,
    /// Of this listing, as marketplace/code.
    #[schemars(with = "Option<ListingText>")]
    listing: Option<String>,
    /// Whose last announced word is this.
    #[schemars(with = "Option<String>", extend("enum" = Word::ALL.map(Word::as_str)))]
    word: Option<Word>,
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Subscriptions")]
pub(super) struct SubscriptionsBody {
    subscriptions: Vec<SubscriptionLine>,
    /// The next part's cursor.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub(super) struct HistoryBody {
    subscription: String,
    history: Vec<HistoryLine>,
    /// The next part's cursor.
    next: Option<String>,
}

pub(super) fn subscriptions_doc() -> Doc {
    let example = json!({ "subscriptions": [examples::subscription()], "next": null });
    Doc::new("subscriptions", "Subscriptions in the order of their keys")
        .query::<SubscriptionsQuery>()
        .answer::<SubscriptionsBody>(StatusCode::OK, "A part of them.", example)
        .problem(StatusCode::NOT_FOUND, "not-found", "No product is called so.")
}

pub(super) fn subscription_doc() -> Doc {
    Doc::new("subscription", "One subscription as it looks now")
        .path::<KeyParts>()
        .answer::<SubscriptionLine>(StatusCode::OK, "The subscription.", examples::subscription())
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such subscription.")
}

pub(super) fn history_doc() -> Doc {
    let example = json!({
        "subscription": "aws/prod-1/customer/X01", "history": [examples::history_line()], "next": null,
    });
    Doc::new("history", "All that happened to a subscription, oldest first")
        .path::<KeyParts>()
        .query::<HistoryQuery>()
        .answer::<HistoryBody>(StatusCode::OK, "A part of its history.", example)
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such subscription.")
}

pub(super) async fn get_subscriptions(
    State(api): State<Arc<AccessApi>>,
    query: Result<Query<SubscriptionsQuery>, QueryRejection>,
) -> Result<Json<SubscriptionsBody>, ProblemDocument> {
    let query = parameters(query)?;
    let filters = filters(&api, &query)?;
    let after = query.cursor.as_deref().map(position).transpose()?;
    let limit = bounded(query.limit);
    let mut records = read(&api, &filters, after, limit + 1).await?;
    let next = next_of(&mut records, limit).map(|last| cursor::encode(CURSOR, &last.key.to_string()));
    let now = api.now();
    let subscriptions = records.iter().map(|record| SubscriptionLine::of(record, &api, now)).collect();
    Ok(Json(SubscriptionsBody { subscriptions, next }))
}

/// What is asked for; of a product with several listings one filter each, in the order of their keys.
fn filters(api: &AccessApi, query: &SubscriptionsQuery) -> Result<Vec<SubscriptionFilter>, ProblemDocument> {
    let SubscriptionsQuery { tenant, product, listing, word, .. } = query;
    Ok(match (tenant, product, listing, word) {
        (None, None, None, None) => vec![SubscriptionFilter::All],
        (Some(tenant), None, None, None) => vec![SubscriptionFilter::Tenant(tenant.clone())],
        (None, Some(product), None, None) => of_product(api, product)?,
        (None, None, Some(listing), None) => vec![of_listing(listing)?],
        (None, None, None, Some(word)) => vec![SubscriptionFilter::Word(*word)],
        _ => return Err(ProblemDocument::bad_request("one of tenant, product, listing and word at a time")),
    })
}

fn of_product(api: &AccessApi, product: &ProductKey) -> Result<Vec<SubscriptionFilter>, ProblemDocument> {
    let known = api.catalog.products().iter().find(|known| known.key == *product);
    let known = known.ok_or_else(|| ProblemDocument::not_found(format!("no product is called {product}")))?;
    let mut listings: Vec<(MarketplaceName, ProductCode)> =
        known.listings.iter().map(|listing| (listing.marketplace.clone(), listing.code.clone())).collect();
    // As their keys begin.
    listings.sort_by_key(|(marketplace, code)| format!("{marketplace}/{code}/"));
    Ok(listings
        .into_iter()
        .map(|(marketplace, code)| SubscriptionFilter::Listing(marketplace, code))
        .collect())
}

fn of_listing(listing: &str) -> Result<SubscriptionFilter, ProblemDocument> {
    let parsed = listing.split_once('/').and_then(|(marketplace, code)| {
        Some(SubscriptionFilter::Listing(marketplace.parse().ok()?, code.parse().ok()?))
    });
    parsed.ok_or_else(|| ProblemDocument::bad_request("listing: expected marketplace/code"))
}

async fn read(
    api: &AccessApi,
    filters: &[SubscriptionFilter],
    after: Option<SubscriptionKey>,
    limit: u32,
) -> Result<Vec<SubscriptionRecord>, StoreError> {
    let mut records = Vec::new();
    let mut left = limit;
    for filter in filters {
        if left == 0 {
            break;
        }
        // A listing whose keys all stand before the cursor has none to give.
        let part = api.store.subscriptions(filter, &Page { after: after.clone(), limit: left }).await?;
        left = left.saturating_sub(u32::try_from(part.len()).unwrap_or(u32::MAX));
        records.extend(part);
    }
    Ok(records)
}

fn position(cursor: &str) -> Result<SubscriptionKey, ProblemDocument> {
    cursor::decode(CURSOR, cursor)?.parse().map_err(|_| cursor::unknown())
}

pub(super) async fn get_subscription(
    State(api): State<Arc<AccessApi>>,
    path: Result<Path<KeyParts>, PathRejection>,
) -> Result<Json<SubscriptionLine>, ProblemDocument> {
    let record = known(&api, key_of(path)?).await?;
    Ok(Json(SubscriptionLine::of(&record, &api, api.now())))
}

pub(super) async fn get_history(
    State(api): State<Arc<AccessApi>>,
    path: Result<Path<KeyParts>, PathRejection>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<HistoryBody>, ProblemDocument> {
    let key = key_of(path)?;
    let HistoryQuery { cursor, limit } = parameters(query)?;
    let position = cursor.map(|cursor| cursor::decode(HISTORY_CURSOR, &cursor)).transpose()?;
    let after = position.map(|number| number.parse().map_err(|_| cursor::unknown())).transpose()?;
    let record = known(&api, key).await?;
    let limit = bounded(limit);
    let mut lines = api.store.history(&record.key, &Page { after, limit: limit + 1 }).await?;
    let next =
        next_of(&mut lines, limit).map(|last| cursor::encode(HISTORY_CURSOR, &last.number.to_string()));
    let history = lines.iter().map(HistoryLine::of).collect();
    Ok(Json(HistoryBody { subscription: record.key.to_string(), history, next }))
}

async fn known(api: &AccessApi, key: SubscriptionKey) -> Result<SubscriptionRecord, ProblemDocument> {
    let found = if key.is_agreement() { None } else { api.store.subscription(&key).await? };
    found.ok_or_else(|| ProblemDocument::not_found(format!("there is no subscription {key}")))
}
