//! What lets a session go on over another connection.
//!
//! Both sides count the frames of each stream since the session began, [`ServerFrame::Resumed`] aside. The server keeps the
//! frames that the client has not counted; the client keeps the requests that are not answered. After a lost connection
//! each sends the other what it lacks: every frame and every request comes exactly once, in order.
//!
//! A server that was started again has kept no frames. It answers with [`ServerFrame::Restarted`], and both sides count from
//! 0 again; the client sends its requests again, and commands that a step had are answered at once. The client names the
//! [`ServerRun`] whose frames it counts: a client that lost [`ServerFrame::Restarted`] with its connection gets it again.
//!
//! [`ServerFrame::Resumed`]: super::ServerFrame::Resumed
//! [`ServerFrame::Restarted`]: super::ServerFrame::Restarted

use serde::{Deserialize, Serialize};

/// How many frames of one [`ServerRun`] a client has taken in since its session began, or was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Received {
    /// On the control stream.
    pub control: u32,
    /// On the chat stream.
    pub chat: u32,
}

/// One run of a server's program, by a number that no other run has: frames are counted anew in each. 64 random bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerRun(pub u64);

/// The secret of one session: whoever has it is the session's client. 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeSecret(pub [u8; 16]);

/// Secrets do not get into logs.
impl std::fmt::Debug for ResumeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResumeSecret(..)")
    }
}
