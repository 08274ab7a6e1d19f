//! Rests of long work beside requests, so that they keep their cores.
//!
//! Whoever computes without a break keeps its core until the scheduler takes it away, three milliseconds and more
//! later; on a machine with as few cores as busy threads, a request waits that long. Work beside requests therefore
//! rests as long as it works, in stretches shorter than a request may be seen to wait.

use std::{
    cell::Cell,
    thread,
    time::{Duration, Instant},
};

use super::pace::Pace;

/// How long to work before a rest.
const STRETCH: Duration = Duration::from_micros(300);
/// The longest rest: work that was kept from its core has rested already.
const LONGEST_REST: Duration = Duration::from_millis(2);

/// The pace of work beside requests that want the core too.
pub(super) fn beside_requests() -> Pace {
    resting(thread::sleep)
}

/// The same, with rests that `rest` takes.
fn resting(rest: impl Fn(Duration) + Send + 'static) -> Pace {
    let since = Cell::new(Instant::now()); // the end of the last rest
    Pace::with(move || {
        let worked = since.get().elapsed();
        if worked >= STRETCH {
            rest(worked.min(LONGEST_REST));
            since.set(Instant::now());
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_rest_is_as_long_as_the_work_before_it_within_bounds() {
        let (rested, rests) = mpsc::channel();
        let pace = resting(move |rest| rested.send(rest).unwrap());
        let rest = loop {
            pace.step();
            if let Ok(rest) = rests.try_recv() {
                break rest;
            }
        };
        assert!((STRETCH..=LONGEST_REST).contains(&rest), "{rest:?}");
    }
}
