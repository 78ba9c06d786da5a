//! Who may use the admin side: those who bear its token, under a name of this machine, and no page of another site.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, HOST, HeaderName, ORIGIN, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::token::AdminToken;
use super::views::AdminRefusal;
use crate::config::AdminConfig;
use crate::http::HttpPeer;
use crate::transport::{host_of, is_this_machine};

/// The rules by which a request is let in.
#[derive(Debug)]
pub(super) struct Gate {
    token: AdminToken,
    hosts: Vec<String>,
}

impl Gate {
    pub(super) fn new(token: AdminToken, config: &AdminConfig) -> Self {
        Gate { token, hosts: config.hosts.0.clone() }
    }

    /// Why a request with these headers is not let in.
    fn refusal(&self, headers: &HeaderMap) -> Option<AdminRefusal> {
        let refuse = |status, code, text: &str| Some(AdminRefusal::new(status, code, text));
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let (Some(host), None) = (host, hosts.next()) else {
            return refuse(StatusCode::BAD_REQUEST, "HostInvalid", "a request names one host");
        };
        let name = host_of(host);
        let is_known = is_this_machine(name)
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !is_known {
            let text = "this name is not one of the admin side; add it to admin.hosts";
            return refuse(StatusCode::MISDIRECTED_REQUEST, "HostUnknown", text);
        }
        if headers.get(ORIGIN).is_some_and(|origin| !is_origin_of(origin, host)) {
            let text = "pages of other sites may not use the admin side";
            return refuse(StatusCode::FORBIDDEN, "OriginRefused", text);
        }
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let bearer = given.next().and_then(|value| bearer_of(value.to_str().ok()?));
        match (bearer, given.next()) {
            (Some(bearer), None) if self.token.is(bearer) => None,
            (None, None) => {
                let text = "give the token: Authorization: Bearer TOKEN";
                refuse(StatusCode::UNAUTHORIZED, "TokenMissing", text)
            }
            _ => refuse(StatusCode::UNAUTHORIZED, "TokenInvalid", "this is not the admin token"),
        }
    }
}

/// The token of `Bearer TOKEN`; the word may be in any case (RFC 9110, section 11.1).
fn bearer_of(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_origin_of(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// Lets a request in, or answers why not.
pub(super) async fn pass(
    State(gate): State<Arc<Gate>>,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match gate.refusal(request.headers()) {
        None => next.run(request).await,
        Some(refusal) => {
            tracing::warn!(%peer, code = refusal.code, "the admin side refused a request");
            let mut response = refusal.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let bearer = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            }
            response
        }
    };
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn refused(headers: &[(HeaderName, &str)]) -> Option<&'static str> {
        let config = AdminConfig {
            hosts: crate::config::List(vec!["ops.example".to_owned()]),
            ..AdminConfig::default()
        };
        let gate = Gate::new(AdminToken::parse(TOKEN).unwrap(), &config);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), value.parse().unwrap());
        }
        gate.refusal(&map).map(|refusal| refusal.code)
    }

    #[test]
    fn nobody_is_let_in_but_with_the_token_under_a_known_name() {
        let bearer = format!("Bearer {TOKEN}");
        let (good, host) = ((AUTHORIZATION, &*bearer), (HOST, "localhost:4434"));
        assert_eq!(refused(&[host.clone(), good.clone()]), None);
        for known in ["127.0.0.1:4434", "[::1]:4434", "OPS.example", "ops.example:80"] {
            assert_eq!(refused(&[(HOST, known), good.clone()]), None, "{known}");
        }
        for unknown in ["evil.example", "ops.example.evil", "10.0.0.1:4434", ""] {
            assert_eq!(refused(&[(HOST, unknown), good.clone()]), Some("HostUnknown"), "{unknown}");
        }
        assert_eq!(refused(std::slice::from_ref(&good)), Some("HostInvalid"));
        assert_eq!(refused(&[host.clone(), host.clone(), good.clone()]), Some("HostInvalid"));
        assert_eq!(refused(std::slice::from_ref(&host)), Some("TokenMissing"));
        let lower = format!("bearer {TOKEN}");
        assert_eq!(refused(&[host.clone(), (AUTHORIZATION, &lower)]), None);
        for wrong in [
            "Bearer ",
            "Bearer",
            "Bearer x",
            &bearer[..bearer.len() - 1],
            &format!("Basic {TOKEN}"),
        ] {
            let code = refused(&[host.clone(), (AUTHORIZATION, wrong)]);
            assert!(matches!(code, Some("TokenInvalid" | "TokenMissing")), "{wrong}: {code:?}");
        }
        let twice = [host.clone(), good.clone(), good.clone()];
        assert_eq!(refused(&twice), Some("TokenInvalid"));
    }

    #[test]
    fn pages_of_other_sites_are_refused_also_with_the_token() {
        let bearer = format!("Bearer {TOKEN}");
        let of = |origin| {
            refused(&[(HOST, "localhost:4434"), (AUTHORIZATION, &bearer), (ORIGIN, origin)])
        };
        assert_eq!(of("http://localhost:4434"), None);
        for other in ["http://localhost:4433", "https://evil.example", "null", "localhost:4434"] {
            assert_eq!(of(other), Some("OriginRefused"), "{other}");
        }
    }
}
