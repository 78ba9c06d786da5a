//! Refused requests: a status, a code for programs and a text for people, as JSON.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tickwire_shared::control::{CloseCode, RefuseCode};

use crate::identity::AuthRefusal;
use crate::shares::NoPlace;
use crate::topics::TopicRefusal;

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct RequestRefusal {
    status: StatusCode,
    code: Cow<'static, str>,
    pub(super) text: String,
    header: Option<(HeaderName, &'static str)>,
}

impl RequestRefusal {
    pub(super) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
    ) -> Self {
        RequestRefusal { status, code: code.into(), text: text.into(), header: None }
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        RequestRefusal { header: Some((name, value)), ..self }
    }

    /// A request that cannot be understood.
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        RequestRefusal::new(StatusCode::BAD_REQUEST, "RequestInvalid", text)
    }

    pub(super) fn encoding(part: &str) -> Self {
        RequestRefusal::invalid(format!(
            "{part} is not UTF-8 by percent-encoding; write a byte as %41"
        ))
    }

    pub(super) fn method(allowed: &'static str) -> Self {
        let text = format!("this is for {allowed}");
        RequestRefusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodInvalid", text)
            .with(ALLOW, allowed)
    }

    pub(super) fn no_events() -> Self {
        let text = "this is a stream of events; send the header Accept: text/event-stream";
        RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, "RequestInvalid", text)
    }

    pub(super) fn no_bearer() -> Self {
        let text = "the header Authorization is: Bearer TOKEN, once";
        RequestRefusal::new(StatusCode::UNAUTHORIZED, "TokenInvalid", text)
            .with(WWW_AUTHENTICATE, "Bearer")
    }

    pub(super) fn too_fast() -> Self {
        let text = "too many requests from your network; wait a moment";
        RequestRefusal::new(StatusCode::TOO_MANY_REQUESTS, "TooFast", text).with(RETRY_AFTER, "1")
    }

    pub(super) fn too_many_readers(why: NoPlace) -> Self {
        let text = match why {
            NoPlace::Full => "the server has as many event streams as it may; try again later",
            NoPlace::ShareTaken => "too many event streams from your network; close some",
        };
        RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "StreamsFull", text)
            .with(RETRY_AFTER, "10")
    }

    /// The rest of the body is not read, so the connection ends.
    pub(super) fn too_long(bytes_max: usize) -> Self {
        let text = format!("a message has at most {bytes_max} bytes; send less at once");
        RequestRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "TopicTooLong", text)
            .with(CONNECTION, "close")
    }

    pub(super) fn too_slow(time: Duration) -> Self {
        let text = format!("the body did not come within {} ms; send it at once", time.as_millis());
        RequestRefusal::new(StatusCode::REQUEST_TIMEOUT, "RequestSlow", text)
            .with(CONNECTION, "close")
    }

    pub(super) fn stopping() -> Self {
        let text = CloseCode::ServerStopping.text();
        RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "ServerStopping", text)
            .with(RETRY_AFTER, "5")
    }
}

impl From<TopicRefusal> for RequestRefusal {
    fn from(TopicRefusal { code, text }: TopicRefusal) -> Self {
        let status = match code {
            RefuseCode::TopicsOff => StatusCode::NOT_FOUND,
            RefuseCode::TopicForbidden => StatusCode::FORBIDDEN,
            RefuseCode::TopicTooFast => StatusCode::TOO_MANY_REQUESTS,
            RefuseCode::TopicTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            RefuseCode::TopicsFull => StatusCode::INSUFFICIENT_STORAGE,
            RefuseCode::Busy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let refusal = RequestRefusal::new(status, format!("{code:?}"), text);
        match code {
            RefuseCode::TopicTooFast | RefuseCode::Busy => refusal.with(RETRY_AFTER, "1"),
            _ => refusal,
        }
    }
}

impl From<AuthRefusal> for RequestRefusal {
    fn from(AuthRefusal { code, text }: AuthRefusal) -> Self {
        let refused = |status| RequestRefusal::new(status, format!("{code:?}"), text);
        match code {
            CloseCode::Kicked => refused(StatusCode::FORBIDDEN),
            CloseCode::AuthUnavailable => {
                refused(StatusCode::SERVICE_UNAVAILABLE).with(RETRY_AFTER, "10")
            }
            _ => refused(StatusCode::UNAUTHORIZED).with(WWW_AUTHENTICATE, "Bearer"),
        }
    }
}

impl IntoResponse for RequestRefusal {
    fn into_response(self) -> Response {
        let RequestRefusal { status, code, text, header } = self;
        let mut response = (status, Json(json!({ "code": code, "text": text }))).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
