//! The properties of a network, as command line flags.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::link::{Bottleneck, Faults, Weather};
use super::profile::Profile;

const SECONDS_MAX: f64 = 86_400.0;

/// The network. Given values replace those of the profile.
#[derive(Clone, Debug, Args)]
pub(crate) struct Conditions {
    /// The network.
    #[arg(long, value_enum, default_value_t = Profile::Lte)]
    pub(crate) profile: Profile,
    /// Milliseconds one way.
    #[arg(long, value_name = "MS", value_parser = number::<0, 10_000>)]
    delay: Option<f32>,
    /// Milliseconds by which delays vary to either side.
    #[arg(long, value_name = "MS", value_parser = number::<0, 10_000>)]
    jitter: Option<f32>,
    /// Percent of the datagrams that are lost.
    #[arg(long, value_name = "PERCENT", value_parser = number::<0, 90>)]
    loss: Option<f32>,
    /// Mean number of consecutive datagrams lost.
    #[arg(long, value_name = "DATAGRAMS", value_parser = number::<1, 1000>)]
    burst: Option<f32>,
    /// Whether a datagram may overtake another, within the jitter.
    #[arg(long, value_name = "BOOL")]
    reorder: Option<bool>,
    /// Percent of the datagrams that arrive twice.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = number::<0, 100>)]
    duplicate: f32,
    /// Kilobits a second in each direction of each client, IP headers included.
    #[arg(long, value_name = "KBIT", value_parser = number::<8, 10_000_000>)]
    rate: Option<f32>,
    /// Milliseconds that a datagram may wait because of `rate`; those that would wait longer are
    /// lost.
    #[arg(long, value_name = "MS", default_value = "200", value_parser = number::<0, 60_000>)]
    queue: f32,
    /// Bytes of a UDP datagram's payload; larger ones vanish. TCP uses a size that fits.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(64..))]
    mtu: Option<u16>,
    /// Everything is lost for FOR seconds, beginning AT seconds after the start; may be given
    /// several times.
    #[arg(long, value_name = "AT:FOR")]
    blackout: Vec<Blackout>,
}

/// A period in which everything is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Blackout {
    begins: Duration,
    lasts: Duration,
}

impl Conditions {
    /// The properties that all links share.
    ///
    /// # Errors
    /// If values contradict each other; the text says what to give.
    pub(crate) fn resolve(&self) -> anyhow::Result<(Weather, Faults)> {
        let of_profile = self.profile.weather();
        let weather = Weather {
            delay_ms: self.delay.unwrap_or(of_profile.delay_ms),
            jitter_ms: self.jitter.unwrap_or(of_profile.jitter_ms),
            loss: self.loss.map_or(of_profile.loss, |percent| percent / 100.0),
            burst: self.burst.unwrap_or(of_profile.burst),
            reorders: self.reorder.unwrap_or(of_profile.reorders),
        };
        let Weather { delay_ms, jitter_ms, loss, burst, .. } = weather;
        if jitter_ms > delay_ms {
            bail!(
                "a delay of {delay_ms} ms cannot vary by {jitter_ms} ms; give --jitter {delay_ms} or \
                 less, or a longer --delay"
            );
        }
        let burst_min = loss / (1.0 - loss);
        if burst < burst_min {
            bail!(
                "{} % are not lost in bursts of {burst}; give --burst {:.0} or more, or less --loss",
                loss * 100.0,
                burst_min.ceil()
            );
        }
        let bottleneck = self.rate.map(|kbit_per_s| Bottleneck {
            bytes_per_s: f64::from(kbit_per_s) * 1000.0 / 8.0,
            queue: Duration::from_secs_f64(f64::from(self.queue) / 1000.0),
        });
        let blackouts: Vec<Range<Duration>> = self.blackouts().collect();
        let faults = Faults {
            duplicate: self.duplicate / 100.0,
            bottleneck,
            datagram_bytes_max: self.mtu.map(usize::from),
            blackouts: Arc::from(blackouts),
        };
        Ok((weather, faults))
    }

    /// The periods in which everything is lost.
    pub(crate) fn blackouts(&self) -> impl Iterator<Item = Range<Duration>> {
        self.blackout.iter().map(|dark| dark.begins..dark.begins + dark.lasts)
    }
}

impl FromStr for Blackout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = |text: &str| {
            let seconds: f64 = text.parse().ok()?;
            (0.0..=SECONDS_MAX).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
        };
        text.split_once(':')
            .and_then(|(at, length)| {
                Some(Blackout { begins: seconds(at)?, lasts: seconds(length)? })
            })
            .ok_or_else(|| {
                format!(
                    "write when it begins and how long it lasts, in seconds up to {SECONDS_MAX}, \
                         as in 10:2.5"
                )
            })
    }
}

fn number<const LEAST: u32, const MOST: u32>(text: &str) -> Result<f32, String> {
    let allowed = LEAST as f32..=MOST as f32;
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| format!("give a number from {LEAST} to {MOST}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        conditions: Conditions,
    }

    fn parse(words: &str) -> Result<(Weather, Faults), String> {
        let program =
            Program::try_parse_from(std::iter::once("proxy").chain(words.split_whitespace()));
        let program = program.map_err(|error| error.to_string())?;
        program.conditions.resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_given_stands_in_place_of_the_profiles() {
        assert_eq!(parse(""), Ok((Profile::Lte.weather(), Faults::default())));
        assert_eq!(parse("--profile awful").unwrap().0, Profile::Awful.weather());
        let (weather, faults) = parse(
            "--profile awful --delay 30 --jitter 2.5 --loss 50 --burst 1 --reorder false --duplicate 2 \
             --rate 80 --queue 100 --mtu 1200 --blackout 3:2 --blackout 10.5:0.5",
        )
        .unwrap();
        let wanted =
            Weather { delay_ms: 30.0, jitter_ms: 2.5, loss: 0.5, burst: 1.0, reorders: false };
        assert_eq!(weather, wanted);
        let millis = Duration::from_millis;
        assert_eq!(faults.duplicate, 0.02);
        let bottleneck = Bottleneck { bytes_per_s: 10_000.0, queue: millis(100) };
        assert_eq!(faults.bottleneck, Some(bottleneck));
        assert_eq!(faults.datagram_bytes_max, Some(1200));
        assert_eq!(
            faults.blackouts[..],
            [millis(3000)..millis(5000), millis(10_500)..millis(11_000)]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (words, says) in [
            ("--loss 95", "from 0 to 90"),
            ("--loss NaN", "from 0 to 90"),
            ("--delay=-1", "from 0 to 10000"),
            ("--burst 0.5", "from 1 to 1000"),
            ("--rate 1", "from 8 to"),
            ("--mtu 20", "64.."),
            ("--blackout 5", "as in 10:2.5"),
            ("--blackout 5:x", "as in 10:2.5"),
            ("--blackout 5:-1", "as in 10:2.5"),
            ("--profile lan --jitter 5", "give --jitter 0 or less, or a longer --delay"),
            ("--profile wifi --loss 75", "give --burst 3 or more"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(says), "{words}: {error}");
        }
    }
}
