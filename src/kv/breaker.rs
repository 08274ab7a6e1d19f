//! Stops asking a server that does not answer, so that an outage costs callers no time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::base::{Clock, Millis};

/// Failures in a row after which the server is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone before one caller tries again.
const REST: Duration = Duration::from_secs(2);

/// Closed while the server answers; open after [`FAILURES`] in a row; one trial a [`REST`] while open.
#[derive(Debug)]
pub(super) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When it opened, or when the last trial was let through.
    resting_since: Option<Millis>,
    /// Whether a trial is under way.
    trying: bool,
}

/// What a failure did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was counted, or came late from a call that began before the breaker opened.
    Counted,
    /// The server is given up.
    Opened,
    /// The trial failed.
    StillOpen,
}

impl Breaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Whether this caller may ask the server.
    pub(super) fn admits(&self) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        match state.resting_since {
            // `now >= since`: a clock that jumped back must not keep it open.
            Some(since) if now >= since && now.since(since) < REST => false,
            Some(_) => {
                state.resting_since = Some(now);
                state.trying = true;
                true
            }
            None => true,
        }
    }

    /// The server answered. True: it had been given up before.
    pub(super) fn answered(&self) -> bool {
        std::mem::take(&mut *self.state()).resting_since.is_some()
    }

    /// The server did not answer.
    pub(super) fn failed(&self) -> Failure {
        let now = self.clock.now();
        let mut state = self.state();
        if state.resting_since.is_some() {
            return if std::mem::take(&mut state.trying) { Failure::StillOpen } else { Failure::Counted };
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return Failure::Counted;
        }
        state.resting_since = Some(now);
        Failure::Opened
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ManualClock;

    #[test]
    fn rests_after_five_failures_and_lets_one_through_at_a_time() {
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let breaker = Breaker::new(clock.clone());
        for _ in 0..4 {
            assert_eq!(breaker.failed(), Failure::Counted);
            assert!(breaker.admits());
        }
        assert_eq!(breaker.failed(), Failure::Opened);
        assert_eq!(breaker.failed(), Failure::Counted, "a late one");
        assert!(!breaker.admits());
        clock.advance(REST);
        assert!(breaker.admits() && !breaker.admits(), "one trial");
        assert_eq!(breaker.failed(), Failure::StillOpen);
        assert!(!breaker.admits());
        clock.advance(REST);
        assert!(breaker.admits());
        assert!(breaker.answered() && !breaker.answered());
        assert_eq!(breaker.failed(), Failure::Counted, "counts from zero again");
        assert!(breaker.admits());
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_keep_it_open() {
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let breaker = Breaker::new(clock.clone());
        (0..FAILURES).for_each(|_| _ = breaker.failed());
        assert!(!breaker.admits());
        clock.set(Millis(0));
        assert!(breaker.admits());
    }
}
