use axum::http::{HeaderMap, header};

use super::jwt::JwtError;
use super::{Access, Desk, Operator};

/// The cookie's name where the connection is private: browsers take it from this very host over HTTPS only.
const COOKIE_HTTPS: &str = "__Host-stallkeeper-console";
const COOKIE: &str = "stallkeeper-console";

/// Somebody who may use the console.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) operator: Operator,
    /// What tells his forms and messages from those of others; secret for a session.
    pub(super) id: String,
    pub(super) way: Way,
}

/// How a visitor is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the cookie of his session.
    Session,
    /// By the word of the seller's proxy.
    Proxy,
}

/// Why somebody is not let in.
#[derive(Debug)]
pub(super) enum Stranger {
    /// He is not signed in, or no longer.
    SignedOut,
    /// Only the proxy can let him in, and he does not come through it.
    NotByProxy,
    /// What the proxy says is not to be believed.
    Unbelieved(JwtError),
}

impl Desk {
    /// Who sends these headers.
    pub(super) fn who(&self, headers: &HeaderMap) -> Result<Visitor, Stranger> {
        if let Some(jwt) = &self.access.jwt {
            let mut tokens = headers.get_all(&jwt.header).iter();
            match (tokens.next(), tokens.next()) {
                (None, _) => {}
                (Some(token), None) => {
                    let token = token.to_str().map_err(|_| Stranger::Unbelieved(JwtError::Signature))?;
                    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
                    let operator = jwt.verify(token, self.api.now()).map_err(Stranger::Unbelieved)?;
                    let id = format!("proxy {}", operator.name());
                    return Ok(Visitor { operator, id, way: Way::Proxy });
                }
                // Which of them the proxy wrote, nobody can tell.
                (Some(_), Some(_)) => return Err(Stranger::Unbelieved(JwtError::Signature)),
            }
        }
        if self.access.operators.is_empty() {
            return Err(Stranger::NotByProxy);
        }
        let id = self.access.cookie_of(headers).ok_or(Stranger::SignedOut)?;
        let operator = self.sessions.find(id).ok_or(Stranger::SignedOut)?;
        Ok(Visitor { operator, id: id.to_owned(), way: Way::Session })
    }
}

impl Access {
    /// Whether nobody at all may use the console.
    pub(super) fn is_closed(&self) -> bool {
        self.operators.is_empty() && self.jwt.is_none()
    }

    /// The text of the session's cookie, where one is sent.
    pub(super) fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = if self.is_https { COOKIE_HTTPS } else { COOKIE };
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, text)| text).next()
    }

    /// The header that sets the session's cookie, or with an empty text takes it away.
    pub(super) fn set_cookie(&self, text: &str) -> String {
        let ends = if text.is_empty() { "; Max-Age=0" } else { "" };
        if self.is_https {
            format!("{COOKIE_HTTPS}={text}; Path=/; Secure; HttpOnly; SameSite=Strict{ends}")
        } else {
            format!("{COOKIE}={text}; Path=/console; HttpOnly; SameSite=Strict{ends}")
        }
    }
}

/// Whether a browser says that another site sends this.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}
