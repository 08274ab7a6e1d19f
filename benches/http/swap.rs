//! A new version of 10,000 policies under constant load: nobody may notice.

use std::{ops::Range, thread, time::Duration};

use serde::Deserialize;

use crate::{
    Options,
    stalls::{Stalls, Watch},
    steady::{Sample, Sender, Steady, percentile},
    target::{Target, timed, with_store},
    world::World,
    wrk::Load,
};

/// Share of what the server can do, at which it is asked.
const SHARE: f64 = 0.3;
/// Time before, between and after the swaps.
const QUIET: Duration = Duration::from_secs(6);
const SECOND: Duration = Duration::from_secs(1);

/// One swap: when its publish began, when its activation began and ended, since the load began.
struct Swap {
    publish: Duration,
    activate: Duration,
    done: Duration,
}

pub(crate) fn measure(options: &Options) {
    let policies = options.policies.iter().copied().max().unwrap_or(10_000);
    let world = World { policies, entities: options.entities };
    let target = Target::start();
    timed("publish, activate and store the entities", || target.fill(world));
    // Version 1 has ids without a mark; from here on each id names the version that it is of.
    let first = target.publish(&world.files("-v2"));
    assert_eq!(first, 2);
    target.activate(first);
    let bodies: Vec<String> =
        world.questions(20_000).iter().map(|asked| with_store(asked.body()).to_string()).collect();
    let capacity = Load::new("/v1/authorize", target.token(), &bodies).run(target.url(), 5).rate;
    let rate = options.rate.unwrap_or(capacity * SHARE);
    println!("capacity {capacity:.0} requests a second; asked at {rate:.0}");

    // Whoever publishes is elsewhere: here it costs no more than sending and receiving.
    let versions: Vec<String> = (3..3 + options.rounds as i64)
        .map(|number| target.publishing(&world.files(&format!("-v{number}"))))
        .collect();
    let address = target.url().trim_start_matches("http://").parse().unwrap();
    let load = Steady::start(address, target.token(), &bodies, rate, contradiction);
    let watch = Watch::start(load.began());
    thread::sleep(QUIET);
    let mut swaps = Vec::new();
    for (number, publishing) in (3..).zip(&versions) {
        let activating = target.activating(number);
        thread::sleep(QUIET);
        let mut sender = Sender::new(address);
        let publish = load.elapsed();
        let published = sender.ask(publishing).unwrap();
        let activate = load.elapsed();
        let start = String::from_utf8_lossy(&published[..published.len().min(200)]);
        assert!(start.contains(&format!("\"version\":{number},")), "{start}");
        sender.ask(&activating).unwrap();
        swaps.push(Swap { publish, activate, done: load.elapsed() });
    }
    thread::sleep(QUIET);
    let samples = load.end();
    report(&samples, watch.end(&samples).as_ref(), &swaps, policies);
}

/// What an answer must say.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    policy_version: i64,
    #[serde(borrow)]
    determining_policies: Vec<Determining<'a>>,
}

#[derive(Debug, Deserialize)]
struct Determining<'a> {
    policy_id: &'a str,
}

/// What is wrong with an answer: it cannot be read, or has a version and a policy that is of another.
fn contradiction(answer: &[u8]) -> Option<String> {
    let answer: Answer<'_> = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(error) => return Some(error.to_string()),
    };
    let mark = format!("-v{}", answer.policy_version);
    let other = answer.determining_policies.iter().find(|policy| !policy.policy_id.ends_with(&mark))?;
    Some(format!("version {} and policy {}", answer.policy_version, other.policy_id))
}

/// What was due between two moments.
struct Span<'a> {
    between: Range<Duration>,
    samples: &'a [Sample],
}

impl<'a> Span<'a> {
    /// `samples` are in the order in which they were due.
    fn of(samples: &'a [Sample], between: Range<Duration>) -> Self {
        let place = |moment| samples.partition_point(|sample| sample.due < moment);
        let (from, to) = (place(between.start), place(between.end));
        Self { between, samples: &samples[from..to.max(from)] }
    }
}

/// The latency in milliseconds that `share` of these requests do not exceed, and that of those of them which the
/// machine did not hold up.
fn latency(spans: &[Span<'_>], stalls: Option<&Stalls>, share: f64) -> (f64, f64) {
    let all: Vec<Sample> = spans.iter().flat_map(|span| span.samples).cloned().collect();
    let held_up = |sample: &&Sample| stalls.is_some_and(|stalls| stalls.held_up(sample));
    let own: Vec<Sample> = all.iter().filter(|sample| !held_up(sample)).cloned().collect();
    let ms = |samples: &[Sample]| percentile(samples, share).as_secs_f64() * 1e3;
    (ms(&all), ms(&own))
}

fn report(samples: &[Sample], stalls: Option<&Stalls>, swaps: &[Swap], policies: u64) {
    let faults: Vec<&String> = samples.iter().filter_map(|sample| sample.fault.as_ref()).collect();
    println!("\n{} requests, {} failed or contradicted their version", samples.len(), faults.len());
    faults.iter().take(5).for_each(|fault| println!("  {fault}"));
    if stalls.is_none() {
        println!("this system lets no thread run before others: what the machine held up is not known");
    }
    let second = |from: Duration| Span::of(samples, from..from + SECOND);
    let quiet: Vec<Span<'_>> = swaps
        .iter()
        .flat_map(|swap| (2..=5).map(|back| second(swap.publish.saturating_sub(back * SECOND))))
        .collect();
    let around: Vec<Span<'_>> = swaps
        .iter()
        .map(|swap| second((swap.activate + (swap.done - swap.activate) / 2).saturating_sub(SECOND / 2)))
        .collect();
    let calm = latency(&quiet, stalls, 0.99);
    println!(
        "quiet: p50 {:.2} ms, p99 {:.2} ms, without what the machine held up {:.2} ms",
        latency(&quiet, stalls, 0.5).0,
        calm.0,
        calm.1
    );
    let ratios = |span: &[Span<'_>]| {
        let (all, own) = latency(span, stalls, 0.99);
        (all / calm.0, own / calm.1)
    };
    // What the machine alone does to a second: what ratios of swaps are to be read beside.
    let mut alone: Vec<(f64, f64)> = quiet.chunks(1).map(ratios).collect();
    alone.sort_by(|a, b| b.0.total_cmp(&a.0));
    let worst: Vec<String> = alone.iter().take(5).map(|(all, own)| format!("{all:.1} ({own:.1})")).collect();
    println!("the highest ratios of {} quiet seconds: {}", alone.len(), worst.join(", "));
    let (all, own) = ratios(&around);
    let still = |spans: &[Span<'_>]| {
        let each =
            spans.iter().map(|span| stalls.map_or(Duration::ZERO, |stalls| stalls.within(&span.between)));
        (each.sum::<Duration>() / u32::try_from(spans.len()).unwrap()).as_secs_f64() * 1e3
    };
    println!(
        "the machine stood still {:.1} ms of a quiet second, {:.1} ms of a swap second",
        still(&quiet),
        still(&around)
    );
    println!("all swap seconds together: {all:.1} ({own:.1})");
    // A p99 leaves out a hundredth of a second: a machine that stands still for longer decides it by itself.
    let undisturbed = |spans: &[Span<'_>]| {
        let calm = spans.chunks(1).filter(|span| still(span) < SECOND.as_secs_f64() * 1e3 / 100.0);
        let ratios: Vec<f64> = calm.map(|span| ratios(span).0).collect();
        format!("{:.1} in the worst of {}", ratios.iter().copied().fold(0.0, f64::max), ratios.len())
    };
    println!(
        "where it stood still for less than a hundredth of a second: {} quiet seconds, {} swap seconds",
        undisturbed(&quiet),
        undisturbed(&around)
    );
    println!(
        "\n| swap to {policies} policies | publish, s | activate, ms | p99 while publishing, ms | p99 in the swap second, ms | ratio | worst, ms | the machine stood still, ms | ratio without what that held up |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for ((number, swap), around) in (1..).zip(swaps).zip(around.chunks(1)) {
        let publishing = Span::of(samples, swap.publish..swap.activate);
        let (all, own) = ratios(around);
        println!(
            "| {number} | {:.2} | {:.1} | {:.2} | {:.2} | {all:.1} | {:.2} | {:.1} | {own:.1} |",
            (swap.activate - swap.publish).as_secs_f64(),
            (swap.done - swap.activate).as_secs_f64() * 1e3,
            latency(&[publishing], stalls, 0.99).0,
            all * calm.0,
            latency(around, stalls, 1.0).0,
            still(around),
        );
    }
    assert!(faults.is_empty(), "requests failed, or their answers contradicted themselves");
}
