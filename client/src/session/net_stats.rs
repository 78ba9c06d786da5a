//! Statistics of the network.

/// Counters since the session began, and estimates as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NetStats {
    /// Round trip in milliseconds, from an input to the snapshot that reports it, without the wait
    /// for its tick.
    pub rtt_ms: f32,
    /// Mean deviation of the snapshots' arrivals from an even pace.
    pub jitter_ms: f32,
    /// Time since the newest snapshot came.
    pub silence_ms: f32,
    /// Age of the newest snapshot's content: the silence plus half of the round trip that brought
    /// it. On a path with a queue of seconds that exceeds a second, however often snapshots come.
    pub snapshot_age_ms: f32,
    /// Input margin of the newest inputs: how early they reached the server; negative if late.
    pub input_margin_ms: f32,
    /// Interpolation delay: how far the shown tick is behind the newest snapshot.
    pub interpolation_ms: f32,
    /// Tick of the newest snapshot, or 0.
    pub tick: u32,
    /// Snapshots applied in this room.
    pub snapshots: u64,
    /// Ticks from the first to the newest snapshot of this room, both included.
    pub snapshots_expected: u64,
    /// Those of the expected ones that were lost while nobody called for three quarters of a second
    /// or longer, or that did not come over a WebSocket: that path loses nothing, so the server
    /// skipped them for newer ones.
    pub snapshots_missed: u64,
    /// Snapshots that came after a newer one, twice, or from a room left before.
    pub snapshots_late: u64,
    /// Snapshots coded against a baseline that this client lacks.
    pub snapshots_undecodable: u64,
    /// Datagrams that are not snapshots of this protocol.
    pub snapshots_malformed: u64,
    /// Datagrams received while in no room.
    pub datagrams_unused: u64,
    /// Snapshots in this room that differed from the prediction, in fields that predicted steps change.
    pub corrections: u64,
    /// Visible error of the predicted entity, in steps of its first two lanes.
    pub prediction_error: f32,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
}

impl NetStats {
    /// Fraction of the expected snapshots that were not applied, missed ones excepted.
    pub fn loss_fraction(&self) -> f32 {
        let expected = self.snapshots_expected.saturating_sub(self.snapshots_missed);
        if expected == 0 {
            return 0.0;
        }
        1.0 - self.snapshots as f32 / expected as f32
    }
}

/// Cost of a session on the wire so far. QUIC counts everything: handshake, acknowledgements,
/// encryption. A WebSocket counts its messages, without TCP and TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireStats {
    /// UDP datagrams received.
    pub datagrams_in: u64,
    /// Payload bytes of those datagrams.
    pub bytes_in: u64,
    /// UDP datagrams sent.
    pub datagrams_out: u64,
    /// Payload bytes of those datagrams.
    pub bytes_out: u64,
}
