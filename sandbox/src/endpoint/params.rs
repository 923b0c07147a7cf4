//! The parameters of a request, read one by one, and what is said about wrong ones.

use serde_json::json;

use crate::settings::{Behaviour, Bounds, FirstPage, UnknownParameters, UpdatedFilter};
use crate::time::{self, SECOND};

/// Micro-cents of a price, so that a bound may have more than two digits.
pub(crate) const PRICE_SCALE: i64 = 10_000;

/// A half-open range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Default for Span {
    fn default() -> Span {
        Span::ALL
    }
}

impl Span {
    pub(crate) const ALL: Span = Span { from: i64::MIN, until: i64::MAX };

    pub(crate) fn has(self, value: i64) -> bool {
        self == Span::ALL || (self.from <= value && value < self.until)
    }
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    field: String,
    rule: &'static str,
    error: String,
}

impl Problem {
    pub(crate) fn new(field: &str, rule: &'static str, error: impl Into<String>) -> Problem {
        Problem { field: field.to_owned(), rule, error: error.into() }
    }

    #[cfg(test)]
    pub(crate) fn rule(&self) -> &'static str {
        self.rule
    }
}

/// The body of the answer to a wrong query. The shape is KNOWN, the texts are not.
pub(crate) fn problems_body(problems: &[Problem]) -> Vec<u8> {
    let errors: Vec<_> = problems
        .iter()
        .map(|Problem { field, rule, error }| {
            json!({"error": format!("\"{field}\" {error}"), "rule": rule, "field": field})
        })
        .collect();
    json!({"message": "Invalid query", "type": "E_INVALID_QUERY", "errors": errors}).to_string().into_bytes()
}

/// Reads values, and keeps what is wrong with them.
pub(crate) struct Reader<'b> {
    /// A fault: dates are read, and then ignored.
    out_of_range: bool,
    behaviour: &'b Behaviour,
    problems: Vec<Problem>,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(behaviour: &'b Behaviour) -> Reader<'b> {
        Reader { out_of_range: false, behaviour, problems: Vec::new() }
    }

    /// The same reader, which ignores dates if a fault wants it.
    pub(crate) fn out_of_range(self, out_of_range: bool) -> Reader<'b> {
        Reader { out_of_range, ..self }
    }

    /// Hands on each pair; only the `arrays` may be given more than once.
    pub(crate) fn each(
        &mut self,
        pairs: &[(String, String)],
        arrays: &[&str],
        mut read: impl FnMut(&mut Self, &str, &str),
    ) {
        for (at, (field, value)) in pairs.iter().enumerate() {
            let again = pairs[..at].iter().any(|(earlier, _)| earlier == field);
            if again && !arrays.contains(&field.as_str()) {
                self.problem(field, "any.single", "must be given once");
            } else {
                read(self, field, value);
            }
        }
    }

    /// The query, or what is wrong with it.
    pub(crate) fn done<Q>(self, query: Q) -> Result<Q, Vec<Problem>> {
        if self.problems.is_empty() { Ok(query) } else { Err(self.problems) }
    }

    pub(crate) fn problem(&mut self, field: &str, rule: &'static str, error: impl Into<String>) {
        self.problems.push(Problem::new(field, rule, error));
    }

    /// A parameter that is not documented.
    pub(crate) fn undocumented(&mut self, field: &str) {
        if self.behaviour.unknown_parameters == UnknownParameters::Refused {
            self.unknown(field);
        }
    }

    fn unknown(&mut self, field: &str) {
        self.problem(field, "object.unknown", "is not allowed");
    }

    fn one_of(&mut self, field: &str, names: &[&str]) {
        self.problem(field, "any.only", format!("must be one of [{}]", names.join(", ")));
    }

    pub(crate) fn number(&mut self, field: &str, value: &str) -> Option<u64> {
        let number = value.parse().ok();
        if number.is_none() {
            self.problem(field, "number.base", "must be a number");
        }
        number
    }

    /// A number of at least 1.
    pub(crate) fn positive(&mut self, field: &str, value: &str) -> Option<u64> {
        let number = self.number(field, value)?;
        if number == 0 {
            self.problem(field, "number.min", "must be larger than or equal to 1");
        }
        Some(number)
    }

    /// How many rows a page has: at most 200, and no more than the cap.
    pub(crate) fn size(&mut self, field: &str, value: &str) -> Option<usize> {
        let size = self.positive(field, value)?;
        if size > 200 {
            self.problem(field, "number.max", "must be less than or equal to 200");
        }
        usize::try_from(size).ok()
    }

    /// A size of a page, clamped.
    pub(crate) fn capped(&self, size: usize) -> usize {
        self.behaviour.page_cap.map_or(size, |cap| size.min(cap.max(1)))
    }

    /// The number of a page, counted from 0 always.
    pub(crate) fn page(&mut self, page: Option<u64>) -> u64 {
        let first = u64::from(self.behaviour.first_page == FirstPage::One);
        page.unwrap_or(first).checked_sub(first).unwrap_or_else(|| {
            self.problem("page", "number.min", "must be larger than or equal to 1");
            0
        })
    }

    pub(crate) fn boolean(&mut self, field: &str, value: &str) -> bool {
        if !matches!(value, "true" | "false") {
            self.problem(field, "boolean.base", "must be a boolean");
        }
        value == "true"
    }

    /// One of some values.
    pub(crate) fn choice<T: Copy>(&mut self, field: &str, value: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(name, _)| *name == value);
        if found.is_none() {
            self.one_of(field, &choices.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        }
        found.map(|(_, choice)| *choice)
    }

    /// Whether a `direction` is descending.
    pub(crate) fn descending(&mut self, field: &str, value: &str) -> bool {
        self.choice(field, value, &[("asc", false), ("desc", true)]).unwrap_or(false)
    }

    /// One of some names, as a bit.
    pub(crate) fn bit(&mut self, field: &str, value: &str, names: &[&str]) -> u8 {
        let place = names.iter().position(|name| *name == value);
        if place.is_none() {
            self.one_of(field, names);
        }
        place.map_or(0, |place| 1 << place)
    }

    pub(crate) fn digits(&mut self, field: &str, value: &str, length: std::ops::RangeInclusive<usize>) {
        if !length.contains(&value.len()) || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(field, "string.pattern.base", "has the wrong form");
        }
    }

    fn date(&mut self, field: &str, value: &str) -> Option<i64> {
        let Some(date) = time::parse(value) else {
            self.problem(field, "date.format", "must be in ISO 8601 date format");
            return None;
        };
        if self.out_of_range {
            return None;
        }
        let micros = date.timestamp_micros();
        Some(match self.behaviour.bounds {
            Bounds::TruncatedToSeconds => micros.div_euclid(SECOND) * SECOND,
            Bounds::Inclusive | Bounds::Exclusive => micros,
        })
    }

    pub(crate) fn min_date(&mut self, field: &str, value: &str) -> i64 {
        let after = i64::from(self.behaviour.bounds == Bounds::Exclusive);
        self.date(field, value).map_or(i64::MIN, |date| date + after)
    }

    pub(crate) fn max_date(&mut self, field: &str, value: &str) -> i64 {
        let after = i64::from(self.behaviour.bounds != Bounds::Exclusive);
        self.date(field, value).map_or(i64::MAX, |date| date + after)
    }

    /// A bound of a span of dates: a field that begins with `min`, or one that begins with `max`.
    pub(crate) fn bound(&mut self, span: &mut Span, field: &str, value: &str) {
        if field.starts_with("min") {
            span.from = self.min_date(field, value);
        } else {
            span.until = self.max_date(field, value);
        }
    }

    /// `minUpdatedAt` or `maxUpdatedAt`, which may do nothing or be refused.
    pub(crate) fn updated(&mut self, span: &mut Span, field: &str, value: &str) {
        match self.behaviour.updated_filter {
            UpdatedFilter::Refused => self.unknown(field),
            UpdatedFilter::Ignored => {}
            UpdatedFilter::Honoured => self.bound(span, field, value),
        }
    }

    /// A bound of a span of whole numbers.
    pub(crate) fn amount(&mut self, span: &mut Span, field: &str, value: &str) {
        let number = self.number(field, value).map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        set(span, field.starts_with("min") || field.ends_with("Min"), number);
    }

    /// A bound of a span of prices, in [`PRICE_SCALE`].
    pub(crate) fn price(&mut self, span: &mut Span, field: &str, value: &str) {
        let price = value.parse::<f64>().ok().filter(|price| price.abs() < 1e9);
        if price.is_none() {
            self.problem(field, "number.base", "must be a number");
        }
        let price = price.map(|price| (price * 100.0 * PRICE_SCALE as f64).round() as i64);
        set(span, field.starts_with("min") || field.ends_with("Min"), price);
    }
}

/// Sets a bound of a span, inclusive always.
fn set(span: &mut Span, least: bool, value: Option<i64>) {
    match value {
        None => {}
        Some(value) if least => span.from = value,
        Some(value) => span.until = value.saturating_add(1),
    }
}
