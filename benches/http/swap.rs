//! A new version of 10,000 policies under constant load: nobody may notice.

use std::{thread, time::Duration};

use serde::Deserialize;

use crate::{
    Options,
    host::{Host, Taken},
    steady::{Sample, Sender, Steady, percentile},
    target::{Target, timed, with_store},
    world::World,
    wrk::Load,
};

/// Share of what the server can do, at which it is asked.
const SHARE: f64 = 0.3;
/// Time before, between and after the swaps.
const QUIET: Duration = Duration::from_secs(6);

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
    let host = Host::watch();
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
    report(&load.end(), &host.end(), &swaps, policies);
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

fn report(samples: &[Sample], host: &Taken, swaps: &[Swap], policies: u64) {
    let faults: Vec<&String> = samples.iter().filter_map(|sample| sample.fault.as_ref()).collect();
    println!("\n{} requests, {} failed or contradicted their version", samples.len(), faults.len());
    faults.iter().take(5).for_each(|fault| println!("  {fault}"));
    let within = |from: Duration, to: Duration| -> Vec<Sample> {
        samples.iter().filter(|sample| (from..to).contains(&sample.due)).cloned().collect()
    };
    let second = Duration::from_secs(1);
    let seconds =
        swaps.iter().flat_map(|swap| (2..=5).map(|back| swap.publish.saturating_sub(back * second)));
    let seconds: Vec<Vec<Sample>> = seconds.map(|from| within(from, from + second)).collect();
    let quiet = seconds.concat();
    let ms = |samples: &[Sample], share: f64| percentile(samples, share).as_secs_f64() * 1e3;
    let calm = ms(&quiet, 0.99);
    println!("quiet: p50 {:.2} ms, p99 {calm:.2} ms", ms(&quiet, 0.5));
    // What the machine alone does to a second: what ratios of swaps are to be read beside.
    let mut alone: Vec<f64> = seconds.iter().map(|samples| ms(samples, 0.99) / calm).collect();
    alone.sort_by(|a, b| b.total_cmp(a));
    let worst: Vec<String> = alone.iter().take(5).map(|ratio| format!("{ratio:.1}")).collect();
    println!("the highest ratios of {} quiet seconds: {}", alone.len(), worst.join(", "));
    let taken = |from: Duration| host.within(from, from + second).as_millis();
    println!(
        "\n| swap to {policies} policies | publish, s | activate, ms | p99 while publishing, ms | p99 in the swap second, ms | ratio | worst, ms | taken by the host, ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (number, swap) in (1..).zip(swaps) {
        let publishing = within(swap.publish, swap.activate);
        let middle = swap.activate + (swap.done - swap.activate) / 2;
        let around = within(middle.saturating_sub(second / 2), middle + second / 2);
        let p99 = ms(&around, 0.99);
        println!(
            "| {number} | {:.2} | {:.1} | {:.2} | {p99:.2} | {:.1} | {:.2} | {} |",
            (swap.activate - swap.publish).as_secs_f64(),
            (swap.done - swap.activate).as_secs_f64() * 1e3,
            ms(&publishing, 0.99),
            p99 / calm,
            ms(&around, 1.0),
            taken(middle.saturating_sub(second / 2)),
        );
    }
    assert!(faults.is_empty(), "requests failed, or their answers contradicted themselves");
}
