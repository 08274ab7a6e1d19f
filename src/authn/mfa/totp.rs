//! One-time codes by time (RFC 6238) and the texts in which their secrets are handed over.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::base::{Millis, constant_time_eq};

/// Bytes of a secret: those of the hash (RFC 4226 §4).
pub(super) const SECRET_BYTES: usize = 20;
/// Length of a step, seconds.
const STEP_SECS: i64 = 30;
/// Digits of a code.
const DIGITS: usize = 6;
/// RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step that a code is of: the present one, the one before or the one after; none when it is of none of them.
/// Looks at all three, whichever fits.
pub(super) fn step_of(secret: &[u8], code: &str, now: Millis) -> Option<i64> {
    let present = now.as_secs().div_euclid(STEP_SECS);
    let fits = |step: &i64| constant_time_eq(code_at(secret, *step).as_bytes(), code.as_bytes());
    [present - 1, present, present + 1].into_iter().filter(fits).max()
}

/// The code of a step.
///
/// Source: RFC 4226 §5.3, RFC 6238 §4.2.
fn code_at(secret: &[u8], step: i64) -> Zeroizing<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or(0) & 0x0f);
    let word =
        tag.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    Zeroizing::new(format!("{:0DIGITS$}", (word & 0x7fff_ffff) % 1_000_000))
}

/// A secret as authenticator apps take it.
pub(super) fn base32(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 8 / 5 + 1));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(digit(held << (5 - bits)));
    }
    text
}

fn digit(value: u32) -> char {
    BASE32.get((value & 31) as usize).map_or('A', |byte| char::from(*byte))
}

/// The address of a secret, for a QR code.
///
/// Source: the Key URI format of authenticator apps.
pub(super) fn uri(secret: &str, issuer: &str, account: &str) -> String {
    let escaped = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let escape =
            |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(escape).collect::<String>()
    };
    let (issuer, account) = (escaped(issuer), escaped(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the last six of eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (secs, code) in VECTORS {
            let at = |secs: i64| Millis(secs * 1000);
            assert_eq!(step_of(SECRET, code, at(secs)), Some(secs / 30), "{secs}");
            assert_eq!(step_of(SECRET, code, at(secs + 30)), Some(secs / 30), "a step late");
            assert_eq!(step_of(SECRET, code, at(secs - 30)), Some(secs / 30), "a step early");
            assert_eq!(step_of(SECRET, code, at(secs + 60)), None, "two steps late");
            assert_eq!(step_of(SECRET, code, at(secs - 60)), None, "two steps early");
        }
        for wrong in ["", "28708", "2870820", "287083", " 287082", "\u{ff12}87082"] {
            assert_eq!(step_of(SECRET, wrong, Millis(59_000)), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_spelt_as_apps_read_them() {
        // RFC 4648 §10, without its padding.
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(*base32(bytes.as_bytes()), text);
        }
        assert_eq!(
            uri("MZXW6", "auth.example.com", "a b@example.com"),
            "otpauth://totp/auth.example.com:a%20b%40example.com?secret=MZXW6&issuer=auth.example.com&algorithm=SHA1&digits=6&period=30"
        );
    }
}
