//! What the host of a virtual machine took of its processors, moment by moment: `steal` of `proc_stat(5)`.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Between two looks. The system counts in hundredths of a second.
const GAP: Duration = Duration::from_millis(20);

/// Looks that go on until they are ended.
#[derive(Debug)]
pub(crate) struct Host {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<Vec<(Duration, Duration)>>,
}

impl Host {
    /// Begins to look; moments count from here.
    pub(crate) fn watch() -> Self {
        let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&stop);
        let looks = thread::spawn(move || {
            let mut looks = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                looks.push((began.elapsed(), taken()));
                thread::sleep(GAP);
            }
            looks
        });
        Self { stop, looks }
    }

    /// Ends it.
    pub(crate) fn end(self) -> Taken {
        self.stop.store(true, Ordering::Relaxed);
        Taken(self.looks.join().unwrap())
    }
}

/// What was taken since the start of the machine, at each moment.
pub(crate) struct Taken(Vec<(Duration, Duration)>);

impl Taken {
    /// What was taken of all processors together between two moments.
    pub(crate) fn within(&self, from: Duration, to: Duration) -> Duration {
        let before = |moment: Duration| {
            let next = self.0.partition_point(|(at, _)| *at < moment);
            self.0.get(next.min(self.0.len().saturating_sub(1))).map_or(Duration::ZERO, |(_, taken)| *taken)
        };
        before(to).saturating_sub(before(from))
    }
}

/// What was taken since the start of the machine; nothing where the system does not say.
fn taken() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse().ok());
    Duration::from_millis(10 * ticks.unwrap_or(0_u64))
}
