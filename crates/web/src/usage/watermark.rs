use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::json;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{Watermark, WatermarkError};

use super::post::unread;
use crate::UsageApi;
use crate::openapi::{Doc, Id, Moment, Name};
use crate::problem_document::ProblemDocument;

/// Up to when usage is complete.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Watermark")]
struct Body {
    #[schemars(with = "Name")]
    product: String,
    /// Left out, it is so of all tenants.
    #[schemars(with = "Option<Id>")]
    tenant: Option<String>,
    /// Which of the product's sources says so.
    #[schemars(with = "Name")]
    source: String,
    /// All usage before this time has been reported.
    #[schemars(with = "Moment")]
    complete_through: String,
}

pub(super) fn watermark_doc() -> Doc {
    let example = json!({ "product": "p", "source": "app", "complete_through": "2026-11-26T12:00:00Z" });
    Doc::new("completeUsage", "Say up to when usage is complete")
        .detail(
            "Hours close as soon as every source of the product has said so; without a word they close after the \
             settle delay. A watermark that is not later than the one before changes nothing.",
        )
        .body::<Body>("application/json", example)
        .empty(StatusCode::NO_CONTENT, "It is stored.")
        .problem(StatusCode::NOT_FOUND, "not-found", "There is no such product or tenant.")
        .problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable",
            "A field is missing or wrong, the product has no such source, or the time lies in the future.",
        )
}

pub(super) async fn put_watermark(
    State(api): State<Arc<dyn UsageApi>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ProblemDocument> {
    let body = body.map_err(|rejection| unread(&rejection))?;
    api.put_watermark(&read(&body)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(body: &[u8]) -> Result<Watermark, ProblemDocument> {
    let body: Body = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => ProblemDocument::unprocessable(error.to_string()),
        Category::Io | Category::Syntax | Category::Eof => {
            ProblemDocument::bad_request(format!("not JSON: {error}"))
        }
    })?;
    let complete_through: Result<Timestamp, _> = body.complete_through.parse();
    Ok(Watermark {
        product: body.product.parse().map_err(|error| wrong("product", error))?,
        tenant: body
            .tenant
            .map(|tenant| tenant.parse())
            .transpose()
            .map_err(|error| wrong("tenant", error))?,
        source: body.source.parse().map_err(|error| wrong("source", error))?,
        complete_through: complete_through.map_err(|error| wrong("complete_through", error))?,
    })
}

fn wrong(field: &str, error: impl std::error::Error) -> ProblemDocument {
    ProblemDocument::unprocessable(format!("{field}: {error}"))
}

impl From<WatermarkError> for ProblemDocument {
    fn from(error: WatermarkError) -> Self {
        match error {
            WatermarkError::UnknownProduct(_) | WatermarkError::UnknownTenant(_) => {
                Self::not_found(error.to_string())
            }
            WatermarkError::UnknownSource(_) | WatermarkError::Future => {
                Self::unprocessable(error.to_string())
            }
            WatermarkError::Store(error) => Self::of_store(&error),
        }
    }
}
