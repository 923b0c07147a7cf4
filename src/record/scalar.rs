//! A single value: from the API's token to the token that the schema declares.
//!
//! The API spells ids now as numbers, now as strings, and `isLatest` as a number. What means the same is rewritten
//! token by token, so digits stay as they are; what cannot be meant becomes null.

use std::borrow::Cow;

use memchr::memchr;
use serde_json::Value;

use super::compact::compact;
use super::shape::Shape;
use crate::timestamp;

/// So many digits may be beyond the range of a double.
pub(super) const LONG: usize = 300;

/// Most digits of a whole number that a warehouse takes.
const MOST_DIGITS: usize = 38;

/// Whether a value is what its column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is.
    Fits,
    /// It is a whole number beyond 64 bits, which not every destination takes.
    Wide,
    /// It is not: null was written.
    Misfit,
}

/// Appends the value that `raw` (one valid JSON token or container) means under `shape`.
pub(super) fn write(shape: &Shape, raw: &str, out: &mut Vec<u8>) -> Fit {
    if raw == "null" {
        out.extend_from_slice(b"null");
        return Fit::Fits;
    }
    let written = match shape {
        Shape::Text => text(raw),
        Shape::JsonText => json_text(raw),
        Shape::Timestamp => date_time(raw),
        Shape::Integer => integer(unquoted(raw)),
        Shape::Number => number(unquoted(raw)).map(Cow::Borrowed),
        Shape::Boolean => boolean(unquoted(raw)).map(Cow::Borrowed),
        Shape::Object(_) | Shape::Array(_) => None,
    };
    out.extend_from_slice(written.as_deref().unwrap_or("null").as_bytes());
    match written {
        None => Fit::Misfit,
        Some(digits) if *shape == Shape::Integer && digits.parse::<i64>().is_err() => Fit::Wide,
        Some(_) => Fit::Fits,
    }
}

fn text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes()[0] {
        b'"' => string(raw),
        b'{' | b'[' => None,
        _ => Some(format!("\"{raw}\"").into()),
    }
}

/// A string token may hold an escape that stands for no character (half of a surrogate pair): not to be passed on.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let has_escapes = memchr(b'\\', raw.as_bytes()).is_some();
    (!has_escapes || serde_json::from_str::<Cow<'_, str>>(raw).is_ok()).then_some(raw.into())
}

fn json_text(raw: &str) -> Option<Cow<'_, str>> {
    if raw.starts_with('"') {
        return string(raw);
    }
    let mut json = Vec::new();
    compact(raw, &mut json);
    Some(Value::from(String::from_utf8_lossy(&json)).to_string().into())
}

fn date_time(raw: &str) -> Option<Cow<'_, str>> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    if timestamp::is_plain(text) {
        return Some(raw.into());
    }
    // Finer digits than milliseconds may stand here, so chrono's own form is taken, which keeps them all.
    timestamp::parse(text).map(|at| format!("\"{}\"", at.format("%Y-%m-%dT%H:%M:%S%.fZ")).into())
}

/// A number that every reader takes: of what is beyond a double's range, some make infinity, and some nothing.
fn number(token: &str) -> Option<&str> {
    let is_finite =
        || token.len() < LONG && exponent_of(token).1.is_none() || token.parse().is_ok_and(f64::is_finite);
    (is_number(token) && is_finite()).then_some(token)
}

/// The part before the exponent, and the exponent, if there is one.
fn exponent_of(token: &str) -> (&str, Option<&str>) {
    let at = token.bytes().position(|byte| matches!(byte, b'e' | b'E'));
    at.map_or((token, None), |at| (&token[..at], Some(&token[at + 1..])))
}

fn unquoted(raw: &str) -> &str {
    raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).map_or(raw, str::trim)
}

/// The digits of a whole number, also of one written `12.0`, `7E+3` or `"0012"`.
fn integer(token: &str) -> Option<Cow<'_, str>> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (1..=MOST_DIGITS).contains(&token.len()) && digits(token) && !token.starts_with('0') {
        return Some(token.into());
    }
    let (sign, number) = token.strip_prefix('-').map_or(("", token), |number| ("-", number));
    let (mantissa, exponent) = exponent_of(number);
    let exponent = exponent.map_or(Some(0), |exponent| exponent.parse::<i32>().ok())?;
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let plain = mantissa.len() == number.len() && fraction.is_empty();
    // A negative number with leading zeros is not an id.
    if !sign.is_empty() && whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let all = if plain { whole.to_owned() } else { shifted(whole, fraction, exponent)? };
    let trimmed = all.trim_start_matches('0');
    match trimmed.len() {
        0 => Some("0".into()),
        1..=MOST_DIGITS if plain && trimmed.len() == whole.len() => Some(token.into()),
        1..=MOST_DIGITS => Some(format!("{sign}{trimmed}").into()),
        _ => None,
    }
}

/// The digits of `whole.fraction × 10^exponent`, if that is a whole number of a sensible length.
fn shifted(whole: &str, fraction: &str, exponent: i32) -> Option<String> {
    let mut digits = format!("{whole}{fraction}");
    let zeros = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let count = usize::try_from(zeros.unsigned_abs()).ok()?;
    if zeros < 0 {
        let kept = digits.len().saturating_sub(count);
        if digits[kept..].bytes().any(|digit| digit != b'0') {
            return None;
        }
        digits.truncate(kept);
    } else if digits.bytes().any(|digit| digit != b'0') {
        if count > MOST_DIGITS {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', count));
    }
    Some(digits)
}

fn is_number(token: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = exponent_of(token);
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

fn boolean(token: &str) -> Option<&'static str> {
    match token {
        "true" | "1" => Some("true"),
        "false" | "0" => Some("false"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(shape: &Shape, raw: &str) -> (String, bool) {
        let mut out = Vec::new();
        let fit = write(shape, raw, &mut out);
        (String::from_utf8(out).unwrap(), fit != Fit::Misfit)
    }

    #[test]
    fn what_means_the_same_is_spelt_as_declared_with_all_its_digits() {
        for (shape, raw, expected) in [
            (Shape::Integer, "9007199254740993", "9007199254740993"),
            (Shape::Integer, "\"98765432109876543210987654321\"", "98765432109876543210987654321"),
            (Shape::Integer, "12.0", "12"),
            (Shape::Integer, "\"0012\"", "12"),
            (Shape::Integer, "\"000\"", "0"),
            (Shape::Integer, "7E+3", "7000"),
            (Shape::Integer, "\"1.25e2\"", "125"),
            (Shape::Integer, "1200e-2", "12"),
            (Shape::Integer, "0e999", "0"),
            (Shape::Integer, "-7e0", "-7"),
            (
                Shape::Integer,
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
            ),
            (Shape::Text, "11", "\"11\""),
            (Shape::Text, "12.10", "\"12.10\""),
            (Shape::Text, "true", "\"true\""),
            (Shape::Text, "\"caf\\u00e9 \\n\"", "\"caf\\u00e9 \\n\""),
            (Shape::Number, "\"0.250\"", "0.250"),
            (Shape::Number, "12345678901234567890.12", "12345678901234567890.12"),
            (Shape::Boolean, "0", "false"),
            (Shape::Boolean, "\"1\"", "true"),
            (Shape::Boolean, "true", "true"),
            (Shape::Timestamp, "\"2025-11-01T08:00:00.123456Z\"", "\"2025-11-01T08:00:00.123456Z\""),
            (Shape::Timestamp, "\"2025-11-01 08:00:00.123456\"", "\"2025-11-01T08:00:00.123456Z\""),
            (Shape::JsonText, "[ {\"rate\": 7.50} ]", "\"[{\\\"rate\\\":7.50}]\""),
            (Shape::JsonText, "\"7 %\"", "\"7 %\""),
            (Shape::Text, "null", "null"),
        ] {
            assert_eq!(written(&shape, raw), (expected.to_owned(), true), "{raw}");
        }
    }

    #[test]
    fn a_whole_number_beyond_64_bits_is_written_and_reported() {
        let fit = |raw| write(&Shape::Integer, raw, &mut Vec::new());
        assert_eq!(fit("9223372036854775807"), Fit::Fits);
        assert_eq!(fit("-9223372036854775808"), Fit::Fits);
        assert_eq!(fit("9223372036854775808"), Fit::Wide);
        assert_eq!(fit("1e20"), Fit::Wide);
        assert_eq!(fit("1e38"), Fit::Misfit);
    }

    #[test]
    fn what_cannot_be_meant_becomes_null() {
        for (shape, raw) in [
            (Shape::Integer, "1.5"),
            (Shape::Integer, "\"\""),
            (Shape::Integer, "\"-\""),
            (Shape::Integer, "1e-3"),
            (Shape::Integer, "1.25e1"),
            (Shape::Integer, "1e38"),
            (Shape::Integer, "1e2147483648"),
            (Shape::Integer, "\"-0012\""),
            (Shape::Integer, "123456789012345678901234567890123456789"),
            (Shape::Integer, "true"),
            (Shape::Number, "\"heavy\""),
            (Shape::Number, "\"1.\""),
            (Shape::Number, "{}"),
            (Shape::Number, "1e9991"),
            (Shape::Number, "-1E+400"),
            (Shape::Boolean, "2"),
            (Shape::Boolean, "\"yes\""),
            (Shape::Text, "{\"a\":1}"),
            (Shape::Text, "[]"),
            (Shape::Text, "\"\\ud800\""),
            (Shape::Timestamp, "\"\""),
            (Shape::Timestamp, "1700000000"),
            (Shape::Timestamp, "\"2016-12-31T23:59:60Z\""),
            (Shape::Timestamp, "\"0000-01-01T00:00:00Z\""),
            (Shape::Timestamp, "\"+99999-01-01T00:00:00Z\""),
            (Shape::Timestamp, "\"0001-01-01T00:00:00+01:00\""),
            (Shape::Timestamp, "\"9999-12-31T23:59:59-01:00\""),
            (Shape::Timestamp, "\"2025-02-30T00:00:00Z\""),
            (Shape::Object(Vec::new()), "3"),
        ] {
            assert_eq!(written(&shape, raw), ("null".to_owned(), false), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_in_json_of_the_declared_type_goes_out(text in "[-+0-9.eE ]{0,12}", quoted: bool) {
            let raw = if quoted || serde_json::from_str::<Value>(&text).is_err() { format!("\"{text}\"") } else { text.trim().to_owned() };
            for shape in [Shape::Integer, Shape::Number, Shape::Boolean, Shape::Text, Shape::Timestamp] {
                let (out, fits) = written(&shape, &raw);
                let value: Box<serde_json::value::RawValue> = serde_json::from_str(&out).expect("what is written is JSON");
                prop_assert_eq!(fits, value.get() != "null");
            }
        }
    }
}
