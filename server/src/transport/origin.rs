//! Origins of web pages that may connect.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Pause between two warnings about origins.
const WARN_PAUSE: Duration = Duration::from_secs(60);
/// Characters of an origin that are logged.
const ORIGIN_CHARACTERS_MAX: usize = 200;

/// The origins whose pages may open a session.
///
/// Clients other than browsers send no origin and are not checked.
#[derive(Debug)]
pub(crate) struct Origins {
    listed: Vec<String>,
    /// Time of the last warning about a refused origin.
    warned: Mutex<Option<Instant>>,
}

impl Origins {
    /// `listed` are whole origins such as `https://play.example`, or `*` for any. If it is empty,
    /// pages on this machine may connect, and pages of the host under which the browser reached the
    /// server.
    pub(crate) fn new(listed: &[String]) -> Self {
        let normal = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Origins { listed: listed.iter().map(normal).collect(), warned: Mutex::new(None) }
    }

    /// True if a page of `origin` may open a session on a server that it calls `authority`.
    pub(crate) fn allow(&self, origin: &str, authority: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if !self.listed.is_empty() {
            return self.listed.iter().any(|listed| listed == "*" || *listed == origin);
        }
        let Some((_, place)) = origin.split_once("://") else { return false };
        let host = host_of(place);
        is_this_machine(host) || host.eq_ignore_ascii_case(host_of(authority))
    }

    /// Warns of a refused page, which only the server's operator can help. At most one warning a
    /// minute, however many pages try.
    pub(crate) fn warn_of(&self, origin: &str) {
        if self.may_warn(Instant::now()) {
            let origin: String = origin.chars().take(ORIGIN_CHARACTERS_MAX).collect();
            let words = "a page's origin is not allowed; add it to allowed_origins if it is yours";
            tracing::warn!(?origin, "{words}");
        }
    }

    fn may_warn(&self, now: Instant) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = warned.is_none_or(|at| now.saturating_duration_since(at) >= WARN_PAUSE);
        if due {
            *warned = Some(now);
        }
        due
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// True if a host name stands for the machine on which it is used.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(loopback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::logged;

    #[test]
    fn an_origin_that_was_refused_is_warned_of_once_a_minute() {
        let origins = Origins::new(&[]);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let warned = [0, 1, 59, 60, 61, 119, 120].map(|seconds| origins.may_warn(at(seconds)));
        assert_eq!(warned, [true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_refused_origin_is_in_the_log_with_what_to_do() {
        let origins = Origins::new(&[]);
        let text = logged(|| (0..3).for_each(|_| origins.warn_of("https://evil.example")));
        assert_eq!(text.lines().count(), 1, "{text}");
        for word in ["WARN", "https://evil.example", "allowed_origins"] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn without_a_list_only_this_machine_and_the_same_host_may() {
        let origins = Origins::new(&[]);
        for (origin, authority, allowed) in [
            ("http://localhost:5173", "127.0.0.1:4433", true),
            ("http://127.0.0.1:4433", "localhost:4433", true),
            ("http://[::1]:4433", "localhost:4433", true),
            ("https://play.example", "play.example:4433", true),
            ("https://PLAY.example", "play.Example", true),
            ("https://evil.example", "play.example:4433", false),
            ("https://localhost.evil.example", "play.example", false),
            ("https://127.0.0.1.evil.example", "play.example", false),
            ("null", "localhost:4433", false),
            ("", "", false),
        ] {
            assert_eq!(origins.allow(origin, authority), allowed, "{origin} on {authority}");
        }
    }

    #[test]
    fn with_a_list_only_its_origins_may() {
        let origins = Origins::new(&["https://Play.example/".to_owned()]);
        assert!(origins.allow("https://play.example", "other.example"));
        assert!(!origins.allow("http://play.example", "play.example"));
        assert!(!origins.allow("https://play.example:8443", "play.example"));
        assert!(!origins.allow("http://localhost", "localhost"));
        assert!(Origins::new(&["*".to_owned()]).allow("https://any.example", "x"));
    }
}
