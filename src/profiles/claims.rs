//! The claims of a profile: their names, and what each must be (OIDC Core §5.1).

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

use super::Wrong;

/// Longest name of a person, code points.
const NAME: usize = 200;
/// Longest address, URL or text of several lines.
const URL_BYTES: usize = 2_048;
const LINES: usize = 1_000;
/// Longest tag of a language (RFC 5646 §4.4.1 wants 35) and name of a time zone, bytes.
const TAG_BYTES: usize = 35;
const ZONE_BYTES: usize = 64;

/// What a claim must be.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A text on one line of so many code points.
    Line(usize),
    /// The same on several.
    Lines(usize),
    /// An `http` or `https` URL (RFC 3986).
    Url,
    /// `YYYY-MM-DD`, `0000-MM-DD` where the year is not told, or `YYYY`.
    Date,
    /// A name of the time zone database, such as `Europe/Paris`; which there are is not known here.
    Zone,
    /// A language tag (RFC 5646).
    Language,
    /// A telephone number in the form of E.164.
    Phone,
    /// An object of texts (§5.1.1).
    Address,
}

const CLAIMS: &[(&str, Form)] = &[
    ("given_name", Form::Line(NAME)),
    ("family_name", Form::Line(NAME)),
    ("middle_name", Form::Line(NAME)),
    ("nickname", Form::Line(NAME)),
    ("profile", Form::Url),
    ("picture", Form::Url),
    ("website", Form::Url),
    ("gender", Form::Line(50)),
    ("birthdate", Form::Date),
    ("zoneinfo", Form::Zone),
    ("locale", Form::Language),
    ("phone_number", Form::Phone),
    ("address", Form::Address),
];
const ADDRESS: &[(&str, Form)] = &[
    ("formatted", Form::Lines(LINES)),
    ("street_address", Form::Lines(LINES)),
    ("locality", Form::Line(NAME)),
    ("region", Form::Line(NAME)),
    ("postal_code", Form::Line(20)),
    ("country", Form::Line(NAME)),
];

/// The claims of a patch in their normal forms, nulls as they are. What is wrong is added to `wrong`.
pub(super) fn normal(patch: Map<String, Value>, wrong: &mut Vec<Wrong>) -> Map<String, Value> {
    members(patch, CLAIMS, "", wrong)
}

fn members(
    given: Map<String, Value>,
    known: &[(&str, Form)],
    at: &str,
    wrong: &mut Vec<Wrong>,
) -> Map<String, Value> {
    let mut normal = Map::new();
    for (name, value) in given {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let form = known.iter().find(|(known, _)| *known == name).map(|(_, form)| *form);
        let found = match (form, value) {
            (None, _) => Err("is not a known field".to_owned()),
            (Some(_), Value::Null) => Ok(Value::Null),
            (Some(Form::Address), Value::Object(parts)) => {
                Ok(Value::Object(members(parts, ADDRESS, &pointer, wrong)))
            }
            (Some(Form::Address), _) => Err("must be an object".to_owned()),
            (Some(form), Value::String(text)) => text_of(form, &text).map(Value::String),
            (Some(_), _) => Err("must be a text".to_owned()),
        };
        match found {
            Ok(value) => drop(normal.insert(name, value)),
            Err(why) => wrong.push(Wrong { pointer, why }),
        }
    }
    normal
}

fn text_of(form: Form, text: &str) -> Result<String, String> {
    let judged =
        |fits: bool, what: &str| if fits { Ok(text.to_owned()) } else { Err(format!("must be {what}")) };
    match form {
        Form::Line(most) => plain(text, most, |_| false),
        Form::Lines(most) => plain(&text.replace("\r\n", "\n"), most, |char| char == '\n'),
        Form::Url => judged(is_url(text), "an http or https URL of at most 2048 bytes"),
        Form::Date => judged(is_date(text), "a date of the form `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`"),
        Form::Zone => judged(is_zone(text), "a name of the time zone database, such as `Europe/Paris`"),
        Form::Language => judged(is_language(text), "a language tag (RFC 5646), such as `fr-CA`"),
        Form::Phone => judged(is_phone(text), "a telephone number of the form `+14155550100` (E.164)"),
        Form::Address => Err("must be an object".to_owned()),
    }
}

/// A text without spaces around it, in NFC.
fn plain(text: &str, most: usize, is_allowed: fn(char) -> bool) -> Result<String, String> {
    let wrong = || format!("must have 1 to {most} characters and no control characters; null removes it");
    // Before any work on it; NFC never makes a text more than three times longer.
    if text.len() > most * 8 {
        return Err(wrong());
    }
    let text: String = text.trim().nfc().collect();
    let is_plain = !text.chars().any(|char| char.is_control() && !is_allowed(char));
    if is_plain && (1..=most).contains(&text.chars().count()) { Ok(text) } else { Err(wrong()) }
}

/// Whether a text is a URL that a page may link to: with a host, and without a password in it.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|_| text.len() <= URL_BYTES) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_host = authority.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '[');
    has_host
        && !authority.contains('@')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

fn is_date(text: &str) -> bool {
    let number = |digits: &str| -> Option<u32> {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    match text.split('-').collect::<Vec<_>>()[..] {
        [year] => year.len() == 4 && number(year).is_some_and(|year| year > 0),
        [year, month, day] if (year.len(), month.len(), day.len()) == (4, 2, 2) => {
            let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
                return false;
            };
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
                4 | 6 | 9 | 11 => 30,
                2 if is_leap => 29,
                2 => 28,
                _ => 0,
            };
            (1..=days).contains(&day)
        }
        _ => false,
    }
}

fn is_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|char: char| char.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    text.len() <= ZONE_BYTES
        && text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.split('/').all(is_part)
}

/// Whether a text has the shape of a language tag: a language, then parts of 1 to 8 letters and digits.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_first =
        |part: &str| matches!(part.len(), 2..=8) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_part =
        |part: &str| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let ends_well = text.rsplit('-').next().is_some_and(|last| last.len() > 1);
    text.len() <= TAG_BYTES && parts.next().is_some_and(is_first) && parts.all(is_part) && ends_well
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(patch: Value) -> (Value, Vec<String>) {
        let Value::Object(patch) = patch else { panic!("an object") };
        let mut wrong = Vec::new();
        let normal = normal(patch, &mut wrong);
        (Value::Object(normal), wrong.into_iter().map(|wrong| wrong.pointer).collect())
    }

    #[test]
    fn texts_get_their_normal_form() {
        let given = json!({"given_name": " Jose\u{301} ", "address": {"formatted": "1 Main St\r\nSpringfield", "country": null}});
        let normal = json!({"given_name": "Jos\u{e9}", "address": {"formatted": "1 Main St\nSpringfield", "country": null}});
        assert_eq!(of(given), (normal, vec![]));
    }

    #[test]
    fn each_claim_has_a_form() {
        let (long, url) = ("x".repeat(201), format!("https://example.com/{}", "x".repeat(2_029)));
        for (name, good, bad) in [
            (
                "given_name",
                &["A", "\u{5f20}\u{4f1f}", &long[1..]][..],
                &["", " ", "a\nb", "a\u{0}b", &*long][..],
            ),
            (
                "picture",
                &[
                    "https://example.com/a.png?s=1#x",
                    "http://[::1]:8080/",
                    &url[1..].replacen("ttps", "http", 1),
                ],
                &[
                    "javascript:alert(1)",
                    "https://",
                    "https:///a",
                    "https://u:p@example.com/",
                    "https://e.com/ a",
                    "https://e.com/<b>",
                    "//example.com",
                    "HTTPS://example.com",
                    "https://\u{e9}.example",
                    &*url,
                ],
            ),
            (
                "birthdate",
                &["1990-02-28", "2000-02-29", "0000-02-29", "1990"],
                &[
                    "1990-02-30",
                    "1900-02-29",
                    "1990-13-01",
                    "1990-00-10",
                    "1990-1-1",
                    "0000",
                    "+990",
                    "1990-02",
                    "1990-02-28T",
                    "90-02-28",
                ],
            ),
            (
                "zoneinfo",
                &["Europe/Paris", "UTC", "Etc/GMT+1", "America/Argentina/Buenos_Aires"],
                &["", "/", "Europe/", "../etc", "+01:00", "1"],
            ),
            (
                "locale",
                &["en", "fr-CA", "zh-Hant-TW", "de-1996", "en-x-test"],
                &["", "e", "en_US", "en-", "en--US", "en-abcdefghi", "x", "1a", "en-x"],
            ),
            (
                "phone_number",
                &["+14155550100", "+4930123456"],
                &["14155550100", "+0155550100", "+1 415 555", "+123456", "+1234567890123456", "+"],
            ),
        ] {
            for text in good {
                assert_eq!(of(json!({ name: text })).1, Vec::<String>::new(), "{name} {text}");
            }
            for text in bad {
                assert_eq!(of(json!({ name: text })).1, [format!("/{name}")], "{name} {text}");
            }
        }
    }

    #[test]
    fn what_is_no_claim_is_pointed_at() {
        let given = json!({
            "email": "a@example.com", "a/b~c": null, "address": {"planet": "Mars", "locality": 1, "country": "France"},
            "gender": {}, "locale": ["en"],
        });
        let (normal, mut wrong) = of(given);
        wrong.sort();
        assert_eq!(
            wrong,
            ["/address/locality", "/address/planet", "/a~1b~0c", "/email", "/gender", "/locale"]
        );
        assert_eq!(normal, json!({"address": {"country": "France"}}));
        assert_eq!(of(json!({"address": "Paris"})).1, ["/address"]);
    }
}
