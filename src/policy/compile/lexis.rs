//! What stands outside of strings and comments, as Cedar's lexer sees it, and so where statements end.

/// The bytes outside of strings and comments, each with its offset; of a string or a comment, the first.
pub(super) fn outside(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut bytes = text.bytes().enumerate().peekable();
    std::iter::from_fn(move || {
        let (at, byte) = bytes.next()?;
        if byte == b'"' {
            while let Some((_, byte)) = bytes.next() {
                match byte {
                    b'\\' => drop(bytes.next()),
                    b'"' => break,
                    _ => {}
                }
            }
        } else if byte == b'/' && matches!(bytes.peek(), Some((_, b'/'))) {
            while bytes.next_if(|(_, byte)| !matches!(byte, b'\n' | b'\r')).is_some() {}
        }
        Some((at, byte))
    })
}

/// The text in parts of whole statements, each with where it begins. A part ends at the first semicolon at which it
/// has `enough` bytes; the last is what remains.
///
/// A semicolon ends a policy and stands nowhere within one, so Cedar reads the parts as it reads the whole.
pub(super) fn parts(text: &str, enough: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut ends = outside(text).filter(|(_, byte)| *byte == b';').map(|(at, _)| at + 1);
    let mut start = 0;
    std::iter::from_fn(move || {
        let from = start;
        start = ends.find(|end| end - from >= enough).unwrap_or(text.len());
        text.get(from..start).filter(|part| !part.is_empty()).map(|part| (from, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_their_first_byte() {
        let outside = |text: &str| outside(text).map(|(at, byte)| (at, char::from(byte))).collect::<Vec<_>>();
        assert_eq!(outside("a\"b\\\"c\"d"), [(0, 'a'), (1, '"'), (7, 'd')]);
        assert_eq!(outside("a//b\"\nc"), [(0, 'a'), (1, '/'), (5, '\n'), (6, 'c')]);
        assert_eq!(outside("//b\rc"), [(0, '/'), (3, '\r'), (4, 'c')], "Cedar ends a comment here too");
        assert_eq!(outside("a/\"//\"b"), [(0, 'a'), (1, '/'), (2, '"'), (6, 'b')]);
        assert_eq!(outside("\"never closed"), [(0, '"')]);
    }

    #[test]
    fn parts_are_whole_statements_and_all_of_the_text() {
        let text = "a;\"b;\";// c;\nd;e";
        let of = |enough| parts(text, enough).collect::<Vec<_>>();
        assert_eq!(of(0), [(0, "a;"), (2, "\"b;\";"), (7, "// c;\nd;"), (15, "e")]);
        assert_eq!(of(3), [(0, "a;\"b;\";"), (7, "// c;\nd;"), (15, "e")]);
        assert_eq!(of(100), [(0, text)]);
        assert_eq!(parts("", 0).count(), 0);
    }
}
