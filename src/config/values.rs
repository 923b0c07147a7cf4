//! Typed values of a configuration. Each gives the value that was validated, or a violation: a setting that cannot be
//! read must never fall back to its default, which may be wider.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::timestamp;

/// Up to here every whole number that is written as a float is read exactly, also by a parser that rounds.
const LARGEST_FLOAT: f64 = 1e15;

/// The fields of a configuration, and what is wrong with them.
pub(super) struct Values<'a> {
    config: &'a Value,
    properties: &'a Value,
    found: &'a mut Vec<String>,
}

impl<'a> Values<'a> {
    pub(super) fn new(config: &'a Value, schema: &'a Value, found: &'a mut Vec<String>) -> Self {
        Self { config, properties: &schema["properties"], found }
    }

    /// The value of a field, or its default; None where there is neither.
    pub(super) fn one<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.config.get(name).or_else(|| self.properties[name].get("default"))?;
        let read = read(value);
        if read.is_none() {
            self.refuse(name);
        }
        read
    }

    /// The items of a list; none where it is not given. One that cannot be read is a violation.
    pub(super) fn list<T>(&mut self, name: &str, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        let Some(value) = self.config.get(name) else { return Some(Vec::new()) };
        let read = value.as_array().and_then(|items| items.iter().map(item).collect());
        if read.is_none() {
            self.refuse(name);
        }
        read
    }

    /// A moment, in the one form that the pattern of the field takes too: what the form lets through is read, and nothing else.
    pub(super) fn date(&mut self, name: &str) -> Option<DateTime<Utc>> {
        self.one(name, |value| date(value.as_str()?))
    }

    /// What the specification refuses already is said in its words.
    fn refuse(&mut self, name: &str) {
        let is_known = |text: &String| {
            let path = text.split_once("): ").and_then(|(label, _)| label.rsplit_once('('));
            path.is_some_and(|(_, path)| path.split('.').next() == Some(name))
        };
        // What is wrong with the whole, such as not being an object, covers its fields.
        if !self.found.iter().any(is_known) {
            let title = self.properties[name]["title"].as_str().unwrap_or(name);
            let hint = match self.properties[name]["type"].as_str() {
                Some("integer" | "array") => " Write whole numbers without fraction and exponent.",
                _ => "",
            };
            self.found.push(format!("{title} ({name}): has a value that cannot be used.{hint}"));
        }
    }
}

/// A moment in UTC, to the microsecond at most.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let longest = "2025-11-01T00:00:00.000000Z".len();
    timestamp::parse(text).filter(|_| timestamp::is_plain(text) && text.len() <= longest)
}

/// A text.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A whole number, also one that is written as a float: JSON Schema makes no difference.
pub(super) fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float =
            value.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=LARGEST_FLOAT).contains(float))?;
        Some(float as u64)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jsonschema::Validator;
    use proptest::prelude::*;
    use serde_json::json;

    use crate::config::{Changes, Config};

    /// A whole number in each way that JSON Schema takes for an integer.
    fn spelt(number: u64, way: usize) -> String {
        match way % 6 {
            0 => format!("{number}"),
            1 => format!("{number}.0"),
            2 => format!("{number}e0"),
            3 => format!("{number}0e-1"),
            4 => format!("{number}.000"),
            _ => format!("{number}E+0"),
        }
    }

    fn parse(fields: &str) -> Result<Config, String> {
        let credentials = json!({"auth_type": "access_token", "access_token": "tok-12345678"});
        let text = format!(r#"{{"credentials": {credentials}{fields}}}"#);
        Config::parse(&text).map_err(|failure| failure.message)
    }

    const DAY: &str = r#", "start_date": "2025-11-01T00:00:00Z""#;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_setting_is_used_as_it_is_spelt_or_refused(
            stores in prop::collection::vec((prop_oneof![1..100u64, any::<u64>()], 0..6usize), 0..4),
            rate in (0..23u64, 0..6usize),
            days in (0..95u64, 0..6usize),
            statuses in prop::collection::vec(prop::sample::select(&["draft", "paid", " paid", "PAID", "", "reviewed"][..]), 0..3),
            changes in prop::sample::select(&["updated", "window", "off", "OFF", " off", "none"][..]),
            end in prop::sample::select(&[
                "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.123456Z", "2016-12-31T23:59:60Z",
                "2026-06-30T23:59:60Z", "2026-01-01t00:00:00z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+00:00", "9999-12-31T23:59:59Z",
            ][..]),
        ) {
            let list = stores.iter().map(|(number, way)| spelt(*number, *way)).collect::<Vec<_>>().join(",");
            let one = |fields: String| parse(&format!("{DAY}, {fields}"));
            if let Ok(config) = one(format!(r#""store_ids": [{list}]"#)) {
                prop_assert_eq!(config.store_ids, stores.iter().map(|(number, _)| *number).collect::<Vec<_>>());
            }
            let read = one(format!(r#""requests_per_second": {}"#, spelt(rate.0, rate.1)));
            prop_assert_eq!(read.ok().map(|config| u64::from(config.requests_per_second)), (1..=20).contains(&rate.0).then_some(rate.0));
            let read = one(format!(r#""changes_days": {}"#, spelt(days.0, days.1)));
            prop_assert_eq!(read.ok().map(|config| config.changes_days.unsigned_abs()), (1..=90).contains(&days.0).then_some(days.0));
            if let Ok(config) = one(format!(r#""statuses": {}"#, json!(statuses))) {
                prop_assert_eq!(config.statuses, statuses);
            }
            if let Ok(config) = one(format!(r#""changes": "{changes}""#)) {
                prop_assert_eq!(format!("{:?}", config.changes).to_lowercase(), changes);
            }
            if let Ok(config) = one(format!(r#""end_date": "{end}""#)) {
                let read = config.end_date.map(|date| date.timestamp_micros());
                let told = chrono::DateTime::parse_from_rfc3339(end).ok().map(|date| date.timestamp_micros());
                prop_assert_eq!(read, told, "{}", end);
            }
        }
    }

    /// The pattern of a field, as a form applies it.
    fn pattern_of(field: &str) -> Validator {
        let pattern = &crate::config::connection_specification()["properties"][field]["pattern"];
        jsonschema::validator_for(&json!({"pattern": pattern})).unwrap()
    }

    #[test]
    fn a_form_takes_the_days_that_the_connector_reads() {
        for field in ["start_date", "end_date"] {
            let pattern = pattern_of(field);
            let fits = |text: &str| pattern.is_valid(&json!(text));
            for year in [0, 1, 4, 10, 100, 400, 1000, 1900, 2000, 2023, 2024, 2100, 9999] {
                for (month, day) in (0..14).flat_map(|month| (0..33).map(move |day| (month, day))) {
                    let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                    assert_eq!(fits(&text), super::date(&text).is_some(), "{text}");
                }
            }
            assert!(fits("2024-02-29T23:59:59.123456Z") && !fits("2023-02-29T00:00:00Z"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_form_takes_the_texts_that_the_connector_reads(
            text in "[ ]?[0-9]{4}[-]?[0-9]{2}-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?([.,][0-9]{0,8})?(Z|z|[+]00:00)?\\n?"
        ) {
            static FITS: LazyLock<Validator> = LazyLock::new(|| pattern_of("start_date"));
            prop_assert_eq!(FITS.is_valid(&json!(text)), super::date(&text).is_some(), "{:?}", text);
        }
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats() {
        let config = parse(&format!(
            r#"{DAY}, "store_ids": [2.0, 30e-1], "requests_per_second": 5.0, "changes_days": 1e1"#
        ));
        let config = config.unwrap();
        assert_eq!(
            (config.store_ids.as_slice(), config.requests_per_second, config.changes_days),
            (&[2, 3][..], 5, 10)
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_never_the_default() {
        for (fields, word) in [
            (r#""store_ids": [18446744073709551616]"#, "store_ids"),
            (r#""store_ids": [1e16]"#, "store_ids"),
            (r#""store_ids": [-0.0]"#, "store_ids.0"),
            (r#""store_ids": [1, null]"#, "store_ids.1"),
            (r#""store_ids": [""]"#, "store_ids.0"),
            (r#""store_ids": [2.5]"#, "store_ids.0"),
            (r#""store_ids": {}"#, "store_ids"),
            (r#""statuses": [""]"#, "statuses.0"),
            (r#""statuses": ["paid "]"#, "statuses.0"),
            (r#""customer_roles": [null]"#, "customer_roles.0"),
            (r#""changes": "Off""#, "changes"),
            (r#""requests_per_second": -0"#, "requests_per_second"),
            (r#""store_ids": [1], "store_ids": []"#, "store_ids"),
        ] {
            let message = parse(&format!("{DAY}, {fields}")).unwrap_err();
            assert!(message.contains(word), "{fields}: {message}");
        }
    }

    #[test]
    fn lists_may_be_null_or_empty_for_all() {
        for list in ["null", "[]"] {
            assert_eq!(parse(&format!(r#"{DAY}, "store_ids": {list}"#)).unwrap().store_ids, [0; 0]);
        }
        assert_eq!(parse(DAY).unwrap().changes, Changes::Updated);
    }
}
