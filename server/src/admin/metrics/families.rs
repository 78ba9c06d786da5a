//! Families of metrics as the encoder takes them.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use super::TimeBuckets;

/// Writes one family after the other.
pub(super) struct Families<'a>(DescriptorEncoder<'a>);

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

impl<'a> Families<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Families(encoder)
    }

    /// A fact that is in its labels.
    pub(super) fn info(
        &mut self,
        name: &str,
        help: &str,
        facts: [(&str, &String); 2],
    ) -> fmt::Result {
        let facts = facts.map(|(label, value)| (label, value.as_str()));
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&facts)
    }

    /// A value of now.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl Into<GaugeNumber>,
    ) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value.into().0)
    }

    /// Values of now, each with its value of `label`.
    pub(super) fn gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value_of_label, value) in values {
            let number = GaugeNumber::from(value).0;
            family.encode_family(&[(label, value_of_label)])?.encode_gauge(&number)?;
        }
        Ok(())
    }

    /// A count since the server began; the name gets `_total`.
    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        count: impl EncodeCounterValue,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        family.encode_counter(&count, NO_EXEMPLAR)
    }

    /// Counts, each with its value of `label`.
    pub(super) fn counters<'v, N: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'v str, N)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value_of_label, count) in counts {
            family
                .encode_family(&[(label, value_of_label)])?
                .encode_counter(&count, NO_EXEMPLAR)?;
        }
        Ok(())
    }

    /// Times.
    pub(super) fn histogram(&mut self, name: &str, help: &str, times: &TimeBuckets) -> fmt::Result {
        let TimeBuckets { sum_s, count, buckets } = times;
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(*sum_s, *count, buckets, None)
    }
}

/// A number of a gauge.
pub(super) struct GaugeNumber(f64);

impl From<f64> for GaugeNumber {
    fn from(number: f64) -> Self {
        GaugeNumber(number)
    }
}

macro_rules! gauge_numbers {
    ($($ty:ty),*) => {
        $(impl From<$ty> for GaugeNumber {
            fn from(number: $ty) -> Self {
                GaugeNumber(number as f64)
            }
        })*
    };
}

gauge_numbers!(u64, usize);
