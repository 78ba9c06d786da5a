//! A JWKS document over HTTP: one request at a time, each on a connection of its own.

use std::time::Duration;

use axum::http::header::{
    ACCEPT, AGE, CACHE_CONTROL, CONTENT_LENGTH, ETAG, HOST, IF_NONE_MATCH, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::authorities::{AuthoritiesError, TrustSettings};
use super::keys::FILE_BYTES_MAX;
use crate::config::{KeysUrl, ServerConfig};
use crate::http_client::{AGENT, HttpClient, NoConnection, OpenConnection};

/// Bytes of the document, at most.
const DOCUMENT_BYTES_MAX: usize = FILE_BYTES_MAX as usize;

/// A document at a URL.
pub(super) struct KeysDocument {
    url: KeysUrl,
    client: HttpClient,
    /// For a whole request, from the look-up of the name on.
    time: Duration,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct FetchedDocument {
    /// The document; `None` if it is the one that the request named.
    pub(super) text: Option<String>,
    /// By which the next request names it.
    pub(super) etag: Option<HeaderValue>,
    /// For how long it is good by its own word.
    pub(super) max_age_s: Option<u64>,
}

/// The reason for no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Connection(#[from] NoConnection),
    #[error("it was not there in {} ms", .0.as_millis())]
    Slow(Duration),
    #[error("its server answers with {0}")]
    Status(StatusCode),
    #[error(
        "its server sends the request elsewhere ({0}), where no keys are taken from; give the document's own URL"
    )]
    Redirect(StatusCode),
    #[error("it is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    #[error("its server's answer cannot be read: {0}")]
    Http(String),
    #[error("it is no text")]
    NoText,
}

impl KeysDocument {
    /// The document of the settings' `token_keys_url`.
    pub(super) fn new(url: &KeysUrl, config: &ServerConfig) -> Result<Self, AuthoritiesError> {
        let settings = TrustSettings { url: "token_keys_url", ca_file: "token_keys_ca_file" };
        let trusted = (config.token_keys_ca_file.as_deref(), settings);
        let client = HttpClient::new(url.address(), trusted, true)?;
        let time = Duration::from_millis(u64::from(config.token_keys_fetch_ms));
        Ok(KeysDocument { url: url.clone(), client, time })
    }

    pub(super) fn url(&self) -> &KeysUrl {
        &self.url
    }

    /// Requests the document. One that is still that of `etag` comes without its text.
    pub(super) async fn fetch(
        &self,
        etag: Option<&HeaderValue>,
    ) -> Result<FetchedDocument, FetchError> {
        let timed = tokio::time::timeout(self.time, self.connect_and_ask(etag)).await;
        timed.unwrap_or(Err(FetchError::Slow(self.time)))
    }

    async fn connect_and_ask(
        &self,
        etag: Option<&HeaderValue>,
    ) -> Result<FetchedDocument, FetchError> {
        let failed = |error: hyper::Error| FetchError::Http(error.to_string());
        let mut connection = OpenConnection::new(self.client.connect().await?);
        let mut request = Request::get(self.url.address().path())
            .header(HOST, self.url.address().authority())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, AGENT);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let request = request.body(Full::default());
        let request = request.map_err(|error| FetchError::Http(error.to_string()))?;
        let answer = connection.sender.send_request(request).await.map_err(failed)?;
        let (head, body) = answer.into_parts();
        match head.status {
            StatusCode::OK => read(&head.headers, body).await,
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(FetchedDocument {
                text: None,
                etag: etag.cloned(),
                max_age_s: max_age_s(&head.headers),
            }),
            status if status.is_redirection() => Err(FetchError::Redirect(status)),
            status => Err(FetchError::Status(status)),
        }
    }
}

/// The document of an answer.
async fn read(headers: &HeaderMap, body: Incoming) -> Result<FetchedDocument, FetchError> {
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if told.is_some_and(|bytes: u64| bytes > FILE_BYTES_MAX) {
        return Err(FetchError::TooLong);
    }
    let read = Limited::new(body, DOCUMENT_BYTES_MAX).collect().await;
    let bytes = read.map_err(|error| match error.is::<LengthLimitError>() {
        true => FetchError::TooLong,
        false => FetchError::Http(error.to_string()),
    })?;
    let text = String::from_utf8(bytes.to_bytes().into()).map_err(|_| FetchError::NoText)?;
    let etag = headers.get(ETAG).cloned();
    Ok(FetchedDocument { text: Some(text), etag, max_age_s: max_age_s(headers) })
}

/// For how long an answer is good by its own word (RFC 9111), in seconds.
fn max_age_s(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let ages = lines.flat_map(|line| line.split(',')).filter_map(|word| {
        let word = word.trim().to_ascii_lowercase();
        match word.as_str() {
            "no-store" | "no-cache" => Some(0),
            _ => word.strip_prefix("max-age=")?.trim_matches('"').parse().ok(),
        }
    });
    let age = headers.get(AGE).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let good_s: u64 = ages.min()?;
    Some(good_s.saturating_sub(age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_an_answer_is_read_from_its_head() {
        let age = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            max_age_s(&headers)
        };
        assert_eq!(age(&[]), None);
        assert_eq!(age(&[("cache-control", "public")]), None);
        assert_eq!(age(&[("cache-control", "public, Max-Age=60, must-revalidate")]), Some(60));
        assert_eq!(age(&[("cache-control", "max-age=60"), ("age", "50")]), Some(10));
        assert_eq!(age(&[("cache-control", "max-age=60"), ("age", "70")]), Some(0));
        assert_eq!(age(&[("cache-control", "max-age=60"), ("cache-control", "no-cache")]), Some(0));
        assert_eq!(age(&[("cache-control", "max-age=x")]), None);
        assert_eq!(age(&[("cache-control", "max-age=99999999999999999999")]), None);
    }
}
