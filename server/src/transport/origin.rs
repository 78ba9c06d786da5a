//! Which web pages may connect.

use std::net::IpAddr;

/// The origins whose pages may open a session.
///
/// A client that is no browser sends no origin and is not asked.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    listed: Vec<String>,
}

impl Origins {
    /// `listed` are whole origins such as `https://play.example`, or `*` for any. Without one, pages
    /// on this machine may, and pages of the host the browser reached the server under.
    pub(crate) fn new(listed: &[String]) -> Self {
        let normal = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Origins { listed: listed.iter().map(normal).collect() }
    }

    /// Whether a page of `origin` may open a session on a server it calls `authority`.
    pub(crate) fn allow(&self, origin: &str, authority: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if !self.listed.is_empty() {
            return self.listed.iter().any(|listed| listed == "*" || *listed == origin);
        }
        let Some((_, place)) = origin.split_once("://") else { return false };
        let host = host_of(place);
        is_this_machine(host) || host.eq_ignore_ascii_case(host_of(authority))
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// Whether a host name stands for the machine it is used on.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(loopback)
}

#[cfg(test)]
mod tests {
    use super::Origins;

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
