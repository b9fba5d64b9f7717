use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use stallkeeper_runtime::{hex, sha256};

const STYLESHEET: &str = include_str!("../../assets/console.css");
const SCRIPT: &str = include_str!("../../assets/console.js");

/// Pages name an asset with its version, so it may be kept for good.
const KEPT: &str = "public, max-age=31536000, immutable";

/// What tells these assets from those of another version.
pub(super) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let both = [STYLESHEET, SCRIPT].concat();
        hex(&sha256(both.as_bytes())).chars().take(12).collect()
    })
}

pub(super) async fn stylesheet() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, KEPT)], STYLESHEET)
}

pub(super) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, KEPT)], SCRIPT)
}
