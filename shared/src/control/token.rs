//! The token that identifies a player.

use serde::{Deserialize, Serialize};

/// A join token. [`Debug`](std::fmt::Debug) does not show it, so that no log has it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken(pub String);

impl JoinToken {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for no token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for JoinToken {
    fn from(text: String) -> Self {
        JoinToken(text)
    }
}

impl From<&str> for JoinToken {
    fn from(text: &str) -> Self {
        JoinToken(text.to_owned())
    }
}

impl std::fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "no token" } else { "Token(..)" })
    }
}

#[cfg(test)]
mod tests {
    use crate::control::ClientFrame;

    #[test]
    fn a_token_is_not_shown() {
        let (client, schema) = (String::new(), None);
        let token = "eyJhbGciOiJFZERTQSJ9".into();
        let hello = ClientFrame::Hello { client, schema, resumable: false, token };
        let shown = format!("{hello:?}");
        assert!(shown.contains("Token(..)") && !shown.contains("eyJ"), "{shown}");
    }
}
