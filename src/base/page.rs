//! Keyset pages: `?limit=` and an opaque `&cursor=` in, `{data, next_cursor}` out (identity.md §2.1).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// How many rows a page holds at most: 1 to 200, 50 unless asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u8);

impl Limit {
    /// The largest page.
    pub const MAX: u8 = 200;

    /// The limit of `asked` rows, if that is 1 to 200.
    #[must_use]
    pub fn new(asked: u8) -> Option<Self> {
        (1..=Self::MAX).contains(&asked).then_some(Self(asked))
    }

    /// The number of rows, as SQL binds it.
    #[must_use]
    pub fn rows(self) -> i64 {
        i64::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// A text that is not a cursor of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that an earlier page gave")]
pub struct CursorError;

/// Where a page begins: after the row with this key. Opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// The place after the row whose sort key is `key`.
    #[must_use]
    pub fn after(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The sort key to continue after.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0
    }

    /// Reads the text that [`Cursor::encode`] gave.
    ///
    /// Errors: [`CursorError`] for any other text.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        match String::from_utf8(bytes) {
            Ok(key) if !key.contains('\0') => Ok(Self(key)), // Postgres takes no NUL in a text
            _ => Err(CursorError),
        }
    }

    /// The text to hand out.
    #[must_use]
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.0)
    }
}

/// Some rows, and where the next ones begin.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows, in the order of the list.
    pub data: Vec<T>,
    /// Where the next page begins; none after the last row.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts `rows`, fetched with one row more than `limit`, into a page; `key` is a row's sort key.
    pub fn cut(mut rows: Vec<T>, limit: Limit, key: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > usize::from(limit.0);
        rows.truncate(usize::from(limit.0));
        let next = if more { rows.last().map(|row| Cursor::after(key(row))) } else { None };
        Self { data: rows, next }
    }
}
