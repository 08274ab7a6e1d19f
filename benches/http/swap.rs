//! A new version of 10,000 policies under constant load: nobody may notice.

use std::{thread, time::Duration};

use serde::Deserialize;

use crate::{
    Options,
    steady::{Sample, Steady, percentile},
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

    let address = target.url().trim_start_matches("http://").parse().unwrap();
    let load = Steady::start(address, target.token(), &bodies, rate, contradiction);
    thread::sleep(QUIET);
    let mut swaps = Vec::new();
    for number in 3..3 + options.rounds as i64 {
        let files = world.files(&format!("-v{number}"));
        thread::sleep(QUIET); // what making the files disturbed is over
        let publish = load.elapsed();
        assert_eq!(target.publish(&files), number);
        let activate = load.elapsed();
        target.activate(number);
        swaps.push(Swap { publish, activate, done: load.elapsed() });
    }
    thread::sleep(QUIET);
    report(&load.end(), &swaps, policies);
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

fn report(samples: &[Sample], swaps: &[Swap], policies: u64) {
    let faults: Vec<&String> = samples.iter().filter_map(|sample| sample.fault.as_ref()).collect();
    println!("\n{} requests, {} failed or contradicted their version", samples.len(), faults.len());
    faults.iter().take(5).for_each(|fault| println!("  {fault}"));
    let within = |from: Duration, to: Duration| -> Vec<Sample> {
        samples.iter().filter(|sample| (from..to).contains(&sample.due)).cloned().collect()
    };
    let second = Duration::from_secs(1);
    let quiet: Vec<Sample> = swaps
        .iter()
        .flat_map(|swap| within(swap.publish.saturating_sub(5 * second), swap.publish.saturating_sub(second)))
        .collect();
    let calm = percentile(&quiet, 0.99).as_secs_f64() * 1e3;
    println!("quiet: p50 {:.2} ms, p99 {calm:.2} ms", percentile(&quiet, 0.5).as_secs_f64() * 1e3);
    println!(
        "\n| swap to {policies} policies | publish, s | activate, ms | p99 while publishing, ms | p99 in the swap second, ms | ratio | worst, ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (number, swap) in (1..).zip(swaps) {
        let publishing = within(swap.publish, swap.activate);
        let middle = swap.activate + (swap.done - swap.activate) / 2;
        let around = within(middle.saturating_sub(second / 2), middle + second / 2);
        let p99 = percentile(&around, 0.99).as_secs_f64() * 1e3;
        println!(
            "| {number} | {:.2} | {:.1} | {:.2} | {p99:.2} | {:.1} | {:.2} |",
            (swap.activate - swap.publish).as_secs_f64(),
            (swap.done - swap.activate).as_secs_f64() * 1e3,
            percentile(&publishing, 0.99).as_secs_f64() * 1e3,
            p99 / calm,
            percentile(&around, 1.0).as_secs_f64() * 1e3,
        );
    }
    assert!(faults.is_empty(), "requests failed, or their answers contradicted themselves");
}
