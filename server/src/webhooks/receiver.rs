//! One request at a time to the receiver of webhooks.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use super::event::WebhookEvent;
use super::keys::WebhookKeys;
use crate::http_client::{AGENT, HttpClient, OpenConnection};

/// Bytes of an answer's body that are read, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The longest wait for them.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// The receiver, and the connection to it.
#[derive(Debug)]
pub(super) struct WebhookReceiver {
    client: HttpClient,
    keys: WebhookKeys,
    /// For a whole request, from the look-up of the name on.
    time: Duration,
    /// That of the last request, if it can be used again.
    open: Option<OpenConnection>,
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PostOutcome {
    /// The receiver has it.
    Taken,
    /// The receiver will never take it.
    Declined(String),
    Failed(PostFailure),
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PostFailure {
    /// In words.
    pub(super) reason: String,
    /// The request reached the receiver, as far as is known.
    pub(super) has_reached: bool,
    /// The pause that the receiver asks for.
    pub(super) retry_after_s: Option<u64>,
}

impl PostFailure {
    fn new(has_reached: bool, reason: impl ToString) -> Self {
        PostFailure { reason: reason.to_string(), has_reached, retry_after_s: None }
    }
}

impl WebhookReceiver {
    pub(super) fn new(client: HttpClient, keys: WebhookKeys, time: Duration) -> Self {
        WebhookReceiver { client, keys, time, open: None }
    }

    /// Posts an event, signed at a time in seconds since 1970.
    pub(super) async fn post(&mut self, event: &WebhookEvent, now_s: u64) -> PostOutcome {
        match self.ask(event, now_s).await {
            Ok(status) if status.is_success() => PostOutcome::Taken,
            Ok(status) => PostOutcome::Declined(format!("its server answers with {status}")),
            Err(failure) => PostOutcome::Failed(failure),
        }
    }

    /// The status of an answer after which the event is not posted again.
    async fn ask(&mut self, event: &WebhookEvent, now_s: u64) -> Result<StatusCode, PostFailure> {
        let end = Instant::now() + self.time;
        let request = self.request(event, now_s)?;
        let before = self.open.take().filter(|open| !open.sender.is_closed());
        let is_used = before.is_some();
        let mut open = match before {
            Some(open) => open,
            None => self.connect(end).await?,
        };
        let mut sent = timeout_at(end, send(&mut open, request.clone())).await;
        // A connection that the receiver closed meanwhile, as after a silence, is no failure.
        let is_stale = matches!(&sent, Ok(Err(error)) if is_used && !error.is_parse());
        if is_stale {
            open = self.connect(end).await?;
            sent = timeout_at(end, send(&mut open, request)).await;
        }
        let answer = sent.map_err(|_| PostFailure::new(true, self.slow()))?;
        let answer = answer.map_err(|error| PostFailure::new(true, error))?;
        let (head, body) = answer.into_parts();
        if is_read(body).await {
            self.open = Some(open);
        }
        let status = head.status;
        if status.is_success() || status == StatusCode::GONE {
            return Ok(status);
        }
        let mut failure = PostFailure::new(true, format!("its server answers with {status}"));
        failure.retry_after_s = retry_after_s(&head.headers);
        Err(failure)
    }

    async fn connect(&self, end: Instant) -> Result<OpenConnection, PostFailure> {
        match timeout_at(end, self.client.connect()).await {
            Ok(Ok(connected)) => Ok(OpenConnection::new(connected)),
            Ok(Err(error)) => Err(PostFailure::new(false, error)),
            Err(_) => Err(PostFailure::new(false, "its server cannot be reached in time")),
        }
    }

    fn request(
        &self,
        event: &WebhookEvent,
        now_s: u64,
    ) -> Result<Request<Full<Bytes>>, PostFailure> {
        let address = self.client.address();
        let request = Request::post(address.path())
            .header(HOST, address.authority())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", now_s)
            .header("webhook-signature", self.keys.sign(&event.id, now_s, &event.body));
        let request = request.body(Full::new(event.body.clone()));
        request.map_err(|error| PostFailure::new(false, error))
    }

    fn slow(&self) -> String {
        format!("its server does not answer in {} ms", self.time.as_millis())
    }
}

async fn send(
    open: &mut OpenConnection,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    open.sender.ready().await?;
    open.sender.send_request(request).await
}

/// Reads the rest of an answer, which nobody needs. Returns false if it is too long or too slow: the next request gets another
/// connection.
async fn is_read(body: Incoming) -> bool {
    let read = timeout(ANSWER_TIME, Limited::new(body, ANSWER_BYTES_MAX).collect()).await;
    matches!(read, Ok(Ok(_)))
}

/// The pause that an answer asks for, in seconds. One that is given as a date is passed over.
fn retry_after_s(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_where_it_is_a_number() {
        let asked = |value: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).unwrap());
            retry_after_s(&headers)
        };
        assert_eq!((asked(b"7"), asked(b" 120 ")), (Some(7), Some(120)));
        for wrong in [
            &b"Wed, 21 Oct 2026 07:28:00 GMT"[..],
            b"-1",
            b"",
            b"1e9",
            b"\xff",
            b"99999999999999999999",
        ] {
            assert_eq!(asked(wrong), None);
        }
    }
}
