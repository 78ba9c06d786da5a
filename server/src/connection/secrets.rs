//! The secrets by which clients resume their sessions, and the number of the server's run.

use ring::rand::{SecureRandom as _, SystemRandom};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{ResumeSecret, ServerRun};

/// Where secrets come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum SecretSource {
    /// From the system's random numbers.
    System,
    /// From this seed and the session's number: anybody can guess them.
    Seed(u64),
}

impl SecretSource {
    /// The number of this run of the server.
    pub(super) fn run(self) -> ServerRun {
        match self {
            SecretSource::System => {
                let mut bytes = [0; 8];
                SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
                ServerRun(u64::from_le_bytes(bytes))
            }
            SecretSource::Seed(seed) => ServerRun(seed),
        }
    }

    /// The secret of the session of this number.
    pub(super) fn secret_of(self, player: PlayerId) -> ResumeSecret {
        let mut bytes = [0; 16];
        match self {
            SecretSource::System => {
                SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
            }
            SecretSource::Seed(seed) => {
                bytes[..8].copy_from_slice(&seed.to_le_bytes());
                bytes[8..12].copy_from_slice(&player.0.to_le_bytes());
            }
        }
        ResumeSecret(bytes)
    }
}
