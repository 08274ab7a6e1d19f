//! The text of a file: decoded, measured for depth, and offsets turned into lines and columns.

use serde_json::value::RawValue;

use super::lexis::outside;
use crate::policy::{Finding, Severity};

/// How deeply a text may nest. Trees of this depth are walked by recursion on threads with ordinary stacks.
const MAX_DEPTH: usize = 500;

/// A file of a bundle that is text.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Text<'a> {
    pub(in crate::policy) path: &'a str,
    pub(in crate::policy) text: &'a str,
}

impl<'a> Text<'a> {
    /// Decodes a file; a byte order mark is dropped.
    pub(in crate::policy) fn decode(path: &'a str, bytes: &'a [u8]) -> Result<Self, Finding> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text: text.strip_prefix('\u{feff}').unwrap_or(text) }),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let good = String::from_utf8_lossy(good);
                let before = Text { path, text: &good };
                let message = "the file is not UTF-8 from here on".to_owned();
                Err(before.finding(Severity::Error, "encoding", Some(good.len()), message))
            }
        }
    }

    /// Line and column of an offset in bytes, both from 1, the column in characters.
    pub(in crate::policy) fn position(&self, offset: usize) -> (u32, u32) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.as_bytes().get(..end).unwrap_or_default();
        let line = newlines(before) + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), self.column(end))
    }

    /// The column of an offset at a character, from 1, in characters.
    fn column(&self, offset: usize) -> u32 {
        let before = self.text.get(..offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        u32::try_from(column).unwrap_or(u32::MAX)
    }

    /// Positions of offsets that only grow, without counting the lines from the start each time.
    pub(in crate::policy) fn positions(&self) -> Positions<'a> {
        Positions { text: *self, offset: 0, line: 1 }
    }

    /// Where a line begins, in bytes.
    pub(in crate::policy) fn line_start(&self, line: u32) -> usize {
        self.text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum()
    }

    /// A finding about this file, at an offset in bytes or about the whole.
    pub(in crate::policy) fn finding(
        &self,
        severity: Severity,
        code: &str,
        offset: Option<usize>,
        message: String,
    ) -> Finding {
        let position = offset.map(|offset| self.position(offset));
        Finding {
            severity,
            code: code.to_owned(),
            file: self.path.to_owned(),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            message,
            help: None,
        }
    }

    /// An error about this file.
    pub(in crate::policy) fn error(
        &self,
        code: &str,
        offset: Option<usize>,
        message: impl Into<String>,
    ) -> Finding {
        self.finding(Severity::Error, code, offset, message.into())
    }

    /// The elements of a file that is a JSON array, each with where it begins in bytes. An empty file has none.
    pub(in crate::policy) fn elements(&self, code: &str) -> Result<Vec<(usize, &'a str)>, Finding> {
        if self.text.trim().is_empty() {
            return Ok(vec![]);
        }
        let elements: Vec<&'a RawValue> =
            serde_json::from_str(self.text).map_err(|error| self.json_error(code, 0, &error))?;
        let start = self.text.as_ptr().addr();
        Ok(elements.into_iter().map(|one| (one.get().as_ptr().addr() - start, one.get())).collect())
    }

    /// An error of JSON within a part of this file that begins at `offset`.
    pub(in crate::policy) fn json_error(
        &self,
        code: &str,
        offset: usize,
        error: &serde_json::Error,
    ) -> Finding {
        let part = self.text.get(offset..).unwrap_or_default();
        let above = part.split_inclusive('\n').take(error.line().saturating_sub(1));
        let at = offset + above.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let message = error.to_string();
        let plain = message.rsplit_once(" at line ").map_or(message.as_str(), |(plain, _)| plain);
        self.error(code, Some(at), plain)
    }

    /// Refuses a text whose tree could be deeper than [`MAX_DEPTH`].
    pub(in crate::policy) fn check_depth(&self, angles_nest: bool) -> Result<(), Finding> {
        let Some(offset) = too_deep(self.text, angles_nest) else { return Ok(()) };
        let message = format!("this nests deeper than {MAX_DEPTH} levels");
        let mut finding = self.error("too_deep", Some(offset), message);
        finding.help = Some("split the policy, or write long alternatives as a set".to_owned());
        Err(finding)
    }
}

/// Where a Cedar text may become deeper than [`MAX_DEPTH`]: brackets and operators each count as a level until
/// a comma or semicolon ends what they belong to. An upper bound: a tree is never deeper than this says.
fn too_deep(text: &str, angles_nest: bool) -> Option<usize> {
    let mut open: Vec<usize> = vec![0]; // operators seen within each open bracket
    let mut depth = 1; // all of `open`, and one for each bracket
    let mut word = 0; // where the current run of letters began
    let mut in_word = false;
    let mut after_operator = 0;
    for (at, byte) in outside(text) {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            if !in_word {
                (in_word, word) = (true, at);
            }
            continue;
        }
        let keyword = in_word && is_operator(text.get(word..at).unwrap_or_default());
        in_word = false;
        let mut levels = usize::from(keyword);
        match byte {
            b'(' | b'[' | b'{' => {
                open.push(0);
                depth += 1;
            }
            b')' | b']' | b'}' => depth = close(&mut open, depth),
            b'<' if angles_nest => {
                open.push(0);
                depth += 1;
            }
            b'>' if angles_nest => depth = close(&mut open, depth),
            b',' | b';' => {
                if let Some(last) = open.last_mut() {
                    depth -= std::mem::take(last);
                }
            }
            // The second character of `&&`, `||`, `==`, `!=`, `<=` and `>=` is no operator of its own.
            b'&' | b'|' | b'=' if at == after_operator => {}
            b'.' | b'!' | b'-' | b'+' | b'*' | b'&' | b'|' | b'=' | b'<' | b'>' | b'@' => {
                after_operator = at + 1;
                levels += 1;
            }
            _ => {}
        }
        if let Some(last) = open.last_mut() {
            *last += levels;
        }
        depth += levels;
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(*byte == b'\n')).sum()
}

/// See [`Text::positions`].
#[derive(Debug)]
pub(in crate::policy) struct Positions<'a> {
    text: Text<'a>,
    offset: usize,
    line: usize,
}

impl Positions<'_> {
    /// Line and column of an offset that is at a character and not before the last one.
    pub(in crate::policy) fn at(&mut self, offset: usize) -> (u32, u32) {
        let between = self.text.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += newlines(between);
        self.offset = offset;
        (u32::try_from(self.line).unwrap_or(u32::MAX), self.text.column(offset))
    }
}

fn close(open: &mut Vec<usize>, depth: usize) -> usize {
    if open.len() == 1 {
        return depth; // not closing anything: the parser will say so
    }
    depth - 1 - open.pop().unwrap_or_default()
}

fn is_operator(word: &str) -> bool {
    matches!(word, "if" | "then" | "else" | "in" | "has" | "like" | "is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters() {
        let text = Text { path: "a", text: "é\r\nab\u{1f600}c" };
        assert_eq!(text.position(0), (1, 1));
        assert_eq!(text.position(2), (1, 2));
        assert_eq!(text.position(4), (2, 1));
        assert_eq!(text.position(10), (2, 4));
        assert_eq!(text.position(8), (2, 3), "inside a character is where it begins");
        assert_eq!(text.position(1000), (2, 5));
    }

    #[test]
    fn depth_is_bounded_from_above() {
        let deep = |text: &str| too_deep(text, false).is_some();
        assert!(deep(&"(".repeat(1000)));
        assert!(deep(&"a.".repeat(1000)));
        assert!(deep(&"if a then b else ".repeat(1000)));
        assert!(deep(&"a && ".repeat(1000)));
        assert!(!deep(&format!("[{}]", "A::\"((((((\", ".repeat(1000))), "a wide set is not deep");
        assert!(!deep(&"permit(principal, action, resource) when { a.b && c };\n".repeat(1000)));
        assert!(!deep(&"// ((((((\n".repeat(1000)));
        assert!(deep(&format!("// as Cedar sees it, this ends here:\r{}", "(".repeat(1000))));
        assert!(!deep(&")".repeat(1000)));
        assert!(too_deep(&"Set<".repeat(1000), true).is_some());
    }
}
