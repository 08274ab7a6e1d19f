//! The stored form of a bundle.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    sync::Arc,
};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

use super::{Bundle, BundleError, bundle::MAX_BYTES, pace::Pace};

/// The first byte of a stored form that is compressed.
const DEFLATED: u8 = 1;
/// Bytes that are compressed between two pauses.
const PIECE: usize = 16 * 1024;

impl Bundle {
    /// The stored form: the byte 1, then compressed (RFC 1951) for each file its path and its bytes, each after its
    /// length (8 bytes, big-endian).
    ///
    /// Errors: memory is short.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        self.encode_at(&Pace::full())
    }

    /// The same at a pace.
    pub(super) fn encode_at(&self, pace: &Pace) -> io::Result<Vec<u8>> {
        let mut out = DeflateEncoder::new(vec![DEFLATED], Compression::fast());
        for (path, bytes) in self.files() {
            for part in [path.as_bytes(), bytes] {
                out.write_all(&(part.len() as u64).to_be_bytes())?;
                for piece in part.chunks(PIECE) {
                    out.write_all(piece)?;
                    pace.step();
                }
            }
        }
        out.finish()
    }

    /// Reads the stored form, also that of old, which was not compressed and begins with the length of a path.
    ///
    /// Errors: [`BundleError::Damaged`], or as [`Bundle::new`].
    pub fn decode(stored: &[u8]) -> Result<Self, BundleError> {
        let Some((&DEFLATED, packed)) = stored.split_first() else { return Self::read(stored) };
        let mut plain = Vec::new();
        let read = DeflateDecoder::new(packed).take(2 * MAX_BYTES as u64).read_to_end(&mut plain);
        read.map_err(|_| BundleError::Damaged)?;
        Self::read(&plain)
    }

    fn read(mut plain: &[u8]) -> Result<Self, BundleError> {
        let mut files = BTreeMap::new();
        while !plain.is_empty() {
            let path = String::from_utf8(take(&mut plain)?.to_vec()).map_err(|_| BundleError::Damaged)?;
            files.insert(path, Arc::from(take(&mut plain)?));
        }
        Self::new(files)
    }
}

fn take<'a>(stored: &mut &'a [u8]) -> Result<&'a [u8], BundleError> {
    let (length, rest) = stored.split_first_chunk::<8>().ok_or(BundleError::Damaged)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| BundleError::Damaged)?;
    let (part, rest) = rest.split_at_checked(length).ok_or(BundleError::Damaged)?;
    *stored = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Bundle {
        let files = [("a.cedar", "permit(principal, action, resource);"), ("manifest.toml", "")];
        let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
        Bundle::new(files.into()).unwrap()
    }

    #[test]
    fn what_is_stored_is_read_and_a_part_of_it_is_not() {
        let stored = example().encode().unwrap();
        let back = Bundle::decode(&stored).unwrap();
        assert_eq!(back.digest(), example().digest());
        assert_eq!(back.file("manifest.toml"), Some(&b""[..]));
        for cut in 0..stored.len() {
            let whole = Bundle::decode(&stored[..cut]).is_ok_and(|cut| cut.digest() == back.digest());
            assert!(!whole, "{cut} of {} bytes", stored.len());
        }
    }

    #[test]
    fn a_version_that_was_stored_uncompressed_is_read() {
        let mut stored = Vec::new();
        for part in ["a.cedar", "permit(principal, action, resource);", "manifest.toml", ""] {
            stored.extend((part.len() as u64).to_be_bytes());
            stored.extend(part.as_bytes());
        }
        assert_eq!(Bundle::decode(&stored).unwrap().digest(), example().digest());
    }

    #[test]
    fn of_what_unpacks_to_more_than_a_bundle_holds_no_more_is_unpacked() {
        let zeros = vec![0; 1 << 20];
        let bomb = |length: usize| {
            let mut out = DeflateEncoder::new(vec![DEFLATED], Compression::fast());
            for part in [(7_u64, &b"a.cedar"[..]), ((length * zeros.len()) as u64, b"")] {
                out.write_all(&part.0.to_be_bytes()).unwrap();
                out.write_all(part.1).unwrap();
            }
            (0..length).for_each(|_| out.write_all(&zeros).unwrap());
            out.finish().unwrap()
        };
        assert!(matches!(Bundle::decode(&bomb(100)), Err(BundleError::TooLarge)), "whole, and too large");
        assert!(matches!(Bundle::decode(&bomb(130)), Err(BundleError::Damaged)), "cut off");
    }
}
