//! A new version of 10,000 policies under constant load: nobody may notice.

use std::{thread, time::Duration};

use serde::Deserialize;

use crate::{
    Options,
    report::Report,
    stalls::Watch,
    steady::{Sender, Steady},
    target::{Target, timed, with_store},
    world::World,
    wrk::Load,
};

/// Share of what the server can do, at which it is asked.
const SHARE: f64 = 0.3;
/// Time before, between and after the swaps.
const QUIET: Duration = Duration::from_secs(6);

/// One swap: when its publish began, when its activation began and ended, since the load began.
pub(crate) struct Swap {
    pub(crate) publish: Duration,
    pub(crate) activate: Duration,
    pub(crate) done: Duration,
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
    Report::new(&samples, watch.end(&samples), &swaps).print(policies);
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
