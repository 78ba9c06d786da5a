//! Typical networks of players.

use clap::ValueEnum;

use super::link::Weather;

/// A typical network of players.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// No delay and no loss.
    Lan,
    /// 20 ± 5 ms one way, 0.5 % lost one by one.
    Wifi,
    /// 50 ± 15 ms, 2 % lost in bursts of three in the mean.
    Lte,
    /// 100 ± 25 ms, 5 % lost in bursts of four in the mean, the rest out of order.
    Awful,
}

impl Profile {
    pub(crate) const ALL: [Profile; 4] =
        [Profile::Lan, Profile::Wifi, Profile::Lte, Profile::Awful];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Lan => "lan",
            Profile::Wifi => "wifi",
            Profile::Lte => "lte",
            Profile::Awful => "awful",
        }
    }

    pub(crate) fn weather(self) -> Weather {
        let of = |delay_ms, jitter_ms, loss, burst| Weather {
            delay_ms,
            jitter_ms,
            loss,
            burst,
            reorders: self == Profile::Awful,
        };
        match self {
            Profile::Lan => of(0.0, 0.0, 0.0, 1.0),
            Profile::Wifi => of(20.0, 5.0, 0.005, 1.0),
            Profile::Lte => of(50.0, 15.0, 0.02, 3.0),
            Profile::Awful => of(100.0, 25.0, 0.05, 4.0),
        }
    }

    /// The part of the inputs that may be late.
    pub(crate) fn late_target(self) -> f64 {
        match self {
            Profile::Lan => 0.0,
            Profile::Wifi => 0.0005,
            Profile::Lte => 0.002,
            Profile::Awful => 0.01,
        }
    }
}
