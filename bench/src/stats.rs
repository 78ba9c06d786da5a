//! The server's own statistics from its HTTP side, and medians.

use anyhow::Context as _;
use serde::Deserialize;

/// The reported part of `/stats.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServerStats {
    pub(crate) ticks: u64,
    pub(crate) lateness_us: Spread,
    pub(crate) tick_duration_us: Spread,
    pub(crate) ticks_skipped: u64,
    pub(crate) datagrams_in: u64,
    pub(crate) datagram_bytes_in: u64,
    pub(crate) datagrams_out: u64,
    pub(crate) datagram_bytes_out: u64,
}

/// Percentiles of a distribution.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Spread {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

/// Resets all counts.
pub(crate) fn reset(http: &str) -> anyhow::Result<()> {
    let url = format!("{}/stats/reset", http.trim_end_matches('/'));
    ureq::post(&url).send_empty().with_context(|| format!("POST {url}"))?;
    Ok(())
}

/// Reads the counts.
pub(crate) fn read(http: &str) -> anyhow::Result<ServerStats> {
    let url = format!("{}/stats.json", http.trim_end_matches('/'));
    let mut answer = ureq::get(&url).call().with_context(|| format!("GET {url}"))?;
    answer.body_mut().read_json().with_context(|| format!("reading {url}"))
}

/// The middle value; 0 for no values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
