//! State of this process, bounded and ended by the [`Clock`].

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Allowance, KvError, Taken};
use crate::base::{Clock, Millis};

/// What an entry costs beside its key and value: two map slots, an allocation each, rounded up.
const ENTRY_BYTES: usize = 192;

/// State of this process. One lock, held for a few map operations and never while waiting.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    capacity: usize,
    table: Mutex<Table>,
}

/// How full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Entries kept, ended ones that were not swept yet included.
    pub entries: usize,
    /// What they cost, bytes.
    pub bytes: usize,
    /// Living entries that had to make room since start-up. Above zero: the capacity is too small.
    pub evicted: u64,
}

/// The entries, by key and by the order in which they end.
#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Arc<str>, Entry>,
    /// INVARIANT: holds exactly the keys of `entries`, each under its own `ends_at` and `number`.
    order: BTreeMap<(Millis, u64), Arc<str>>,
    bytes: usize,
    written: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    ends_at: Millis,
    number: u64,
}

impl Memory {
    /// Empty state of at most `capacity` bytes.
    pub(super) fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self(Arc::new(Inner { clock, capacity, table: Mutex::default() }))
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let table = self.table();
        Usage { entries: table.entries.len(), bytes: table.bytes, evicted: table.evicted }
    }

    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let now = self.0.clock.now();
        self.table().living(key, now).map(|entry| entry.value.clone())
    }

    pub(super) fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        let now = self.0.clock.now();
        self.table().insert(key, value.to_vec(), now.plus(ttl), now, self.0.capacity)
    }

    pub(super) fn delete(&self, key: &str) -> bool {
        let now = self.0.clock.now();
        self.table().remove(key).is_some_and(|entry| entry.ends_at > now)
    }

    pub(super) fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, KvError> {
        let now = self.0.clock.now();
        let mut table = self.table();
        if table.living(key, now).map(|entry| entry.value.as_slice()) != expected {
            return Ok(false);
        }
        table.insert(key, value.to_vec(), now.plus(ttl), now, self.0.capacity).map(|()| true)
    }

    pub(super) fn increment(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, KvError> {
        let now = self.0.clock.now();
        let mut table = self.table();
        let (count, ends_at) = match table.living(key, now) {
            Some(entry) => (parse(&entry.value).ok_or(KvError::NotACounter)?, entry.ends_at),
            None => (0, now.plus(ttl)),
        };
        let sum = count.checked_add(by).ok_or(KvError::NotACounter)?;
        table.insert(key, sum.to_string().into_bytes(), ends_at, now, self.0.capacity).map(|()| sum)
    }

    pub(super) fn take(
        &self,
        key: &str,
        allowance: Allowance,
        at: Millis,
        ttl: Duration,
    ) -> Result<Taken, KvError> {
        let now = self.0.clock.now();
        let mut table = self.table();
        let until = match table.living(key, now) {
            Some(entry) => parse(&entry.value).ok_or(KvError::NotACounter)?,
            None => 0,
        };
        let ahead = until.saturating_sub(at.0).clamp(0, allowance.window_ms());
        let after = ahead.saturating_add(allowance.step_ms());
        if after > allowance.window_ms() {
            return Ok(Taken::new(false, ahead, allowance));
        }
        let value = at.0.saturating_add(after).to_string().into_bytes();
        table.insert(key, value, now.plus(ttl), now, self.0.capacity)?;
        Ok(Taken::new(true, after, allowance))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn living(&self, key: &str, now: Millis) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.ends_at > now)
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.order.remove(&(entry.ends_at, entry.number));
        self.bytes = self.bytes.saturating_sub(cost(&key, &entry.value));
        Some(entry)
    }

    /// Replaces the entry, sweeps what has ended, and lets the soonest to end (of equals, the oldest)
    /// make room. What does not fit even into an empty table changes nothing.
    fn insert(
        &mut self,
        key: &str,
        value: Vec<u8>,
        ends_at: Millis,
        now: Millis,
        capacity: usize,
    ) -> Result<(), KvError> {
        let needed = cost(key, &value);
        if needed > capacity {
            return Err(KvError::TooLarge { bytes: key.len().saturating_add(value.len()) });
        }
        self.remove(key);
        while let Some((&(first_end, _), first)) = self.order.first_key_value() {
            let ended = first_end <= now;
            if !ended && self.bytes.saturating_add(needed) <= capacity {
                break;
            }
            let first = Arc::clone(first);
            self.remove(&first);
            self.evicted += u64::from(!ended);
        }
        let key: Arc<str> = Arc::from(key);
        self.written += 1;
        self.bytes += needed;
        self.order.insert((ends_at, self.written), Arc::clone(&key));
        self.entries.insert(key, Entry { value, ends_at, number: self.written });
        Ok(())
    }
}

fn cost(key: &str, value: &[u8]) -> usize {
    key.len().saturating_add(value.len()).saturating_add(ENTRY_BYTES)
}

/// A number in the one form in which counters are written; what Redis counts on, this does.
fn parse(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}
