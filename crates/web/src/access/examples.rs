//! What the routes' documentation shows; the tests hold it against the schemas.

use serde_json::{Value, json};

pub(super) fn entitlement() -> Value {
    with(in_a_list(), json!({ "as_of": "2026-11-26T12:30:00Z" }))
}

/// An object with further fields, or with others.
fn with(mut object: Value, fields: Value) -> Value {
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

pub(super) fn in_a_list() -> Value {
    json!({
        "tenant": "acme", "user": "111", "product": "p", "access": "full", "reason": "active",
        "dimensions": [{ "name": "seats", "quantity": "15", "expires_at": "2027-01-01T00:00:00Z" }],
        "plan": null, "trial": "no", "expires_at": null, "subscribe_url": null, "ending": null,
        "subscriptions": [{ "subscription": "aws/prod-1/customer/X01", "word": "active", "access": "full" }],
        "grants": [],
    })
}

pub(super) fn not_subscribed() -> Value {
    json!({
        "tenant": "acme", "user": "111", "product": "vault", "access": "none", "reason": "not_subscribed",
        "dimensions": [], "plan": null, "trial": null, "expires_at": null,
        "subscribe_url": "https://aws.amazon.com/marketplace/pp/prodview-example", "ending": null,
        "subscriptions": [], "grants": [],
    })
}

pub(super) fn grant() -> Value {
    json!({
        "id": "pilot-1", "tenant": "acme", "user": null, "product": "p", "until": "2027-01-01T00:00:00Z",
        "why": "pilot", "by": "operator:token app", "created_at": "2026-11-26T12:30:00Z", "revoked_at": null,
        "revoked_by": null,
    })
}

pub(super) fn revoked_grant() -> Value {
    with(grant(), json!({ "revoked_at": "2026-11-26T12:45:00Z", "revoked_by": "operator:token app" }))
}

pub(super) fn subscription() -> Value {
    let period = json!({
        "number": 1, "started_at": "2026-11-01T09:00:00Z", "entry": "new", "offer": null, "trial": "no",
        "plan": null, "expires_at": null,
    });
    json!({
        "key": "aws/prod-1/customer/X01", "marketplace": "aws", "product_code": "prod-1", "product": "p",
        "word": "active", "access": "full", "tenant": "acme", "user": null, "period": period, "since": null,
        "end": null, "deadline": null, "advisory_since": null, "agreement": null, "sequence": 2,
        "updated_at": "2026-11-26T12:30:00Z",
    })
}

pub(super) fn history_line() -> Value {
    json!({
        "number": 1, "happened_at": "2026-11-26T12:30:00Z", "received_at": "2026-11-26T12:30:00Z",
        "what": "subscribe-success", "outcome": "applied", "word": "active", "anomaly": null,
        "actor": "marketplace", "event": "m-1", "detail": {},
    })
}

pub(super) fn registration() -> Value {
    json!({
        "id": "5f0c3b7de2a14d0f9c1b8a7766554433", "subscription": "aws/prod-1/customer/X01",
        "marketplace": "aws", "product": "p", "account": "111122223333", "license_arn": null,
        "agreement": null, "tenant": null, "company": "Example Ltd", "contact": "A buyer",
        "email": "buyer@example.com", "submitted_at": "2026-11-26T12:30:00Z",
        "created_at": "2026-11-26T12:25:00Z", "ends_at": "2026-12-26T12:25:00Z",
    })
}

/// One registration with how its subscription looks.
pub(super) fn claim(tenant: Option<&str>) -> Value {
    let (word, access) = if tenant.is_some() { ("active", "full") } else { ("unclaimed", "none") };
    with(registration(), json!({ "tenant": tenant, "word": word, "access": access }))
}
