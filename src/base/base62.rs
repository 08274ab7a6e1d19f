//! Base62: digits, upper-case and lower-case letters, in this order; numbers as fixed-width texts.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The last `width` base62 digits of the number whose bytes, the highest first, are `number`, which is used up.
#[must_use]
pub fn to_base62<const N: usize>(mut number: [u8; N], width: usize) -> String {
    let mut text = vec!['0'; width];
    for digit in text.iter_mut().rev() {
        let rest = number.iter_mut().fold(0_u16, |rest, byte| {
            let part = rest << 8 | u16::from(*byte);
            *byte = u8::try_from(part / 62).unwrap_or(0); // under 256, since `rest` is under 62
            part % 62
        });
        *digit = DIGITS.get(usize::from(rest)).map_or('0', |digit| char::from(*digit));
    }
    text.into_iter().collect()
}

/// The number that base62 digits spell; none when there is another character, or it does not fit.
#[must_use]
pub fn from_base62<const N: usize>(text: &str) -> Option<[u8; N]> {
    text.bytes().try_fold([0; N], |mut number: [u8; N], digit| {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        let carry = number.iter_mut().rev().try_fold(u16::try_from(value).ok()?, |carry, byte| {
            let part = u16::from(*byte) * 62 + carry;
            *byte = u8::try_from(part & 0xff).ok()?;
            Some(part >> 8)
        })?;
        (carry == 0).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_numbers() {
        assert_eq!(to_base62(u32::MAX.to_be_bytes(), 6), "4gfFC3");
        assert_eq!(from_base62::<4>("4gfFC3"), Some(u32::MAX.to_be_bytes()));
        assert_eq!(from_base62::<4>("4gfFC4"), None, "one more than fits");
        assert_eq!(to_base62([0xff; 16], 22), "7n42DGM5Tflk9n8mt7Fhc7");
        assert_eq!(to_base62([0; 16], 22), "0".repeat(22));
        assert_eq!(from_base62::<4>("00_000"), None);
    }

    proptest! {
        #[test]
        fn texts_round_trip(number: [u8; 32]) {
            let text = to_base62(number, 43);
            prop_assert_eq!(text.len(), 43);
            prop_assert_eq!(from_base62(&text), Some(number));
        }
    }
}
