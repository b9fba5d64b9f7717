//! Who may call the API.

use axum::body::Body;
use axum::http::{Method, Request, header};
use stallkeeper_web::{ApiToken, ApiTokens, Scope, TokenError, TokenSecret};

use crate::openapi::{call, operations};
use crate::stage::{READER, Stage, WRITER, WRITES, bearing};

fn token(name: &str, token: &str) -> ApiToken {
    ApiToken { name: name.to_owned(), token: token.to_owned().into(), scopes: [Scope::UsageWrite].into() }
}

#[tokio::test]
async fn without_a_configured_token_every_call_is_refused_and_told_so() {
    let stage = Stage::with_tokens(&ApiTokens::default());
    for (method, path, _) in operations() {
        let answer = stage.send(call(&method, &path, WRITER)).await;
        assert!(answer.problem(401, "unauthorized").contains("no API token is configured"));
    }
}

#[tokio::test]
async fn a_missing_or_wrong_token_is_a_401_on_every_route() {
    let stage = Stage::new();
    for (method, path, _) in operations() {
        for wrong in ["", "Bearer", "Bearer ", "Bearer writer-0123456789abcdeg", "Basic d3JpdGVyOg==", WRITER]
        {
            let request =
                Request::builder().method(method.clone()).uri(&path).header(header::AUTHORIZATION, wrong);
            let answer = stage.send(request.body(Body::from("no json")).unwrap()).await;
            answer.problem(401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let answer =
            stage.send(Request::builder().method(method).uri(&path).body(Body::empty()).unwrap()).await;
        answer.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_revoked_token_is_a_401() {
    let stage = Stage::with_tokens(&ApiTokens::new([token("new", "another-0123456789abcdef")]).unwrap());
    stage.send(call(&Method::POST, "/v1/usage", WRITER)).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn two_tokens_of_one_scope_are_valid_side_by_side_until_the_old_one_is_taken_away() {
    let (old, new) = (token("app", WRITER), token("app-2", "another-0123456789abcdef"));
    let both = Stage::with_tokens(&ApiTokens::new([old, new.clone()]).unwrap());
    for bearer in [WRITER, "another-0123456789abcdef"] {
        assert_ne!(both.send(call(&Method::POST, "/v1/usage", bearer)).await.status, 401);
    }
    let after = Stage::with_tokens(&ApiTokens::new([new]).unwrap());
    after.send(call(&Method::POST, "/v1/usage", WRITER)).await.problem(401, "unauthorized");
    assert_ne!(after.send(call(&Method::POST, "/v1/usage", "another-0123456789abcdef")).await.status, 401);
}

/// What `printf %s writer-0123456789abcdef | sha256sum` prints.
const DIGEST: &str = "feb10ad87281934dcaf9fc17d29a365ae7b36b1596b34e2a1fff6f02a66b65dc";

#[tokio::test]
async fn a_token_of_which_only_the_digest_is_configured_opens_the_api() {
    let hashed = ApiToken { token: DIGEST.parse().unwrap(), ..token("app", "") };
    let stage = Stage::with_tokens(&ApiTokens::new([hashed]).unwrap());
    assert_ne!(stage.send(call(&Method::POST, "/v1/usage", WRITER)).await.status, 401);
    // The digest itself opens nothing.
    stage.send(call(&Method::POST, "/v1/usage", DIGEST)).await.problem(401, "unauthorized");
}

#[test]
fn a_digest_is_64_hexadecimal_digits() {
    assert_eq!(
        DIGEST.parse::<TokenSecret>().unwrap().digest(),
        TokenSecret::from(WRITER.to_owned()).digest()
    );
    assert_eq!(DIGEST.to_uppercase().parse::<TokenSecret>().unwrap().digest()[0], 0xfe);
    for wrong in ["", "ab", &DIGEST[1..], &format!("{DIGEST}00"), &DIGEST.replace('a', "g")] {
        assert!(wrong.parse::<TokenSecret>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_token_does_only_what_its_scopes_allow() {
    let stage = Stage::new();
    for (method, path, scope) in operations() {
        let (allowed, other) = if WRITES.contains(&scope) { (WRITER, READER) } else { (READER, WRITER) };
        let refused = stage.send(call(&method, &path, other)).await;
        assert!(refused.problem(403, "out-of-scope").contains(scope.as_str()), "{method} {path}");
        assert!(refused.header("www-authenticate").contains("insufficient_scope"));
        let status = stage.send(call(&method, &path, allowed)).await.status.as_u16();
        assert!(![401, 403].contains(&status), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn the_scheme_is_told_in_any_case() {
    let request = Request::get("/v1/windows").header(header::AUTHORIZATION, format!("bearer {READER}"));
    assert_eq!(Stage::new().send(request.body(Body::empty()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_body_is_not_read_before_the_token_is_known() {
    let request = bearing(Request::post("/v1/usage"), "wrong-0123456789abcdef");
    let large = Body::from(vec![b' '; 2 << 20]);
    Stage::new().send(request.body(large).unwrap()).await.problem(401, "unauthorized");
}

#[test]
fn tokens_that_can_be_guessed_sent_by_nobody_or_mistaken_are_refused() {
    let refused = |tokens: Vec<ApiToken>| ApiTokens::new(tokens).unwrap_err();
    assert_eq!(refused(vec![token("a", "short")]), TokenError::Short { name: "a".into() });
    assert_eq!(
        refused(vec![token("a", "with a blank in the middle")]),
        TokenError::Characters { name: "a".into() }
    );
    assert_eq!(
        refused(vec![token("a", WRITER), token("b", WRITER)]),
        TokenError::Same { first: "a".into(), second: "b".into() }
    );
    let hashed = ApiToken { token: DIGEST.parse().unwrap(), ..token("b", "") };
    let same = TokenError::Same { first: "a".into(), second: "b".into() };
    assert_eq!(refused(vec![token("a", WRITER), hashed]), same);
}

#[test]
fn tokens_are_never_printed() {
    let tokens = [token("app", WRITER)];
    assert!(!format!("{tokens:?}").contains(WRITER));
    let printed = format!("{:?}", ApiTokens::new(tokens).unwrap());
    assert!(printed.contains("app") && !printed.contains(WRITER), "{printed}");
}

#[test]
fn scopes_are_named_as_they_are_configured() {
    for scope in Scope::ALL {
        assert_eq!(scope.as_str().parse(), Ok(scope));
    }
    assert!("usage:admin".parse::<Scope>().unwrap_err().to_string().contains("usage:write, usage:read"));
}
