//! What the network is doing, as numbers.

/// Counters since the session began, and estimates as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NetStats {
    /// Round trip of an input to the snapshot that reports it, without the time it waited for its tick.
    pub rtt_ms: f32,
    /// Mean deviation of the snapshots' arrivals from an even pace.
    pub jitter_ms: f32,
    /// Since the newest snapshot came.
    pub silence_ms: f32,
    /// How old what the newest snapshot tells is by now: the silence, and half of the round trip that it came at
    /// the end of. On a path with a queue of seconds that is a second and more, however often snapshots come.
    pub snapshot_age_ms: f32,
    /// How early the newest inputs reached the server before their tick; negative is late.
    pub input_margin_ms: f32,
    /// The tick being shown is so far behind the newest snapshot.
    pub interpolation_ms: f32,
    /// Tick of the newest snapshot, or 0.
    pub tick: u32,
    /// Snapshots applied in this room.
    pub snapshots: u64,
    /// Ticks from the first snapshot of this room to the newest, both included.
    pub snapshots_expected: u64,
    /// Of those, the ones that were lost while nobody called for three quarters of a second or longer, and those that
    /// did not come over a WebSocket, on which nothing is lost: the server left them out for newer ones.
    pub snapshots_missed: u64,
    /// Snapshots that came after a newer one, or twice, or from a room left before.
    pub snapshots_late: u64,
    /// Snapshots coded against a state this client does not have.
    pub snapshots_undecodable: u64,
    /// Datagrams that were no snapshots of this protocol.
    pub snapshots_malformed: u64,
    /// Datagrams that came while in no room.
    pub datagrams_unused: u64,
    /// Snapshots in this room that differed from what was predicted.
    pub corrections: u64,
    /// How far what the player steers is shown from where it is, in steps of its first two lanes.
    pub prediction_error: f32,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
}

impl NetStats {
    /// Fraction of the expected snapshots that were not applied, but for the missed ones.
    pub fn loss_fraction(&self) -> f32 {
        let expected = self.snapshots_expected.saturating_sub(self.snapshots_missed);
        if expected == 0 {
            return 0.0;
        }
        1.0 - self.snapshots as f32 / expected as f32
    }
}

/// What a session cost on the wire so far, everything of QUIC included: handshake, acknowledgements,
/// encryption. Over a WebSocket: its messages, without what TCP and TLS add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireStats {
    /// UDP datagrams received.
    pub datagrams_in: u64,
    /// Their payload bytes.
    pub bytes_in: u64,
    /// UDP datagrams sent.
    pub datagrams_out: u64,
    /// Their payload bytes.
    pub bytes_out: u64,
}
