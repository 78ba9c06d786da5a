//! The password of a room.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::ConstantTimeEq as _;
use tickwire_shared::control::Redacted;

/// The digest of a password. Comparisons take the same time for all passwords, of any length.
pub(super) struct PasswordDigest([u8; SHA256_OUTPUT_LEN]);

impl PasswordDigest {
    /// `None` for no password.
    pub(super) fn of(password: &Redacted) -> Option<Self> {
        (!password.is_empty()).then(|| PasswordDigest(hash(password)))
    }

    /// True if `given` is the password.
    pub(super) fn is_of(&self, given: &Redacted) -> bool {
        self.0.ct_eq(&hash(given)).into()
    }
}

impl std::fmt::Debug for PasswordDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordDigest(..)")
    }
}

fn hash(password: &Redacted) -> [u8; SHA256_OUTPUT_LEN] {
    let digest = digest(&SHA256, password.as_str().as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::PasswordDigest;

    #[test]
    fn only_the_password_opens() {
        assert!(PasswordDigest::of(&"".into()).is_none());
        let digest = PasswordDigest::of(&"sesame".into()).unwrap();
        assert!(digest.is_of(&"sesame".into()));
        for other in ["", "sesam", "sesame ", "Sesame", "\0"] {
            assert!(!digest.is_of(&other.into()), "{other:?}");
        }
        assert_eq!(format!("{digest:?}"), "PasswordDigest(..)");
    }
}
