//! An address of HTTP by its parts.

use axum::http::Uri;

/// An address by which the server requests something: `https`, or `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAddress {
    uri: Uri,
    host: String,
    port: u16,
    is_https: bool,
}

impl HttpAddress {
    /// Reads an address. The error shows the text without a password, says what is wrong, and ends with `example`.
    pub(crate) fn parse(text: &str, example: &str) -> Result<Self, String> {
        // Before an @ may be a password, and the reason is logged.
        let shown = text.rsplit('@').next().unwrap_or_default();
        let wrong = |why: &str| Err(format!("{shown:?} {why}; write {example}"));
        let Ok(uri) = text.parse::<Uri>() else { return wrong("is no URL") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong("names no scheme or no server");
        };
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return wrong("is of a scheme other than https and http"),
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
        if uri.path_and_query().is_some_and(|path| !path.as_str().starts_with('/')) {
            return wrong("has a query and no path: a slash belongs before the question mark");
        }
        let port = port.unwrap_or(if is_https { 443 } else { 80 });
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(HttpAddress { uri, host, port, is_https })
    }

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

impl std::fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}
