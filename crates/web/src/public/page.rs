use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::language::Spoken;
use super::words::{Labels, Text};
use super::{Hall, Seller};

/// A page for buyers.
#[derive(Template)]
#[template(path = "public/page.html")]
struct Page<'a> {
    spoken: Spoken,
    labels: &'static Labels,
    seller: &'a Seller,
    body: Body<'a>,
}

/// What is between a page's head and foot.
pub(super) struct Body<'a> {
    pub(super) text: Text,
    /// What tells programs and the page's script where it stands.
    pub(super) stage: &'a str,
    /// Whether it changes without the buyer's doing.
    pub(super) is_waiting: bool,
    /// What the buyer is asked to do.
    pub(super) ask: Ask<'a>,
    /// Where he can go.
    pub(super) links: Vec<Link>,
}

/// What a buyer is asked to do.
pub(super) enum Ask<'a> {
    /// Nothing.
    Nothing,
    /// To say who he is.
    Details(Form<'a>),
    /// To go on to the seller's own pages, at this host.
    GoOn { path: String, host: String },
}

/// The form of a visit.
pub(super) struct Form<'a> {
    pub(super) path: String,
    pub(super) fields: Vec<Field<'a>>,
}

impl Form<'_> {
    fn has_mistakes(&self) -> bool {
        self.fields.iter().any(|field| field.mistake.is_some())
    }
}

/// One field of it.
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: &'static str,
    pub(super) autocomplete: &'static str,
    pub(super) written: &'a str,
    pub(super) mistake: Option<&'static str>,
}

/// Somewhere to go.
pub(super) struct Link {
    pub(super) words: String,
    pub(super) url: String,
    pub(super) is_main: bool,
}

impl Seller {
    /// Where buyers' questions go.
    fn support_url(&self) -> Option<String> {
        let support = self.support.as_deref()?;
        Some(if support.contains("://") { support.to_owned() } else { format!("mailto:{support}") })
    }
}

/// A page with a status.
pub(super) fn page(hall: &Hall, spoken: Spoken, status: StatusCode, body: Body<'_>) -> Response {
    let page = Page { spoken, labels: spoken.language.labels(), seller: &hall.seller, body };
    match page.render() {
        Ok(html) => {
            let mut response = (status, Html(html)).into_response();
            let language = HeaderValue::from_static(spoken.language.tag());
            response.headers_mut().insert(header::CONTENT_LANGUAGE, language);
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown.\n").into_response()
        }
    }
}
