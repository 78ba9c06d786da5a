//! The address of a document of keys.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::http_address::HttpAddress;

/// The address of a JWKS document: `https`, or `http` on this machine's loopback alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeysUrl(HttpAddress);

impl KeysUrl {
    /// Its parts.
    pub fn address(&self) -> &HttpAddress {
        &self.0
    }
}

impl std::fmt::Display for KeysUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
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
        let address = HttpAddress::parse(&text, EXAMPLE)?;
        if !address.is_https() && !is_loopback(address.host()) {
            return Err(format!(
                "{text:?} would have keys come unprotected: http is for this machine's loopback; write {EXAMPLE}"
            ));
        }
        Ok(KeysUrl(address))
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const EXAMPLE: &str = "https://id.example/jwks.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HttpAddress, String> {
        KeysUrl::try_from(text.to_owned()).map(|url| url.0)
    }

    #[test]
    fn a_url_has_its_parts() {
        let url = parse("https://id.example/keys/jwks.json?v=1").unwrap();
        assert_eq!((url.host(), url.port(), url.is_https()), ("id.example", 443, true));
        assert_eq!((url.authority(), url.path()), ("id.example", "/keys/jwks.json?v=1"));
        let local = parse("http://[::1]:8080").unwrap();
        assert_eq!((local.host(), local.port(), local.is_https()), ("::1", 8080, false));
        assert_eq!((local.authority(), local.path()), ("[::1]:8080", "/"));
        assert_eq!(parse("http://localhost:1/a").unwrap().to_string(), "http://localhost:1/a");
        assert!(parse("http://127.0.0.1/").is_ok());
    }

    #[test]
    fn a_url_by_which_no_key_is_safe_is_refused_with_the_reason() {
        for (wrong, why) in [
            ("", "is no URL"),
            ("keys.json", "names no scheme"),
            ("/keys.json", "names no scheme"),
            ("ftp://id.example/", "of a scheme other"),
            ("https://ann:secret@id.example/", "has a password"),
            ("ftp://ann:secret@id.example/", "of a scheme other"),
            ("https://ann:secret@id example/", "is no URL"),
            ("https://id.example:99999/", "a port that is none"),
            ("https://id.example:0/", "a port that is none"),
            ("https://id.example?key=a", "a query and no path"),
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
