//! What a server wrote that is nearly JSON, made into JSON. Pure.
//!
//! One bad byte would keep every record of a page away, and the same request brings the same byte again. So what strict
//! JSON refuses in a text or a number is read as generously as it can be without guessing:
//!
//! * a byte order mark before the body is passed over (RFC 8259, section 8.1);
//! * bytes that are not UTF-8 become U+FFFD, and so does half of a surrogate pair, in names as well as in values;
//! * control characters within a text are escaped;
//! * `NaN`, `Infinity` and `-Infinity` become texts. A number cannot be made of them, so the column is null, as for any
//!   other value that does not fit.
//!
//! Nothing is closed, added or left out: a body that was cut off stays what it is.

/// The numbers that JSON has no word for. Longest first.
const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The body with its texts and numbers repaired; none, where there is nothing to repair.
pub(super) fn repaired(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        numbers(&rest[..quote], &mut out);
        out.push('"');
        rest = string(&rest[quote + 1..], &mut out);
    }
    numbers(rest, &mut out);
    (out.as_bytes() != body).then_some(out)
}

/// Copies what is between two texts.
fn numbers(between: &str, out: &mut String) {
    let mut rest = between;
    while let Some(start) = rest.find(|c: char| c == '-' || c.is_ascii_alphanumeric()) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')))
            .unwrap_or(rest.len());
        let (token, behind) = rest.split_at(end);
        if NO_NUMBERS.contains(&token) {
            out.push_str(&format!("\"{token}\""));
        } else {
            out.push_str(token);
        }
        rest = behind;
    }
    out.push_str(rest);
}

/// Copies a text up to and with the quotation mark at its end. What is behind it.
fn string<'t>(text: &'t str, out: &mut String) -> &'t str {
    let mut rest = text;
    loop {
        let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
            out.push_str(rest);
            return "";
        };
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix('"') {
            out.push('"');
            return behind;
        }
        let taken = if rest.starts_with('\\') { escape(rest, out) } else { control(rest, out) };
        rest = &rest[taken..];
    }
}

/// Copies an escape, half of a surrogate pair as U+FFFD. How many bytes it is.
fn escape(rest: &str, out: &mut String) -> usize {
    let Some(unit) = code_unit(rest) else {
        let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        // A control character behind the backslash is escaped by itself, which leaves the backslash to be one.
        if rest[1..].starts_with(|c: char| c < ' ') {
            out.push_str("\\\\");
            return 1;
        }
        out.push_str(&rest[..length]);
        return length;
    };
    let low = |unit: u16| (0xDC00..0xE000).contains(&unit);
    let pair = (0xD800..0xDC00).contains(&unit) && code_unit(&rest[6..]).is_some_and(low);
    let length = if pair { 12 } else { 6 };
    if pair || !(0xD800..0xE000).contains(&unit) {
        out.push_str(&rest[..length]);
    } else {
        out.push('\u{fffd}');
    }
    length
}

/// The code unit that an escape of the form `\u0041` at the start of a text stands for.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        u16::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

fn control(rest: &str, out: &mut String) -> usize {
    out.push_str(&format!("\\u{:04x}", rest.as_bytes()[0]));
    1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn read(body: &[u8]) -> Option<Value> {
        serde_json::from_str(&repaired(body)?).ok()
    }

    #[test]
    fn bad_bytes_and_halves_of_characters_become_the_replacement_character() {
        for body in [&b"[\"caf\xe9\"]"[..], b"[\"caf\xc3\"]", br#"["caf\ud83d"]"#, br#"["caf\ude00"]"#] {
            assert_eq!(read(body), Some(serde_json::json!(["caf\u{fffd}"])), "{}", body.escape_ascii());
        }
        assert_eq!(read(br#"{"\ud83d":"\ud83d\u0041"}"#), Some(serde_json::json!({"\u{fffd}": "\u{fffd}A"})));
        assert_eq!(read(br#"["\ud83d\ude00\ud83d"]"#), Some(serde_json::json!(["\u{1f600}\u{fffd}"])));
    }

    #[test]
    fn control_characters_and_a_byte_order_mark_are_taken() {
        assert_eq!(read(b"\xef\xbb\xbf[\"a\tb\nc\x00\"]"), Some(serde_json::json!(["a\tb\nc\0"])));
        assert_eq!(read(b"[\"a\\\tb\"]"), Some(serde_json::json!(["a\\\tb"])));
    }

    #[test]
    fn what_is_no_number_becomes_a_text_and_a_text_stays_one() {
        let body = br#"{"a": NaN, "b": [Infinity,-Infinity], "c": "NaN \" NaN", "d": -1.5e+3}"#;
        let value =
            serde_json::json!({"a": "NaN", "b": ["Infinity", "-Infinity"], "c": "NaN \" NaN", "d": -1500.0});
        assert_eq!(read(body), Some(value));
    }

    #[test]
    fn what_was_cut_off_or_is_something_else_is_not_made_whole() {
        for body in [
            "{\"a\":NaN",
            "[\"a\tb",
            "[NaN,]",
            "{a:NaN}",
            "<html>\t\"</html>",
            "[\"\\",
            "[\"\\ud83",
            "[NaNs]",
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_json_stays_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200), texts in prop::collection::vec(".{0,8}", 0..4)) {
            _ = repaired(&bytes);
            let json = Value::from(texts).to_string();
            prop_assert_eq!(repaired(json.as_bytes()), None);
        }

        #[test]
        fn texts_of_any_bytes_become_json(bytes in prop::collection::vec(any::<u8>().prop_filter("ends or escapes the text", |b| !b"\"\\".contains(b)), 0..60)) {
            let body = [&b"{\"a\":NaN,\"b\":\""[..], &bytes, b"\"}"].concat();
            prop_assert!(read(&body).is_some());
        }
    }
}
