//! What counting a decision and a request costs.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use bailiwick::telemetry::metrics::{Method, Metrics, Outcome};

/// Calls of a thread in one slice.
const ROUNDS: u32 = 200_000;
/// Slices.
const SLICES: u32 = 50;

pub(crate) fn measure() {
    let metrics = Metrics::new();
    for threads in [1, 2] {
        let decided = nanoseconds(threads, |round| {
            let took = Duration::from_nanos(u64::from(round % 4_096));
            metrics.decided(black_box("app"), Outcome::of(round % 2 == 0), took, round % 64);
        });
        let answered = nanoseconds(threads, |round| {
            let took = Duration::from_nanos(u64::from(round));
            metrics.answered(black_box("/v1/authorize"), Method::Post, 200, took);
        });
        println!("{threads} threads: {decided:.0} ns a decision, {answered:.0} ns a request");
    }
}

/// Time of one call, while so many threads make it: the best of many slices, since others use the machine too.
fn nanoseconds(threads: u32, call: impl Fn(u32) + Sync) -> f64 {
    let slice = || {
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| (0..ROUNDS).for_each(&call));
            }
        });
        began.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    };
    (0..SLICES).map(|_| slice()).fold(f64::INFINITY, f64::min)
}
