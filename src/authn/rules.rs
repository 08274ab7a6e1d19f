//! What a password may be (NIST SP 800-63B-4 §3.1.1.2) and the form in which it is hashed.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::guessable;
use crate::config::PasswordsConfig;

/// Longest password, bytes, however few code points they make.
const MAX_BYTES: usize = 512;

/// A new password that does not follow the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Too few characters.
    #[error("a password has at least {least} characters")]
    TooShort {
        /// The fewest, code points.
        least: usize,
    },
    /// Too many characters.
    #[error("a password has at most {most} characters and 512 bytes")]
    TooLong {
        /// The most, code points.
        most: usize,
    },
    /// A character that cannot be typed.
    #[error("a password has no control characters")]
    ControlCharacter,
    /// Put together from what anyone would try.
    #[error("the password is too easy to guess")]
    TooWeak,
    /// One of those that leaks have made best known.
    #[error("the password is one of the best known")]
    Known,
}

/// The rules. No composition, no rotation; any character that can be typed.
#[derive(Debug, Clone, Copy)]
pub struct PasswordRules {
    least: usize,
    most: usize,
}

impl PasswordRules {
    /// The rules that the configuration gives.
    #[must_use]
    pub fn new(config: &PasswordsConfig) -> Self {
        Self { least: config.min_length, most: config.max_length }
    }

    /// Checks a new password. `context` are texts about the user whose words
    /// add nothing to a password: address, user name, name.
    ///
    /// Errors: [`PasswordProblem`], the first that applies.
    pub fn check(&self, password: &str, context: &[&str]) -> Result<(), PasswordProblem> {
        let too_long = PasswordProblem::TooLong { most: self.most };
        let normal = normalise(password).ok_or(too_long)?;
        let length = normal.chars().count();
        if length < self.least {
            return Err(PasswordProblem::TooShort { least: self.least });
        }
        if length > self.most {
            return Err(too_long);
        }
        if normal.chars().any(char::is_control) {
            return Err(PasswordProblem::ControlCharacter);
        }
        let lower = Zeroizing::new(normal.to_lowercase());
        if guessable::is_listed(&lower) {
            return Err(PasswordProblem::Known);
        }
        if guessable::is_guessable(&lower, context) {
            return Err(PasswordProblem::TooWeak);
        }
        Ok(())
    }
}

/// The form in which a password is hashed: NFC, every space a plain one, nothing cut and no case changed.
/// None when it is longer than any password.
///
/// Source: RFC 8265 §4.2.2 (`OpaqueString`).
pub(super) fn normalise(password: &str) -> Option<Zeroizing<String>> {
    if password.len() > MAX_BYTES {
        return None;
    }
    let is_space = |c: char| {
        matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
    };
    let mut normal = Zeroizing::new(String::with_capacity(MAX_BYTES * 3)); // no copies left behind by growth
    normal.extend(password.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc());
    (normal.len() <= MAX_BYTES).then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_code_points_after_normalisation() {
        let rules = PasswordRules { least: 8, most: 12 };
        for (password, expected) in [
            ("x7k2m9p", Err(PasswordProblem::TooShort { least: 8 })),
            ("x7k2m9pz", Ok(())),
            ("x7k2m9pzq4wv", Ok(())),
            ("x7k2m9pzq4wvb", Err(PasswordProblem::TooLong { most: 12 })),
            ("\u{e9}\u{fe}\u{e6}\u{f0}\u{f8}\u{e5}\u{e4}\u{f6}", Ok(())),
            ("e\u{301}2x4k6e", Err(PasswordProblem::TooShort { least: 8 })),
            ("1x34\u{0}56k8", Err(PasswordProblem::ControlCharacter)),
            ("xyxyxyxyXY", Err(PasswordProblem::TooWeak)),
            ("ann@b.exampl", Err(PasswordProblem::TooWeak)),
            ("Password1", Err(PasswordProblem::Known)),
        ] {
            assert_eq!(rules.check(password, &["ANNE@b.exampl"]), expected, "{password}");
        }
        assert!(rules.check(&"x".repeat(513), &[]).is_err());
        assert_eq!(normalise("a\u{a0}e\u{301}").unwrap().as_str(), "a \u{e9}");
    }
}
