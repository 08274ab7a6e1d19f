//! Randomness as a value that is passed in.

use std::{cell::RefCell, fmt, sync::Mutex};

use sha2::{Digest, Sha256};

/// The operating system gave no random bytes. Nothing secret may be made now.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no random bytes could be had from the operating system")]
pub struct EntropyError;

/// Where random bytes come from.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `buffer` with unpredictable bytes.
    ///
    /// Errors: [`EntropyError`] when there are none; `buffer` is then worthless.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

impl dyn Entropy + '_ {
    /// `N` unpredictable bytes.
    ///
    /// Errors: as [`Entropy::fill`].
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], EntropyError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes).map(|()| bytes)
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

/// What is asked for in pieces of at most this size is for ids, several a request.
const ID_BYTES: usize = 10;
/// Bytes that a thread draws for them at once.
const DRAWN: usize = 480;

/// Random bytes for ids, each given once.
struct Drawn {
    bytes: [u8; DRAWN],
    given: usize,
}

thread_local! {
    static DRAWN_FOR_IDS: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; DRAWN], given: DRAWN }) };
}

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        if buffer.len() > ID_BYTES {
            return aws_lc_rs::rand::fill(buffer).map_err(|_| EntropyError);
        }
        DRAWN_FOR_IDS.with_borrow_mut(|drawn| {
            if DRAWN - drawn.given < buffer.len() {
                aws_lc_rs::rand::fill(&mut drawn.bytes).map_err(|_| EntropyError)?;
                drawn.given = 0;
            }
            let fresh = drawn.bytes.iter().skip(drawn.given);
            buffer.iter_mut().zip(fresh).for_each(|(to, from)| *to = *from);
            drawn.given += buffer.len();
            Ok(())
        })
    }
}

/// A reproducible sequence: SHA-256 over a seed and a counter. For tests only.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let mut counter = self.counter.lock().map_err(|_| EntropyError)?;
        for chunk in buffer.chunks_mut(32) {
            *counter += 1;
            let block =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(counter.to_be_bytes());
            chunk.iter_mut().zip(block.finalize()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_byte_is_given_twice() {
        let source: &dyn Entropy = &OsEntropy;
        let ids: HashSet<[u8; 10]> = (0..10_000).map(|_| source.bytes().unwrap()).collect();
        assert_eq!(ids.len(), 10_000);
        let mixed: Vec<[u8; 7]> = (0..200).map(|_| source.bytes().unwrap()).collect();
        let pairs: HashSet<&[u8]> = mixed.iter().flat_map(|bytes| bytes.windows(6)).collect();
        assert_eq!(pairs.len(), 400, "pieces of another size do not overlap");
    }
}
