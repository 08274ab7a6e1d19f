//! What swaps did to the requests beside them, and what the machine did to these by itself.

use std::{ops::Range, time::Duration};

use crate::{
    stalls::Stalls,
    steady::{Sample, percentile},
    swap::Swap,
};

const SECOND: Duration = Duration::from_secs(1);
/// What a p99 leaves out of a second: a processor that stands still for longer can decide it by itself.
const LEFT_OUT: Duration = Duration::from_millis(10);

/// The requests of a run, told apart by seconds.
pub(crate) struct Report<'a> {
    samples: &'a [Sample],
    stalls: Option<Stalls>,
    swaps: &'a [Swap],
    quiet: Vec<Span<'a>>,
    /// The second around each activation.
    around: Vec<Span<'a>>,
    /// p99 of all quiet seconds together.
    calm: Both,
}

/// What was due between two moments.
struct Span<'a> {
    between: Range<Duration>,
    samples: &'a [Sample],
}

/// A figure of some requests, and the same of those of them which the machine did not hold up.
#[derive(Clone, Copy)]
struct Both {
    all: f64,
    own: f64,
}

impl<'a> Span<'a> {
    /// `samples` are in the order in which they were due.
    fn of(samples: &'a [Sample], between: Range<Duration>) -> Self {
        let place = |moment| samples.partition_point(|sample| sample.due < moment);
        let (from, to) = (place(between.start), place(between.end));
        Self { between, samples: &samples[from..to.max(from)] }
    }
}

impl<'a> Report<'a> {
    /// `samples` are in the order in which they were due; no stalls: what the machine did is not known.
    pub(crate) fn new(samples: &'a [Sample], stalls: Option<Stalls>, swaps: &'a [Swap]) -> Self {
        let second = |from: Duration| Span::of(samples, from..from + SECOND);
        let before = |swap: &'a Swap| (2..=5).map(|back| swap.publish.saturating_sub(back * SECOND));
        let middle = |swap: &Swap| swap.activate + (swap.done - swap.activate) / 2;
        let quiet: Vec<Span<'_>> = swaps.iter().flat_map(before).map(second).collect();
        Self {
            calm: latency(&quiet, stalls.as_ref(), 0.99),
            quiet,
            around: swaps.iter().map(|swap| second(middle(swap).saturating_sub(SECOND / 2))).collect(),
            samples,
            stalls,
            swaps,
        }
    }

    /// Prints it, and panics where a request failed or was answered from two versions.
    pub(crate) fn print(&self, policies: u64) {
        let faults: Vec<&String> = self.samples.iter().filter_map(|sample| sample.fault.as_ref()).collect();
        println!("\n{} requests, {} failed or contradicted their version", self.samples.len(), faults.len());
        faults.iter().take(5).for_each(|fault| println!("  {fault}"));
        self.print_seconds();
        self.print_swaps(policies);
        assert!(faults.is_empty(), "requests failed, or their answers contradicted themselves");
    }

    /// What ratios of swaps are to be read beside.
    fn print_seconds(&self) {
        let (p50, p99) = (self.latency(&self.quiet, 0.5), self.calm);
        println!(
            "quiet: p50 {:.2} ms, p99 {:.2} ms, without what the machine held up {:.2} ms",
            p50.all, p99.all, p99.own
        );
        let mut alone: Vec<Both> = self.quiet.chunks(1).map(|span| self.ratio(span)).collect();
        alone.sort_by(|a, b| b.all.total_cmp(&a.all));
        let worst: Vec<String> =
            alone.iter().take(5).map(|ratio| format!("{:.1} ({:.1})", ratio.all, ratio.own)).collect();
        println!("the highest ratios of {} quiet seconds: {}", alone.len(), worst.join(", "));
        let together = self.ratio(&self.around);
        println!("all swap seconds together: {:.1} ({:.1})", together.all, together.own);
        if self.stalls.is_none() {
            return println!(
                "this system lets no thread run before others: when a processor stood still is not known"
            );
        }
        println!(
            "a processor stood still {:.1} ms of a quiet second, {:.1} ms of a swap second; for less than {} ms in {} and {}",
            ms(self.still(&self.quiet)),
            ms(self.still(&self.around)),
            LEFT_OUT.as_millis(),
            self.undisturbed(&self.quiet, "quiet seconds"),
            self.undisturbed(&self.around, "swap seconds"),
        );
    }

    fn print_swaps(&self, policies: u64) {
        println!(
            "\n| swap to {policies} policies | publish, s | activate, ms | p99 while publishing, ms | p99 in the swap second, ms | ratio | worst, ms | a processor stood still, ms | ratio without what that held up |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        for ((number, swap), around) in (1..).zip(self.swaps).zip(self.around.chunks(1)) {
            let publishing = Span::of(self.samples, swap.publish..swap.activate);
            let ratio = self.ratio(around);
            println!(
                "| {number} | {:.2} | {:.1} | {:.2} | {:.2} | {:.1} | {:.2} | {:.1} | {:.1} |",
                (swap.activate - swap.publish).as_secs_f64(),
                ms(swap.done - swap.activate),
                self.latency(&[publishing], 0.99).all,
                self.latency(around, 0.99).all,
                ratio.all,
                self.latency(around, 1.0).all,
                ms(self.still(around)),
                ratio.own,
            );
        }
    }

    fn latency(&self, spans: &[Span<'_>], share: f64) -> Both {
        latency(spans, self.stalls.as_ref(), share)
    }

    /// p99, over that of all quiet seconds together.
    fn ratio(&self, spans: &[Span<'_>]) -> Both {
        let here = self.latency(spans, 0.99);
        Both { all: here.all / self.calm.all, own: here.own / self.calm.own }
    }

    /// For how long a processor stood still in one of these, on average.
    fn still(&self, spans: &[Span<'_>]) -> Duration {
        let within = |span: &Span<'_>| {
            self.stalls.as_ref().map_or(Duration::ZERO, |stalls| stalls.within(&span.between))
        };
        spans.iter().map(within).sum::<Duration>() / u32::try_from(spans.len()).unwrap()
    }

    /// How many of these seconds are the server's alone, and the highest ratio of them.
    fn undisturbed(&self, spans: &[Span<'_>], name: &str) -> String {
        let calm = spans.chunks(1).filter(|span| self.still(span) < LEFT_OUT);
        let ratios: Vec<f64> = calm.map(|span| self.ratio(span).all).collect();
        match ratios.iter().copied().reduce(f64::max) {
            Some(highest) => format!("{} {name} (at most {highest:.1})", ratios.len()),
            None => format!("no {name}"),
        }
    }
}

/// The latency in milliseconds that `share` of the requests do not exceed.
fn latency(spans: &[Span<'_>], stalls: Option<&Stalls>, share: f64) -> Both {
    let all: Vec<Sample> = spans.iter().flat_map(|span| span.samples).cloned().collect();
    let held_up = |sample: &&Sample| stalls.is_some_and(|stalls| stalls.held_up(sample));
    let own: Vec<Sample> = all.iter().filter(|sample| !held_up(sample)).cloned().collect();
    Both { all: ms(percentile(&all, share)), own: ms(percentile(&own, share)) }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
