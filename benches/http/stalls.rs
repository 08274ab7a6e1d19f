//! Moments in which a processor of the machine stood still. On each a thread that runs before all others wakes twice a
//! millisecond; when it wakes late, the host had the processor or the kernel was busy, and no program ran there. The
//! kernel may have been busy for a program, also for the server: only a trace tells (`docs/performance.md`).

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{realtime, steady::Sample};

/// Between two wakes.
const GAP: Duration = Duration::from_micros(500);
/// What a wake may be late.
const LATE: Duration = Duration::from_micros(500);
/// What a request takes at the very most.
const LONGEST: Duration = Duration::from_secs(1);
/// Above whatever else of a bench runs before ordinary threads.
const PRIORITY: u8 = 80;

/// The threads that watch, until they are ended.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Option<Vec<Range<Duration>>>>>,
}

impl Watch {
    /// Watches each processor; moments count from `began`.
    pub(crate) fn start(began: Instant) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..processors).map(|processor| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || realtime::rise(PRIORITY, Some(processor)).then(|| watch(began, &stop)))
        });
        Self { threads: threads.collect(), stop }
    }

    /// Ends it, with the requests of that time in the order in which they were due; nothing where the system lets no
    /// thread run before others.
    pub(crate) fn end(self, samples: &[Sample]) -> Option<Stalls> {
        self.stop.store(true, Ordering::Relaxed);
        let each: Option<Vec<_>> = self.threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let still = joined(each?.concat());
        let queued = still.iter().map(|stall| stall.start..answered(stall, samples)).collect();
        Some(Stalls { still, queued: joined(queued) })
    }
}

fn watch(began: Instant, stop: &AtomicBool) -> Vec<Range<Duration>> {
    let mut stalls = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let due = began.elapsed() + GAP;
        thread::sleep(GAP);
        let woke = began.elapsed();
        if woke > due + LATE {
            stalls.push(due..woke);
        }
    }
    stalls
}

/// When the requests were answered that were on their way in a stall: at the latest once it is over for as long as it
/// took. A queue is gone sooner at the share of its capacity at which a server is asked here; what takes longer is its
/// own doing.
fn answered(stall: &Range<Duration>, samples: &[Sample]) -> Duration {
    let due_by = samples.partition_point(|sample| sample.due < stall.end);
    let on_their_way = samples[..due_by].iter().rev().take_while(|sample| sample.due + LONGEST > stall.start);
    let answered = on_their_way.map(|sample| sample.due + sample.latency).fold(stall.end, Duration::max);
    answered.min(stall.end + (stall.end - stall.start))
}

/// In their order, overlapping ones as one.
fn joined(mut each: Vec<Range<Duration>>) -> Vec<Range<Duration>> {
    each.sort_by_key(|stall| stall.start);
    let mut joined: Vec<Range<Duration>> = Vec::new();
    for stall in each {
        match joined.last_mut() {
            Some(last) if stall.start <= last.end => last.end = last.end.max(stall.end),
            _ => joined.push(stall),
        }
    }
    joined
}

/// When a processor stood still.
#[derive(Debug)]
pub(crate) struct Stalls {
    still: Vec<Range<Duration>>,
    /// The same, each until what had been waiting was answered.
    queued: Vec<Range<Duration>>,
}

impl Stalls {
    /// How long in all, between two moments.
    pub(crate) fn within(&self, between: &Range<Duration>) -> Duration {
        let part = |stall: &Range<Duration>| {
            stall.end.min(between.end).saturating_sub(stall.start.max(between.start))
        };
        self.still.iter().map(part).sum()
    }

    /// Whether a request was on its way in such a moment, or came while those were waiting. Whoever came later, and
    /// waited for these, was not.
    pub(crate) fn held_up(&self, sample: &Sample) -> bool {
        let next = self.queued.partition_point(|stall| stall.end <= sample.due);
        self.queued.get(next).is_some_and(|stall| stall.start < sample.due + sample.latency)
    }
}
