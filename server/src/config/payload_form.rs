//! The form of messages' bytes in JSON.

use serde::{Deserialize, Serialize};

/// The form of messages' bytes in JSON. Each message has one of the fields `text`, `json` and `base64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayloadForm {
    /// As a string if they are UTF-8, else in base64.
    #[default]
    Text,
    /// As a value if they are JSON, else in base64.
    Json,
    /// In base64.
    Base64,
}
