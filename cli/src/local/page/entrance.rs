//! Middleware for every request: applies the checks of [`guard`](super::guard), and adds security headers.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, LOCATION, REFERRER_POLICY, SET_COOKIE,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Deserialize;

use super::{
    guard::{AccessDenied, COOKIE, Guard, is_from_other_site},
    texts, view,
};
use crate::local::response::error;

/// The form that submits the token.
#[derive(Deserialize)]
pub struct TokenForm {
    token: String,
}

/// Security headers of every response: the page loads nothing from other origins, cannot be framed, and is isolated from
/// windows of other origins.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With `no-referrer`, browsers would send `Origin: null` for the page's own forms.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses requests that a browser sends for a page of another origin. Such a page could not read the response, but could
/// measure its duration, and so learn what the stored deliveries contain.
pub async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if is_from_other_site(request.method(), request.uri(), request.headers()) {
        return denied(AccessDenied::OtherSite);
    }
    next.run(request).await
}

/// Passes on requests that may see the page, and responds to others with the token form or 403.
pub async fn require_access(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut why = guard.denied(request.headers());
    if request.version() == Version::HTTP_10 && matches!(*guard, Guard::Loopback) {
        // Some proxies use HTTP/1.0; no browser does.
        why = Some(AccessDenied::Forwarded);
    }
    match why {
        None => next.run(request).await,
        Some(AccessDenied::NoToken) => {
            let query = request.uri().query().unwrap_or_default();
            match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token") {
                Some((_, given)) if request.method() == Method::GET => {
                    set_token_cookie(&guard, &given, request.headers())
                }
                _ => view::token(texts::wanted(request.headers()), false),
            }
        }
        Some(why) => denied(why),
    }
}

/// Adds `HEADERS` to a response.
pub async fn add_security_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Copies the host of the URL (HTTP/2, or HTTP/1.1 with an absolute URL) to the header `Host`, and refuses a request that
/// names two different hosts. The page, and signatures that cover the URL, use the header `Host`.
pub async fn require_one_host(mut request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(authority)) = authority {
        let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
        if hosts.iter().any(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())) {
            return error(
                StatusCode::BAD_REQUEST,
                "the Host header and the URL name different hosts; send the same host in both",
            );
        }
        request.headers_mut().insert(HOST, authority);
    }
    next.run(request).await
}

/// `POST /token`: the only route of the page that does not require the token.
pub async fn submit_token(
    State(guard): State<Arc<Guard>>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Response {
    match guard.denied(&headers) {
        None | Some(AccessDenied::NoToken) => {}
        Some(why) => return denied(why),
    }
    set_token_cookie(&guard, &form.token, &headers)
}

/// Sets the cookie if the token is correct, and redirects to the page without the token in its URL.
fn set_token_cookie(guard: &Guard, given: &str, headers: &HeaderMap) -> Response {
    if !guard.accepts(given) {
        return view::token(texts::wanted(headers), true);
    }
    let cookie = format!("{COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/");
    let headers = [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn denied(why: AccessDenied) -> Response {
    error(StatusCode::FORBIDDEN, why.explanation())
}
