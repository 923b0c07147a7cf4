//! Moments: microseconds since 1970 inside, ISO 8601 outside.

use chrono::{DateTime, NaiveDate, Utc};

use crate::settings::Stamps;

/// Microseconds of a second, minute, hour.
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Reads a date of a query: RFC 3339, or a day.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.to_utc());
    }
    let day = text.parse::<NaiveDate>().ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

/// Appends a moment as `2025-11-01T06:07:08.123Z`, without quotes.
pub(crate) fn push(out: &mut Vec<u8>, micros: i64, stamps: Stamps) {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let within = micros.rem_euclid(DAY);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], within / HOUR);
    digits(&mut text[14..16], within / MINUTE % 60);
    digits(&mut text[17..19], within / SECOND % 60);
    digits(&mut text[20..26], within % SECOND);
    match stamps {
        Stamps::Micros => out.extend_from_slice(&text),
        Stamps::Millis => {
            out.extend_from_slice(&text[..23]);
            out.push(b'Z');
        }
    }
}

/// A moment as text.
pub(crate) fn text(micros: i64, stamps: Stamps) -> String {
    let mut out = Vec::with_capacity(27);
    push(&mut out, micros, stamps);
    String::from_utf8(out).expect("digits are UTF-8")
}

/// A moment as HTTP headers spell it.
pub(crate) fn http_date(moment: DateTime<Utc>) -> String {
    moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn digits(place: &mut [u8], mut value: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Year, month and day of a number of days since 1970 (the Gregorian calendar in eras of 400 years).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    #[test]
    fn moments_are_spelled_as_chrono_spells_them() {
        for step in 0..5_000 {
            let micros = -1_000_000_000_000 + step * 1_234_567_890_123;
            let moment = DateTime::from_timestamp_micros(micros).unwrap();
            assert_eq!(text(micros, Stamps::Millis), moment.to_rfc3339_opts(SecondsFormat::Millis, true));
            assert_eq!(text(micros, Stamps::Micros), moment.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn queries_may_ask_by_day_and_by_offset() {
        let noon = parse("2025-11-01T12:00:00.5Z").unwrap();
        assert_eq!(parse("2025-11-01T14:00:00.500+02:00"), Some(noon));
        assert_eq!(parse("2025-11-01"), parse("2025-11-01T00:00:00Z"));
        assert_eq!(parse("yesterday"), None);
    }
}
