//! Congestion control of QUIC connections: CUBIC, and now and then a packet on a path that went silent.
//!
//! A peer whose network is away acknowledges nothing. The window is soon full of packets that are lost, and QUIC then sends probes
//! ever more seldom ([RFC 9002, section 6.2.1](https://www.rfc-editor.org/rfc/rfc9002#section-6.2.1)): a connection would notice the
//! network's return seconds late. Here the window grows by one packet each 250 ms until the next acknowledgement, which
//! reports all others as lost.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};

/// Time without an acknowledgement after which a packet may leave however full the window is, and time from one such packet
/// to the next.
const SILENCE: Duration = Duration::from_millis(250);

/// Makes a controller for each path.
#[derive(Debug, Default)]
pub struct WakefulCubic {
    cubic: Arc<CubicConfig>,
}

impl ControllerFactory for WakefulCubic {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Wakeful {
            cubic: Arc::clone(&self.cubic).build(now, current_mtu),
            mtu: current_mtu.into(),
            in_flight: 0,
            quiet_since: now,
        })
    }
}

struct Wakeful {
    cubic: Box<dyn Controller>,
    mtu: u64,
    /// Bytes in flight as of the last acknowledgement, and all that was sent since: more than QUIC counts, where packets that are
    /// not acknowledged by themselves were among it.
    in_flight: u64,
    /// The last acknowledgement, or the last packet that was let through after it.
    quiet_since: Instant,
}

impl Wakeful {
    fn window_at(&self, now: Instant) -> u64 {
        let window = self.cubic.window();
        // One packet of the largest size fits, and no second one.
        if self.is_silent(now) { window.max(self.in_flight + 2 * self.mtu) } else { window }
    }

    fn hear(&mut self, now: Instant) {
        self.quiet_since = now;
    }

    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.quiet_since) >= SILENCE
    }
}

impl Controller for Wakeful {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.in_flight += bytes;
        if self.is_silent(now) {
            self.quiet_since = now;
        }
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.hear(now);
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.in_flight = in_flight;
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.in_flight = self.in_flight.saturating_sub(lost_bytes);
        self.cubic.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu.into();
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        // quinn asks without the time.
        self.window_at(Instant::now())
    }

    fn metrics(&self) -> ControllerMetrics {
        self.cubic.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        let Wakeful { cubic, mtu, in_flight, quiet_since } = self;
        Box::new(Wakeful {
            cubic: cubic.clone_box(),
            mtu: *mtu,
            in_flight: *in_flight,
            quiet_since: *quiet_since,
        })
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1200;

    /// Sends for a while, every 10 ms what the window lets through. The milliseconds at which a packet left.
    fn sent(controller: &mut Wakeful, from: Instant, lasts_ms: u64) -> Vec<u64> {
        let mut times = Vec::new();
        for ms in (0..lasts_ms).step_by(10) {
            let now = from + Duration::from_millis(ms);
            while controller.in_flight + MTU < controller.window_at(now) {
                controller.on_sent(now, MTU, 0);
                times.push(ms);
                assert!(times.len() < 100, "the window is never full: {ms} ms");
            }
        }
        times
    }

    #[test]
    fn in_a_silence_one_packet_leaves_each_quarter_of_a_second_and_none_beyond_the_window_otherwise()
     {
        let begun = Instant::now();
        let mut controller = Wakeful {
            cubic: Arc::new(CubicConfig::default()).build(begun, MTU as u16),
            mtu: MTU,
            in_flight: 0,
            quiet_since: begun,
        };
        let window = controller.cubic.window();
        let burst = sent(&mut controller, begun, 10).len() as u64;
        assert!(burst * MTU < window && window <= (burst + 1) * MTU, "the window is CUBIC's");
        let silence = begun + Duration::from_millis(10);
        assert_eq!(sent(&mut controller, silence, 1000), [240, 490, 740, 990]);
        // Acknowledged, but for what is still on its way: nothing leaves beyond the window.
        let later = silence + Duration::from_secs(1);
        controller.hear(later);
        assert_eq!(sent(&mut controller, later, 240), [0; 0]);
        controller.on_end_acks(later, 0, false, None);
        assert_eq!(sent(&mut controller, later, 240).len() as u64, burst);
    }
}
