//! Required headers of requests, and headers of every answer.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::set_header::SetResponseHeaderLayer;

/// Applies the rules of this file to every route.
pub(super) fn around(router: Router, page_policy: HeaderValue) -> Router {
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        // Keeps other sites from embedding the page's files and facts.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let mut router = router
        .layer(middleware::from_fn(names_one_host))
        .layer(SetResponseHeaderLayer::if_not_present(CONTENT_SECURITY_POLICY, page_policy));
    for (name, value) in fixed {
        let value = HeaderValue::from_static(value);
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    router
}

/// Refuses a request without a host, and one with two: a proxy may have judged by the other one
/// (RFC 9112, section 3.2).
async fn names_one_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(HOST).iter().count();
    let is_old = request.version() < Version::HTTP_11;
    if hosts == 1 || hosts == 0 && is_old {
        return next.run(request).await;
    }
    (StatusCode::BAD_REQUEST, "a request names one host\n").into_response()
}
