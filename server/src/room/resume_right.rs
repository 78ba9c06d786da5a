//! A member's right to its place, at a server that was started again.

use serde::{Deserialize, Serialize};

use super::secret_digest::SecretDigest;

/// By which a member resumes its session, and the part of its token that holds from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeRight {
    /// The digest of the session's secret.
    pub secret: SecretDigest,
    /// Its token sets its display name.
    pub is_named: bool,
    /// Its token opens this room and no other.
    pub is_bound: bool,
}
