//! Passwords that are tried first: known from leaks, made of the user's own words, or put together from a
//! few pieces that guessing programs put together too.
//!
//! A password is cut into the fewest pieces: a listed password counts 1, a run such as `1234`, `aaaa` or
//! `qwert` counts 1, a word from the context (address, names, the product) and punctuation count 0, any
//! other character 1. A repeated block counts once. Letters are compared without case, and with the usual
//! digits in their place (`p4ssw0rd`).

use std::{collections::HashSet, sync::LazyLock};

use zeroize::Zeroizing;

/// Fewest pieces of a password that is let pass: two come to some 10^8 guesses, three to 10^12.
const LEAST_PIECES: usize = 3;
/// Lengths of words that are looked for, bytes. The list has none under four.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 3..=32;
/// Fewest characters of a run.
const LEAST_RUN: usize = 3;
/// Rows of keys, along which people run.
const ROWS: [&str; 8] = [
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
];
/// What nobody should choose here.
const OUR_WORDS: [&str; 1] = ["bailiwick"];

static LISTED: LazyLock<HashSet<&'static str, foldhash::fast::RandomState>> = LazyLock::new(|| {
    include_str!("common_passwords.txt").lines().filter(|line| !line.starts_with("# ")).collect()
});

/// Whether a password in lower case is one of the best known.
pub(super) fn is_listed(lower: &str) -> bool {
    LISTED.contains(lower)
}

/// Whether a password in lower case falls to a few guesses. `context` are texts about its user.
pub(super) fn is_guessable(lower: &str, context: &[&str]) -> bool {
    let words: Vec<String> = context
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .chain(OUR_WORDS)
        .filter(|word| WORD_BYTES.contains(&word.len()))
        .map(str::to_lowercase)
        .collect();
    context.iter().any(|text| text.to_lowercase() == lower) || fewest_pieces(lower, &words) < LEAST_PIECES
}

fn fewest_pieces(lower: &str, words: &[String]) -> usize {
    let block = repeated_block(lower);
    let folded = Zeroizing::new(block.chars().map(unfold).collect::<String>());
    let starts: Vec<usize> = block.char_indices().map(|(at, _)| at).chain([block.len()]).collect();
    let chars = Zeroizing::new(block.chars().collect::<Vec<char>>());
    let mut best = vec![usize::MAX; starts.len()];
    if let Some(first) = best.first_mut() {
        *first = 0;
    }
    let mut improve = |to: usize, cost: usize| {
        if let Some(known) = best.get_mut(to) {
            *known = cost.min(*known);
        }
        best.get(to).copied().unwrap_or(usize::MAX)
    };
    for (at, (&start, &char)) in starts.iter().zip(chars.iter()).enumerate() {
        let so_far = improve(at, usize::MAX);
        let free = char == ' ' || char.is_ascii_punctuation();
        improve(at + 1, so_far + usize::from(!free));
        let run = chars.get(at..).map_or(0, run_length);
        for length in LEAST_RUN..=run {
            improve(at + length, so_far + 1);
        }
        for (to, &end) in starts.iter().enumerate().skip(at + 1) {
            if !WORD_BYTES.contains(&(end - start)) {
                continue;
            }
            for text in [block.get(start..end), folded.get(start..end)].into_iter().flatten() {
                if words.iter().any(|word| word == text) {
                    improve(to, so_far);
                } else if LISTED.contains(text) {
                    improve(to, so_far + 1);
                }
            }
        }
    }
    improve(chars.len(), usize::MAX)
}

/// The block that a text repeats, but for a character at its end; or the text.
fn repeated_block(text: &str) -> &str {
    let is_block = |size: &usize| {
        let cut = text.as_bytes().get(*size..);
        text.is_char_boundary(*size) && cut.is_some_and(|rest| text.as_bytes().starts_with(rest))
    };
    let size = (1..=text.len().div_ceil(2)).find(is_block).unwrap_or(text.len());
    text.get(..size).unwrap_or(text)
}

/// How many characters from the first on follow each other: in the alphabet, along the keys, or not at all.
fn run_length(chars: &[char]) -> usize {
    let step = |a: char, b: char| u32::from(b).wrapping_sub(u32::from(a)).cast_signed();
    let even = |wanted: i32| {
        1 + chars.windows(2).take_while(|pair| matches!(pair, [a, b] if step(*a, *b) == wanted)).count()
    };
    let along = |row: &str, back: bool| {
        let next = |a: char, b: char| {
            let mut pairs = row.chars().zip(row.chars().skip(1));
            pairs.any(|(left, right)| if back { (right, left) == (a, b) } else { (left, right) == (a, b) })
        };
        1 + chars.windows(2).take_while(|pair| matches!(pair, [a, b] if next(*a, *b))).count()
    };
    let rows = ROWS.iter().flat_map(|row| [along(row, false), along(row, true)]);
    [even(0), even(1), even(-1)].into_iter().chain(rows).max().unwrap_or(0)
}

/// The letter that a digit or sign often stands for. Both are one byte.
fn unfold(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_there() {
        assert!(LISTED.len() > 19_000, "{}", LISTED.len());
        assert!(
            is_listed("password") && is_listed("1qaz2wsx3edc4rfv") && !is_listed("correct horse battery")
        );
        let lower = |word: &&str| word.to_lowercase() == **word;
        assert!(LISTED.iter().all(lower), "the list is looked up in lower case");
    }

    #[test]
    fn what_is_put_together_from_little_is_guessable() {
        let alice = ["alice.smith@wonderland.example", "asmith", "Alice Smith"];
        for weak in [
            "passwordpassword",
            "password1234567",
            "p4ssw0rd!p4ssw0rd!",
            "123456789012345678",
            "qwertyuiopasdfghjkl",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "zyxwvutsrqponmlkj",
            "sunshine--sunshine--sunshine",
            "alice.smith.wonderland",
            "alicesmith123456",
            "wonderland-bailiwick",
            "!!!!!!!!????????",
            "dragon monkey dragon monkey",
        ] {
            assert!(is_guessable(weak, &alice), "{weak}: {}", fewest_pieces(weak, &[]));
        }
        for good in [
            "correct horse battery staple",
            "another long pass phrase",
            "alice likes the march hare",
            "vq8zk2m4xw9rt6yp",
            "\u{1f980}\u{1f40d}\u{1f427}\u{1f433}\u{1f98a}",
            "\u{4e2d}\u{6587}\u{5bc6}\u{7801}\u{4e0d}\u{597d}\u{731c}",
        ] {
            assert!(!is_guessable(good, &alice), "{good}");
        }
    }

    #[test]
    fn any_text_is_judged() {
        for odd in ["", "a", "\u{e9}", "\u{e9}\u{e9}", "a\u{301}", &"\u{1f980}a".repeat(64), &"x1".repeat(64)]
        {
            let _ = is_guessable(odd, &["", "@", "\u{e9}"]);
        }
    }
}
