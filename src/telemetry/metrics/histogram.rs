//! A histogram of whole numbers without a lock.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

use super::sums::Sums;

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;
const S: u64 = 1_000 * MS;

/// What is observed, in which steps and how it is shown.
#[derive(Debug)]
pub(super) struct Scale {
    /// Upper bounds of the buckets, ascending, in the unit of what is observed.
    bounds: &'static [u64],
    /// How many of that unit are one of the unit shown.
    per_shown: u32,
}

/// Decisions: nanoseconds, shown in seconds.
pub(super) const DECISION_TIME: Scale = Scale {
    bounds: &[
        US,
        2 * US,
        5 * US,
        10 * US,
        20 * US,
        50 * US,
        100 * US,
        200 * US,
        500 * US,
        MS,
        2 * MS,
        5 * MS,
        10 * MS,
        20 * MS,
        50 * MS,
        100 * MS,
        200 * MS,
        500 * MS,
        S,
    ],
    per_shown: 1_000_000_000,
};

/// Requests: nanoseconds, shown in seconds.
pub(super) const REQUEST_TIME: Scale = Scale {
    bounds: &[
        100 * US,
        250 * US,
        500 * US,
        MS,
        5 * MS / 2,
        5 * MS,
        10 * MS,
        25 * MS,
        50 * MS,
        100 * MS,
        250 * MS,
        500 * MS,
        S,
        5 * S / 2,
        5 * S,
        10 * S,
    ],
    per_shown: 1_000_000_000,
};

/// Compiles: nanoseconds, shown in seconds.
pub(super) const COMPILE_TIME: Scale = Scale {
    bounds: &[MS, 5 * MS, 25 * MS, 100 * MS, 500 * MS, S, 2 * S, 5 * S, 10 * S, 30 * S, 60 * S],
    per_shown: 1_000_000_000,
};

/// Numbers of candidates.
pub(super) const CANDIDATES: Scale =
    Scale { bounds: &[0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096, 16_384, 65_536], per_shown: 1 };

/// Observations in buckets. A clone is the same histogram.
#[derive(Debug, Clone)]
pub(super) struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    scale: &'static Scale,
    /// A count for each bound and one for what is above the last; then the sum of all that was observed.
    sums: Sums,
}

impl Histogram {
    /// Nothing observed yet.
    pub(super) fn new(scale: &'static Scale) -> Self {
        Self(Arc::new(Buckets { scale, sums: Sums::new(scale.bounds.len() + 2) }))
    }

    /// Counts one observation: two additions, a few nanoseconds.
    pub(super) fn observe(&self, value: u64) {
        let Buckets { scale, sums } = &*self.0;
        sums.add(scale.bounds.partition_point(|bound| *bound < value), 1);
        sums.add(scale.bounds.len() + 1, value);
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Buckets { scale, sums } = &*self.0;
        let bounds = scale.bounds.iter().map(|bound| shown(*bound, scale)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip((0..).map(|bucket| sums.get(bucket))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = shown(sums.get(scale.bounds.len() + 1), scale);
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and a sum beyond that may be rounded")]
fn shown(value: u64, scale: &Scale) -> f64 {
    value as f64 / f64::from(scale.per_shown)
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text, registry::Registry};

    use super::{CANDIDATES, DECISION_TIME, Histogram};

    fn shown(histogram: &Histogram) -> String {
        let (mut registry, mut out) = (Registry::default(), String::new());
        registry.register("h", "x", histogram.clone());
        text::encode(&mut out, &registry).unwrap();
        out
    }

    #[test]
    fn a_value_counts_in_the_first_bucket_that_it_does_not_exceed() {
        let histogram = Histogram::new(&CANDIDATES);
        for value in [0, 1, 3, 4, 5, 65_536, 65_537, u64::MAX / 2] {
            histogram.observe(value);
        }
        let text = shown(&histogram);
        for line in [
            "h_bucket{le=\"0.0\"} 1\n",
            "h_bucket{le=\"1.0\"} 2\n",
            "h_bucket{le=\"2.0\"} 2\n",
            "h_bucket{le=\"4.0\"} 4\n",
            "h_bucket{le=\"8.0\"} 5\n",
            "h_bucket{le=\"65536.0\"} 6\n",
            "h_bucket{le=\"+Inf\"} 8\n",
            "h_count 8\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn nanoseconds_are_shown_as_seconds() {
        let histogram = Histogram::new(&DECISION_TIME);
        histogram.observe(1_500);
        histogram.observe(500_000_000);
        let text = shown(&histogram);
        for line in [
            "h_sum 0.5000015\n",
            "h_bucket{le=\"0.000001\"} 0\n",
            "h_bucket{le=\"0.000002\"} 1\n",
            "h_bucket{le=\"0.2\"} 1\n",
            "h_bucket{le=\"0.5\"} 2\n",
            "h_bucket{le=\"1.0\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
