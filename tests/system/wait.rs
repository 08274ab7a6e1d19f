//! Waiting with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Pause between two looks.
const INTERVAL: Duration = Duration::from_millis(15);

/// Looks until there is something, and answers it with the time that it took; panics, saying `what` was
/// awaited, when there is nothing within `limit`.
#[track_caller]
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> (T, Duration) {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return (found, began.elapsed());
        }
        assert!(began.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(INTERVAL);
    }
}

/// [`until`] with a condition.
#[track_caller]
pub(crate) fn until_true(what: &str, limit: Duration, mut look: impl FnMut() -> bool) -> Duration {
    until(what, limit, || look().then_some(())).1
}

/// A number that looks random and follows from `seed` alone (the finaliser of `SplitMix64`).
pub(crate) fn scatter(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
