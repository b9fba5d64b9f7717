use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::Response;

use crate::control::Control;
use crate::control::error::ControlError;

/// Keeps web pages out: those of other sites say so, and those whose own name was made to point here do not
/// name this machine.
pub(crate) async fn refuse_sites(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, ControlError> {
    let headers = request.headers();
    let host = text(headers, &HOST);
    if control.is_loopback && !host.is_some_and(names_this_machine) {
        let words = "while it listens on loopback, the simulator answers to an IP address or localhost only; \
                     send such a Host";
        return Err(ControlError::forbidden(words.to_owned()));
    }
    if headers.contains_key(&ORIGIN) && !text(headers, &ORIGIN).is_some_and(|origin| is_own(origin, host)) {
        let words = "the control API is not for pages of other sites; call it without an Origin";
        return Err(ControlError::forbidden(words.to_owned()));
    }
    Ok(next.run(request).await)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn names_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

fn is_own(origin: &str, host: Option<&str>) -> bool {
    let site = origin.split_once("://").map(|(_, site)| site);
    site.zip(host).is_some_and(|(site, host)| site.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_name_this_machine() {
        for host in ["127.0.0.1:4560", "127.0.0.1", "[::1]:4560", "localhost:4560", "LOCALHOST"] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in ["rebound.example:4560", "localhost.example", "127.0.0.1.example", "", "a b"] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
