use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Details, DetailsError, StoreError, VisitId};
use stallkeeper_registration::{CodeError, Look, Stage, Way};
use stallkeeper_runtime::error_chain;
use time::OffsetDateTime;
use time::macros::format_description;
use url::form_urlencoded;

use super::arrive::trouble;
use super::language::Spoken;
use super::page::{Ask, Body, Field, Form, Link, page};
use super::words::{Subject, Trouble};
use super::{Hall, cookie};
use crate::console::is_foreign;

/// Whom a request is from: a visit, and what the browser shows for it.
type Guest = (VisitId, SecretString);

/// What a buyer wrote into the form.
#[derive(Default)]
struct Written {
    company: String,
    contact: String,
    email: String,
}

/// What a page's form looks like: what is written in it, and whether that was looked at.
enum Filled {
    Not,
    With(Written),
}

pub(super) async fn show(
    State(hall): State<Arc<Hall>>,
    spoken: Spoken,
    path: Result<Path<VisitId>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let Some((visit, browser)) = guest(&hall, path, &headers) else { return another_browser(&hall, spoken) };
    match hall.desk.look(&visit, &browser).await {
        Ok(Some(look)) => show_look(&hall, spoken, StatusCode::OK, &visit, &look, &Filled::Not),
        Ok(None) => another_browser(&hall, spoken),
        Err(error) => not_now(&hall, spoken, &error),
    }
}

/// What the buyer says of himself.
pub(super) async fn submit(
    State(hall): State<Arc<Hall>>,
    spoken: Spoken,
    path: Result<Path<VisitId>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some((visit, browser)) = guest(&hall, path, &headers) else { return another_browser(&hall, spoken) };
    if is_foreign(&headers) || *hall.desk.way() != Way::Hosted {
        return another_browser(&hall, spoken);
    }
    let written = body.map(|body| Written::read(&body)).unwrap_or_default();
    let Some(details) = written.details() else {
        return match hall.desk.look(&visit, &browser).await {
            Ok(Some(look)) => {
                let filled = Filled::With(written);
                show_look(&hall, spoken, StatusCode::UNPROCESSABLE_ENTITY, &visit, &look, &filled)
            }
            Ok(None) => another_browser(&hall, spoken),
            Err(error) => not_now(&hall, spoken, &error),
        };
    };
    match hall.desk.submit(&visit, &browser, &details).await {
        Ok(true) => Redirect::to(&format!("{}{}", cookie::path(&visit), spoken.query())).into_response(),
        Ok(false) => another_browser(&hall, spoken),
        Err(error) => not_now(&hall, spoken, &error),
    }
}

/// The buyer goes on to the seller's own pages.
pub(super) async fn hand_off(
    State(hall): State<Arc<Hall>>,
    spoken: Spoken,
    path: Result<Path<VisitId>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let Some((visit, browser)) = guest(&hall, path, &headers) else { return another_browser(&hall, spoken) };
    if is_foreign(&headers) {
        return another_browser(&hall, spoken);
    }
    match hall.desk.hand_off(&visit, &browser).await {
        Ok(url) => {
            let mut response = Redirect::to(url.as_str()).into_response();
            // The address carries a code.
            let none = HeaderValue::from_static("no-referrer");
            response.headers_mut().insert(header::REFERRER_POLICY, none);
            response
        }
        Err(CodeError::Unknown) => another_browser(&hall, spoken),
        Err(CodeError::Store(error)) => not_now(&hall, spoken, &error),
        Err(error @ CodeError::NoEntropy(_)) => {
            tracing::error!(%error, "a buyer could not be handed on");
            trouble(&hall, spoken, StatusCode::SERVICE_UNAVAILABLE, Trouble::NotNow, None)
        }
    }
}

pub(super) async fn not_found(State(hall): State<Arc<Hall>>, spoken: Spoken) -> Response {
    trouble(&hall, spoken, StatusCode::NOT_FOUND, Trouble::NoSuchPage, None)
}

fn guest(hall: &Hall, path: Result<Path<VisitId>, PathRejection>, headers: &HeaderMap) -> Option<Guest> {
    let Path(visit) = path.ok()?;
    Some((visit, cookie::of(headers, hall.is_https())?))
}

fn another_browser(hall: &Hall, spoken: Spoken) -> Response {
    trouble(hall, spoken, StatusCode::FORBIDDEN, Trouble::AnotherBrowser, None)
}

fn not_now(hall: &Hall, spoken: Spoken, error: &StoreError) -> Response {
    tracing::warn!(error = %error_chain(error), "a buyer's page cannot be shown");
    trouble(hall, spoken, StatusCode::SERVICE_UNAVAILABLE, Trouble::NotNow, None)
}

fn show_look(
    hall: &Hall,
    spoken: Spoken,
    status: StatusCode,
    visit: &VisitId,
    look: &Look,
    filled: &Filled,
) -> Response {
    let Look { stage, registration, listing } = look;
    let key = &registration.subscription;
    let entrance = hall.desk.entrance(&key.marketplace);
    let deadline = match stage {
        Stage::Ending(at) => minute(*at),
        _ => String::new(),
    };
    let subject = Subject {
        product: listing.as_ref().map_or(key.product.as_str(), |listing| listing.name.as_str()),
        marketplace: entrance.map_or(key.marketplace.as_str(), |entrance| entrance.name.as_str()),
        account: registration.account.as_ref().map_or(key.holder.id(), |account| account.as_str()),
        ready_within: hall.seller.ready_within.as_deref(),
        deadline: &deadline,
    };
    let text = spoken.language.stage(*stage, subject);
    let ask = match (stage, hall.desk.way()) {
        (Stage::Asked, Way::Hosted) => Ask::Details(form(spoken, visit, filled)),
        (Stage::Asked, Way::HandOff(url)) => Ask::GoOn {
            path: format!("{}/hand-off", cookie::path(visit)),
            host: url.host_str().unwrap_or_default().to_owned(),
        },
        _ => Ask::Nothing,
    };
    let links = links(hall, spoken, look, subject);
    let body = Body { text, stage: stage.as_str(), is_waiting: stage.is_waiting(), ask, links };
    page(hall, spoken, status, body)
}

fn links(hall: &Hall, spoken: Spoken, look: &Look, subject: Subject<'_>) -> Vec<Link> {
    let labels = spoken.language.labels();
    match look.stage {
        Stage::Active => {
            let app = hall.seller.app_url.as_ref();
            let link = |url: &url::Url| Link {
                words: format!("{} {}", labels.open_app, subject.product),
                url: url.to_string(),
                is_main: true,
            };
            app.map(link).into_iter().collect()
        }
        Stage::PaymentFailed | Stage::Suspended | Stage::Ending(_) | Stage::Ended => {
            let listing = look.listing.as_ref().and_then(|listing| listing.url.as_ref());
            let link = |url: &url::Url| Link {
                words: format!("{} {}", labels.to_listing, subject.marketplace),
                url: url.to_string(),
                is_main: true,
            };
            listing.map(link).into_iter().collect()
        }
        Stage::Asked | Stage::AwaitingSubscription | Stage::AwaitingTenant => Vec::new(),
    }
}

fn form<'a>(spoken: Spoken, visit: &VisitId, filled: &'a Filled) -> Form<'a> {
    let labels = spoken.language.labels();
    let field = |name, label, kind, autocomplete, of: fn(&Written) -> (&str, Option<DetailsError>)| {
        let (written, mistake) = match filled {
            Filled::Not => ("", None),
            Filled::With(written) => of(written),
        };
        let mistake = mistake.map(|error| spoken.language.mistake(error));
        Field { name, label, kind, autocomplete, written, mistake }
    };
    Form {
        path: format!("{}{}", cookie::path(visit), spoken.query()),
        fields: vec![
            field("company", labels.company, "text", "organization", |written| {
                (&written.company, mistake::<stallkeeper_persistence::Company>(&written.company))
            }),
            field("contact", labels.contact, "text", "name", |written| {
                (&written.contact, mistake::<stallkeeper_persistence::ContactName>(&written.contact))
            }),
            field("email", labels.email, "email", "email", |written| {
                (&written.email, mistake::<stallkeeper_persistence::Email>(&written.email))
            }),
        ],
    }
}

fn mistake<T: FromStr<Err = DetailsError>>(text: &str) -> Option<DetailsError> {
    text.parse::<T>().err()
}

impl Written {
    fn read(body: &[u8]) -> Self {
        let mut written = Self::default();
        for (name, text) in form_urlencoded::parse(body) {
            match &*name {
                "company" => written.company = text.into_owned(),
                "contact" => written.contact = text.into_owned(),
                "email" => written.email = text.into_owned(),
                _ => {}
            }
        }
        written
    }

    /// It, where nothing is wrong with it.
    fn details(&self) -> Option<Details> {
        Some(Details {
            company: self.company.parse().ok()?,
            contact: self.contact.parse().ok()?,
            email: self.email.parse().ok()?,
        })
    }
}

/// A moment in UTC as people read it, such as `2026-12-03 14:00`: the minute that it is in.
fn minute(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    let text = OffsetDateTime::try_from(at).ok().and_then(|time| time.format(format).ok());
    text.unwrap_or_else(|| at.to_string())
}
