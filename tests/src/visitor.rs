//! A buyer's browser, as far as a form, a cookie and a redirect go.

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};

use url::form_urlencoded;

use crate::Worker;

/// A browser that was sent to the seller's page by a marketplace.
#[derive(Clone, Debug)]
pub struct Visitor {
    http: Client,
    url: String,
    /// The address of his page; empty before he has one.
    page: String,
    /// What his browser shows for it.
    cookie: String,
}

/// What a browser is answered.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The page.
    pub html: String,
}

impl Visitor {
    /// A fresh browser.
    pub fn new(worker: &Worker) -> Self {
        let http =
            Client::builder().no_proxy().redirect(Policy::none()).build().expect("cannot make a client");
        Self { http, url: worker.public_url(), page: String::new(), cookie: String::new() }
    }

    /// Sends the marketplace's form with a token; on success, its page and cookie are this browser's from now on.
    pub async fn register(&mut self, marketplace: &str, token: &str) -> Shown {
        let token: String = url_encoded(token);
        let form =
            format!("x-amzn-marketplace-token={token}&x-amzn-marketplace-offer-type=free-trial&unheard-of=1");
        let shown = self.send(Method::POST, &format!("/register/{marketplace}"), Some(form)).await;
        if shown.status == 303 {
            self.page = shown.header(LOCATION.as_str());
            let cookie = shown.header(SET_COOKIE.as_str());
            self.cookie = cookie.split_once(';').map_or(cookie.clone(), |(pair, _)| pair.to_owned());
        }
        shown
    }

    /// His page as it is now.
    pub async fn look(&self) -> Shown {
        self.send(Method::GET, &self.page, None).await
    }

    /// The stage that his page shows.
    pub async fn stage(&self) -> String {
        let shown = self.look().await;
        assert_eq!(shown.status, 200, "{}", shown.html);
        shown.stage()
    }

    /// Says who he is.
    pub async fn submit(&self, company: &str, contact: &str, email: &str) -> Shown {
        let [company, contact, email] = [company, contact, email].map(url_encoded);
        let form = format!("company={company}&contact={contact}&email={email}");
        self.send(Method::POST, &self.page, Some(form)).await
    }

    /// Goes on to the seller's own pages; answers where to.
    pub async fn hand_off(&self) -> Shown {
        self.send(Method::POST, &format!("{}/hand-off", self.page), Some(String::new())).await
    }

    /// Another browser, which somebody gave the page's address, but not its cookie.
    #[must_use]
    pub fn planted(&self) -> Self {
        Self { cookie: String::new(), ..self.clone() }
    }

    /// Another browser with a cookie of its own for the page's address.
    #[must_use]
    pub fn with_cookie_of(&self, other: &Self) -> Self {
        Self { cookie: other.cookie.clone(), ..self.clone() }
    }

    /// Any call of the public address.
    pub async fn send(&self, method: Method, path: &str, form: Option<String>) -> Shown {
        let mut call = self.http.request(method, format!("{}{path}", self.url));
        if !self.cookie.is_empty() {
            call = call.header(COOKIE, &self.cookie);
        }
        if let Some(form) = form {
            call = call.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let answer = call.send().await.expect("the public address does not answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Shown { status, headers, html: answer.text().await.expect("the answer breaks off") }
    }
}

impl Shown {
    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// The stage that the page names.
    pub fn stage(&self) -> String {
        let stage = self.html.split_once("data-stage=\"").and_then(|(_, rest)| rest.split_once('"'));
        stage.unwrap_or_else(|| panic!("no stage in {}", self.html)).0.to_owned()
    }

    /// The page's heading.
    pub fn title(&self) -> String {
        let title = self.html.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
        title.unwrap_or_else(|| panic!("no heading in {}", self.html)).0.to_owned()
    }
}

fn url_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
