//! The address of a receiver of webhooks.

use serde::{Deserialize, Serialize};

use super::http_address::HttpAddress;

/// The address of a receiver of webhooks: `https`, or `http` on this machine or a network of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(HttpAddress);

impl WebhookUrl {
    /// Its parts.
    pub fn address(&self) -> &HttpAddress {
        &self.0
    }
}

impl std::fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.to_string()
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        HttpAddress::parse(&text, "https://backend.example/hooks").map(WebhookUrl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_be_anywhere_and_a_wrong_address_is_refused_without_its_password() {
        let parse = |text: &str| WebhookUrl::try_from(text.to_owned());
        for good in
            ["https://backend.example/hooks", "http://backend:8080/", "http://[::1]:1/a?b=c"]
        {
            assert_eq!(String::from(parse(good).unwrap()), good);
        }
        for (wrong, why) in [
            ("backend.example/hooks", "is no URL"),
            ("/hooks", "names no scheme"),
            ("ftp://ann:secret@backend.example/", "of a scheme other"),
            ("https://ann:secret@backend.example/", "has a password"),
        ] {
            let text = parse(wrong).unwrap_err();
            assert!(text.contains(why) && !text.contains("secret"), "{text}");
        }
    }
}
