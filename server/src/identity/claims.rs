//! The claims of a join token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Header, encode};
use serde::{Deserialize, Deserializer, Serialize};

use super::crypto::random_bytes;
use super::keys::TokenSigner;

/// Random bytes of a token's own id.
const ID_BYTES: usize = 16;

/// The claims of a join token. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// The account, 1 to 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The display name. Without one, the player chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The audience: one word, or a list of words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audiences>,
    /// The end of its validity.
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// The start of its validity.
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The time of its making.
    #[serde(default, deserialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// The token's own id, 1 to 64 bytes. A token is used once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The only room that it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The game's own number for the player's place in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<u32>,
    /// The topics that the player may use, in place of those of the server's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<TopicRights>,
}

/// The topics that a player may use: names, or patterns of them such as `chat/*` and `news/**`. By default none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicRights {
    /// To which it may publish.
    pub publish: Vec<String>,
    /// To which it may subscribe; a pattern of a subscription must be within one of these.
    pub subscribe: Vec<String>,
}

/// The `aud` of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audiences {
    /// A single audience.
    One(String),
    /// Several audiences.
    Many(Vec<String>),
}

impl Audiences {
    /// True if `audience` is among them.
    pub fn has(&self, audience: &str) -> bool {
        match self {
            Audiences::One(one) => one == audience,
            Audiences::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

impl TokenSigner {
    /// Signs a token.
    ///
    /// # Errors
    /// A text, if the key cannot sign.
    pub fn sign(&self, claims: &TokenClaims) -> Result<String, String> {
        let header = Header { kid: self.id.clone(), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).map_err(|error| error.to_string())
    }
}

/// An id that no other token has.
pub(super) fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<ID_BYTES>())
}

/// A time of a token, which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    // Far beyond any date, and exact as a fraction.
    match (0.0..1e15).contains(&number) {
        true => Ok(Some(number as u64)),
        false => Err(serde::de::Error::custom("not a time")),
    }
}
