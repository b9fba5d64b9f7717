use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::error::Category;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{Watermark, WatermarkError};

use super::post::unread;
use crate::UsageApi;
use crate::problem_document::ProblemDocument;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    product: String,
    tenant: Option<String>,
    source: String,
    complete_through: String,
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
