//! The address of a document of keys.

use std::net::IpAddr;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

/// The address of a JWKS document: `https`, or `http` on this machine's loopback alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeysUrl {
    uri: Uri,
    host: String,
    port: u16,
    is_https: bool,
}

impl KeysUrl {
    /// Its host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// True for `https`.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host and the port as the URL has them, for the header `Host`.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// The path and the query, for the request.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

impl std::fmt::Display for KeysUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

impl From<KeysUrl> for String {
    fn from(url: KeysUrl) -> Self {
        url.to_string()
    }
}

impl TryFrom<String> for KeysUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Before an @ may be a password, and the reason is logged.
        let shown = text.rsplit('@').next().unwrap_or_default();
        let wrong = |why: &str| Err(format!("{shown:?} {why}; write {EXAMPLE}"));
        let Ok(uri) = text.parse::<Uri>() else { return wrong("is no URL") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong("names no scheme or no server");
        };
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return wrong("is of a scheme that no keys are fetched by"),
        };
        if authority.as_str().contains('@') {
            return wrong("has a password before it, which would be logged");
        }
        let host = authority.host();
        let given_port = authority.as_str().strip_prefix(host).unwrap_or_default();
        let port = authority.port_u16();
        if !given_port.is_empty() && port.is_none() || port == Some(0) {
            return wrong("has a port that is none");
        }
        let port = port.unwrap_or(if is_https { 443 } else { 80 });
        let host = host.trim_matches(['[', ']']).to_owned();
        if !is_https && !is_loopback(&host) {
            return wrong("would have keys come unprotected: http is for this machine's loopback");
        }
        Ok(KeysUrl { uri, host, port, is_https })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const EXAMPLE: &str = "https://id.example/jwks.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KeysUrl, String> {
        KeysUrl::try_from(text.to_owned())
    }

    #[test]
    fn a_url_has_its_parts() {
        let url = parse("https://id.example/keys/jwks.json?v=1").unwrap();
        assert_eq!((url.host(), url.port(), url.is_https()), ("id.example", 443, true));
        assert_eq!((url.authority(), url.path()), ("id.example", "/keys/jwks.json?v=1"));
        let local = parse("http://[::1]:8080").unwrap();
        assert_eq!((local.host(), local.port(), local.is_https()), ("::1", 8080, false));
        assert_eq!((local.authority(), local.path()), ("[::1]:8080", "/"));
        assert_eq!(String::from(parse("http://localhost:1/a").unwrap()), "http://localhost:1/a");
        assert!(parse("http://127.0.0.1/").is_ok());
    }

    #[test]
    fn a_url_by_which_no_key_is_safe_is_refused_with_the_reason() {
        for (wrong, why) in [
            ("", "is no URL"),
            ("keys.json", "names no scheme"),
            ("/keys.json", "names no scheme"),
            ("ftp://id.example/", "of a scheme that no keys"),
            ("https://ann:secret@id.example/", "has a password"),
            ("ftp://ann:secret@id.example/", "of a scheme that no keys"),
            ("https://ann:secret@id example/", "is no URL"),
            ("https://id.example:99999/", "a port that is none"),
            ("https://id.example:0/", "a port that is none"),
            ("http://id.example/", "unprotected"),
            ("http://192.0.2.1/", "unprotected"),
            ("http://localhost.example/", "unprotected"),
        ] {
            let text = parse(wrong).unwrap_err();
            assert!(text.contains(why) && text.ends_with(EXAMPLE), "{wrong}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
