//! Digests of secrets: kept in place of what they are of.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// The SHA-256 of a secret. Comparisons take the same time for all secrets, of any length.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretDigest([u8; SHA256_OUTPUT_LEN]);

impl SecretDigest {
    /// The digest of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        let digest = digest(&SHA256, secret);
        SecretDigest(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// True if `given` is the secret.
    pub fn is_of(&self, given: &[u8]) -> bool {
        self.0.ct_eq(&SecretDigest::of(given).0).into()
    }
}

impl SecretDigest {
    /// Its first bytes: they tell secrets apart, and do not prove one.
    pub(crate) fn short(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Digests do not get into logs: a short secret could be guessed from its own.
impl std::fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::SecretDigest;

    #[test]
    fn only_the_secret_opens() {
        let digest = SecretDigest::of(b"sesame");
        assert!(digest.is_of(b"sesame"));
        for other in ["", "sesam", "sesame ", "Sesame", "\0"] {
            assert!(!digest.is_of(other.as_bytes()), "{other:?}");
        }
        assert_eq!(format!("{digest:?}"), "SecretDigest(..)");
    }
}
