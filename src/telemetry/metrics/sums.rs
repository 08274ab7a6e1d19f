//! Sums that threads add to without meeting.
//!
//! An addition to memory that another processor has just written waits for it, some fifty times as long as one to
//! memory of one's own. So there are several lanes of each sum; a thread adds in its own, and who reads adds them up.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
};

use prometheus_client::metrics::counter;

/// Most lanes, however many processors there are.
const MOST_LANES: usize = 16;
/// Words between two lanes that nobody uses, so that they never share what a processor fetches at once.
const GAP: usize = 16;

static LANES: LazyLock<usize> =
    LazyLock::new(|| available_parallelism().map_or(1, usize::from).next_power_of_two().min(MOST_LANES));

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Where this thread adds; threads share a lane when there are more of them than lanes.
    static LANE: usize = NEXT.fetch_add(1, Relaxed) % *LANES;
}

/// Sums by their places.
#[derive(Debug)]
pub(super) struct Sums {
    count: usize,
    cells: Box<[AtomicU64]>,
}

/// A counter that threads add to without meeting.
pub(super) type Counter = counter::Counter<u64, Sums>;

impl Sums {
    /// So many sums, all zero.
    pub(super) fn new(count: usize) -> Self {
        let cells = (0..*LANES * (count + GAP)).map(|_| AtomicU64::new(0)).collect();
        Self { count, cells }
    }

    /// Adds to the sum at a place.
    pub(super) fn add(&self, place: usize, value: u64) {
        let lane = LANE.with(|lane| *lane);
        if let Some(cell) = self.cells.get(lane * (self.count + GAP) + place) {
            cell.fetch_add(value, Relaxed);
        }
    }

    /// The sum at a place, of what every thread added.
    pub(super) fn get(&self, place: usize) -> u64 {
        let lanes = self.cells.chunks(self.count + GAP);
        lanes.filter_map(|lane| lane.get(place)).fold(0, |sum, cell| sum.wrapping_add(cell.load(Relaxed)))
    }
}

impl Default for Sums {
    fn default() -> Self {
        Self::new(1)
    }
}

impl counter::Atomic<u64> for Sums {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    fn inc_by(&self, value: u64) -> u64 {
        self.add(0, value);
        value // nobody asks what it was before, which would be to read every lane
    }

    fn get(&self) -> u64 {
        self.get(0)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::scope;

    use super::Sums;

    #[test]
    fn what_every_thread_adds_is_in_the_sum() {
        let sums = Sums::new(3);
        scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..1_000).for_each(|_| sums.add(1, 2)));
            }
        });
        sums.add(2, u64::MAX);
        assert_eq!([0, 1, 2, 3].map(|place| sums.get(place)), [0, 80_000, u64::MAX, 0]);
    }
}
