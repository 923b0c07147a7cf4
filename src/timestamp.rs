//! Timestamps: generous in reading, one form in writing.

use chrono::{DateTime, Datelike, NaiveDateTime, SecondsFormat, TimeDelta, Timelike, Utc};

/// The finest step we speak of, in a request to the API and in a state: the API's examples have milliseconds.
pub(crate) const MILLISECOND: TimeDelta = TimeDelta::milliseconds(1);

/// The forms of ISO 8601 beside that of RFC 3339: a blank for the `T`, no seconds, the basic form.
const FORMS: [&str; 6] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M",
];

/// Reads an ISO 8601 date-time, also with an offset like `+0000` or `+02`, without seconds, or with a comma before their
/// fraction. Without an offset it is UTC (a guess: all examples of the API end in `Z`). None also for what no destination
/// takes: a second of 60, and years other than 1 to 9999.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    // chrono keeps a leap second as more than 999,999,999 nanoseconds.
    read(text).filter(|at| (1..=9_999).contains(&at.year()) && at.nanosecond() < 1_000_000_000)
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(parsed) = DateTime::parse_from_rfc3339(text) {
        return Some(parsed.to_utc());
    }
    let text = text.trim().replace(',', ".").to_ascii_uppercase();
    let without_offset = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok());
    without_offset.map(|naive| naive.and_utc()).or_else(|| {
        let with_offset =
            FORMS.iter().flat_map(|form| ["%#z", " %#z"].map(|offset| format!("{form}{offset}")));
        with_offset
            .into_iter()
            .find_map(|form| DateTime::parse_from_str(&text, &form).ok())
            .map(|parsed| parsed.to_utc())
    })
}

/// The one form we write: milliseconds and `Z`, as the API's own examples do. Finer digits are cut, never rounded
/// up, so that what is written is never later than what was meant.
pub(crate) fn write(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The same, with all the digits there are: for a value that has to be the same as one that was written.
pub(crate) fn write_exactly(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Whether a text is a date-time in the very form that we write: `2025-11-01T08:30:00[.123]Z`. In UTC, since destinations
/// keep the wall time of an offset. Found out without the cost of a full parse: a page holds thousands.
pub(crate) fn is_plain(text: &str) -> bool {
    let text = text.as_bytes();
    let number =
        |range: std::ops::Range<usize>| text[range].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    let digits = |range: std::ops::Range<usize>| text[range].iter().all(u8::is_ascii_digit);
    let len = text.len();
    let shape = len >= 20
        && text[len - 1] == b'Z'
        && [text[4], text[7], text[10], text[13], text[16]] == *b"--T::"
        && [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].into_iter().all(digits)
        && (len == 20 || (text[19] == b'.' && (22..=30).contains(&len) && digits(20..len - 1)));
    if !shape {
        return false;
    }
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day) && number(11..13) < 24 && number(14..16) < 60 && number(17..19) < 60
}

/// The start of the second that holds `at`.
pub(crate) fn floor_second(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()))
}

/// The first whole second at or after `at`.
pub(crate) fn ceil_second(at: DateTime<Utc>) -> DateTime<Utc> {
    let floor = floor_second(at);
    if floor == at { at } else { floor + TimeDelta::seconds(1) }
}

/// A length of time, in the largest unit of which there are at least two: for people.
pub(crate) fn about(length: TimeDelta) -> String {
    let length = length.abs();
    match length.num_minutes() {
        0..2 => format!("{} seconds", length.num_seconds()),
        minutes @ 2..120 => format!("{minutes} minutes"),
        minutes @ 120..2_880 => format!("{} hours", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_is_told_in_the_largest_unit_that_says_enough() {
        let told =
            [90, -150, 7_100, 7_200, 172_799, 172_800].map(|seconds| about(TimeDelta::seconds(seconds)));
        assert_eq!(told, ["90 seconds", "2 minutes", "118 minutes", "2 hours", "47 hours", "2 days"]);
    }

    #[test]
    fn the_forms_of_one_instant_are_equal() {
        let instant = parse("2025-11-01T08:30:00.120Z");
        for text in [
            "2025-11-01T08:30:00.12Z",
            "2025-11-01T09:30:00.120+01:00",
            "2025-11-01T08:30:00.120000",
            "2025-11-01 08:30:00.12",
            "2025-11-01T08:30:00,120Z",
            "2025-11-01t08:30:00.120z",
            "2025-11-01T08:30:00.120+0000",
            "2025-11-01T10:30:00.120+02",
            "2025-11-01 03:00:00.120 -0530",
            "20251101T083000.12Z",
        ] {
            assert_eq!(parse(text), instant, "{text}");
        }
        for text in ["2025-11-01T08:30Z", "2025-11-01 08:30", "20251101T0830+0000", "2025-11-01T09:30+01:00"]
        {
            assert_eq!(parse(text), parse("2025-11-01T08:30:00Z"), "{text}");
        }
        for text in ["", "2025-11-01", "2025-02-30T00:00:00Z", "1700000000", "yesterday"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writing_cuts_and_never_rounds_up() {
        assert_eq!(write(parse("2025-11-01T08:30:00.999999Z").unwrap()), "2025-11-01T08:30:00.999Z");
        assert_eq!(write(parse("2025-11-01T08:30:00Z").unwrap()), "2025-11-01T08:30:00.000Z");
    }

    #[test]
    fn only_forms_that_destinations_take_are_plain() {
        for text in ["2025-11-01T08:30:00Z", "2024-02-29T23:59:59.123456Z"] {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "2025-11-01 08:30:00Z",
            "2025-02-29T00:00:00Z",
            "2025-11-01T08:30:00",
            "2025-11-01T24:00:00Z",
            "2025-11-01t08:30:00Z",
            "2025-11-01T08:30:00z",
            "2025-11-01T08:30:00.Z",
            "",
            "x",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn seconds_are_rounded_down_and_up() {
        let at = |text| parse(text).unwrap();
        assert_eq!(floor_second(at("2025-11-01T08:30:00.001Z")), at("2025-11-01T08:30:00Z"));
        assert_eq!(ceil_second(at("2025-11-01T08:30:00.001Z")), at("2025-11-01T08:30:01Z"));
        assert_eq!(ceil_second(at("2025-11-01T08:30:00Z")), at("2025-11-01T08:30:00Z"));
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_full_parse(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{0,7})?Z") {
            prop_assert_eq!(is_plain(&text), DateTime::parse_from_rfc3339(&text).is_ok());
        }
    }
}
