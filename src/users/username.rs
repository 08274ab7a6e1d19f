//! User names: readable, one script, and compared without letter case.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript};

/// Shortest and longest name, code points.
const LENGTH: std::ops::RangeInclusive<usize> = 3..=64;

/// A text that is not a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Under 3 or over 64 code points.
    #[error("a user name has 3 to 64 characters")]
    Length,
    /// A character other than letters, digits, `.`, `_` and `-`, or one that does not show.
    #[error("a user name is made of letters, digits, `.`, `_` and `-`, and begins with a letter or digit")]
    Character,
    /// Letters of several scripts, which can imitate another name (UTS 39 §5.1).
    #[error("a user name does not mix letters of several scripts")]
    MixedScript,
}

/// A user name: as given, in NFC, and its norm. It never holds an `@`, so it is never an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    text: String,
    norm: String,
}

impl Username {
    /// The name as given, in NFC.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What names are compared by: case folded.
    #[must_use]
    pub fn norm(&self) -> &str {
        &self.norm
    }
}

impl FromStr for Username {
    type Err = UsernameError;

    fn from_str(given: &str) -> Result<Self, UsernameError> {
        if given.len() > LENGTH.end() * 4 {
            return Err(UsernameError::Length);
        }
        let text: String = given.nfc().collect();
        if !LENGTH.contains(&text.chars().count()) {
            return Err(UsernameError::Length);
        }
        let allowed = |c: char| match c {
            '.' | '_' | '-' => true,
            c if c.is_ascii() => c.is_ascii_alphanumeric(),
            c => GeneralSecurityProfile::identifier_allowed(c),
        };
        if !text.chars().all(allowed) || !text.starts_with(char::is_alphanumeric) {
            return Err(UsernameError::Character);
        }
        if !text.is_single_script() {
            return Err(UsernameError::MixedScript);
        }
        // Up and down again is a case fold: `ß` and `ss`, `ς` and `σ`, `ı` and `i` meet.
        let norm = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect();
        Ok(Self { text, norm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_share_a_norm() {
        for (left, right) in [
            ("Alice", "aLICE"),
            ("jose\u{301}", "jos\u{e9}"),
            ("stra\u{df}e", "STRASSE"),
            ("il\u{131}", "ILI"),
            ("\u{212a}elvin", "kelvin"),
        ] {
            let (left, right): (Username, Username) = (left.parse().unwrap(), right.parse().unwrap());
            assert_eq!(left.norm(), right.norm());
        }
    }

    #[test]
    fn deceptive_names_are_refused() {
        for (wrong, why) in [
            ("ab", UsernameError::Length),
            (&*"a".repeat(65), UsernameError::Length),
            ("a b c", UsernameError::Character),
            ("a@b.c", UsernameError::Character),
            (".abc", UsernameError::Character),
            ("ad\u{200d}min", UsernameError::Character),
            ("\u{ff41}dmin", UsernameError::Character),
            ("\u{430}dmin", UsernameError::MixedScript),
        ] {
            assert_eq!(wrong.parse::<Username>(), Err(why), "{wrong}");
        }
    }
}
