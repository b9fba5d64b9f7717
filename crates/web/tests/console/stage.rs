//! A browser that keeps its cookie, in front of the console's routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use stallkeeper_runtime::SystemEntropy;
use stallkeeper_web::console::{
    Access, Console, NoDeliveries, Operator, OperatorToken, Operators, console_routes,
};
use tower::ServiceExt;

use crate::fake::FakeWorker;

pub(crate) const TOKEN: &str = "mias-very-long-token";

pub(crate) struct Browser {
    routes: Router,
    cookie: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn mia_only() -> Access {
    let token = OperatorToken { operator: Operator::new("mia").unwrap(), token: TOKEN.to_owned().into() };
    Access { operators: Operators::new([token]).unwrap(), ..Access::default() }
}

impl Browser {
    pub(crate) fn before(worker: FakeWorker, access: Access) -> Self {
        let (api, deliveries, entropy) = (Arc::new(worker), Arc::new(NoDeliveries), Arc::new(SystemEntropy));
        let routes = console_routes(Console { api, deliveries, access, entropy }).unwrap();
        Self { routes, cookie: None }
    }

    /// One that mia has signed in with.
    pub(crate) async fn signed_in() -> Self {
        Self::signed_in_to(FakeWorker::default()).await
    }

    pub(crate) async fn signed_in_to(worker: FakeWorker) -> Self {
        let mut browser = Self::before(worker, mia_only());
        let answer = browser.sign_in(TOKEN).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        browser
    }

    pub(crate) async fn sign_in(&mut self, token: &str) -> Answer {
        self.post("/console/sign-in", &format!("token={token}"), &[]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), "", &[]).await
    }

    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Request::get(path), "", headers).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form, headers).await
    }

    /// Sends a form as one of the console's own pages would.
    pub(crate) async fn act(&mut self, path: &str, form: &str) -> Answer {
        let csrf = self.csrf().await;
        self.post(path, &format!("{form}&csrf={csrf}"), &[("sec-fetch-site", "same-origin")]).await
    }

    /// What the console's forms carry.
    pub(crate) async fn csrf(&mut self) -> String {
        let page = self.get("/console/jobs").await.body;
        let (_, rest) =
            page.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form: {page}"));
        rest.split('"').next().unwrap().to_owned()
    }

    async fn send(
        &mut self,
        request: axum::http::request::Builder,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        };
        let response =
            self.routes.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        if let Some(cookie) = parts.headers.get(header::SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}
