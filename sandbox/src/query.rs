//! The parameters of the list (KNOWN), and what is said about wrong ones.

use serde_json::json;

use crate::behaviour::{Behaviour, Bounds, FirstPage, UnknownParameters, UpdatedFilter};
use crate::order::{EXTERNAL_STATUSES, ROLES, STATUSES};
use crate::stamp::{self, SECOND};

/// Micro-cents of a price, so that a bound may have more than two digits.
pub(crate) const PRICE_SCALE: i64 = 10_000;

/// The column a list is sorted by (KNOWN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderBy {
    Id,
    StoreId,
    TotalPrice,
    Draft,
}

/// A half-open range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Span {
    pub(crate) const ALL: Span = Span { from: i64::MIN, until: i64::MAX };

    pub(crate) fn has(self, value: i64) -> bool {
        self == Span::ALL || (self.from <= value && value < self.until)
    }
}

/// A request for a page, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// Counted from 0 always.
    pub(crate) page: u64,
    pub(crate) page_size: usize,
    pub(crate) include_products: bool,
    pub(crate) include_contest: bool,
    pub(crate) order_by: OrderBy,
    pub(crate) descending: bool,
    pub(crate) created: Span,
    pub(crate) updated: Span,
    pub(crate) draft: Span,
    /// `startTime` and `endTime`. UNKNOWN which column they mean; here `createdAt`.
    pub(crate) period: Span,
    pub(crate) price: Span,
    pub(crate) quantity: Span,
    pub(crate) id: Option<u64>,
    pub(crate) store: Option<u64>,
    pub(crate) customer: Option<u64>,
    /// Bits of the wanted values; 0 is all.
    pub(crate) statuses: u8,
    pub(crate) external_statuses: u8,
    pub(crate) roles: u8,
    pub(crate) sessions: Vec<String>,
    pub(crate) external_ids: Vec<String>,
    pub(crate) transaction: Option<String>,
    pub(crate) bin: Option<String>,
    pub(crate) last4: Option<String>,
    pub(crate) expires: Option<String>,
}

impl Default for Query {
    fn default() -> Query {
        Query {
            page: 0,
            page_size: 50,
            include_products: false,
            include_contest: false,
            order_by: OrderBy::Id,
            descending: false,
            created: Span::ALL,
            updated: Span::ALL,
            draft: Span::ALL,
            period: Span::ALL,
            price: Span::ALL,
            quantity: Span::ALL,
            id: None,
            store: None,
            customer: None,
            statuses: 0,
            external_statuses: 0,
            roles: 0,
            sessions: Vec::new(),
            external_ids: Vec::new(),
            transaction: None,
            bin: None,
            last4: None,
            expires: None,
        }
    }
}

impl Query {
    /// The query without what decides only which part of the list is shown, and how.
    pub(crate) fn list(&self) -> Query {
        let Query { page, page_size, .. } = Query::default();
        Query { page, page_size, include_products: false, include_contest: false, ..self.clone() }
    }

    /// Drops the dates.
    pub(crate) fn forget_dates(&mut self) {
        (self.created, self.updated, self.draft, self.period) = (Span::ALL, Span::ALL, Span::ALL, Span::ALL);
    }
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    field: String,
    rule: &'static str,
    error: String,
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

/// Understands the pairs of a query.
pub(crate) fn parse(pairs: &[(String, String)], behaviour: &Behaviour) -> Result<Query, Vec<Problem>> {
    let mut reader = Reader { query: Query::default(), behaviour, problems: Vec::new() };
    let mut page = None;
    for (at, (field, value)) in pairs.iter().enumerate() {
        let array = matches!(
            field.as_str(),
            "status" | "externalStatus" | "customerRole" | "sessionId" | "externalId"
        );
        if !array && pairs[..at].iter().any(|(earlier, _)| earlier == field) {
            reader.problem(field, "any.single", "must be given once");
        } else if field == "page" {
            page = reader.number(field, value);
        } else {
            reader.read(field, value);
        }
    }
    let first = u64::from(behaviour.first_page == FirstPage::One);
    reader.query.page = match page.unwrap_or(first).checked_sub(first) {
        Some(page) => page,
        None => {
            reader.problem("page", "number.min", "must be larger than or equal to 1");
            0
        }
    };
    if reader.query.expires.is_some() && reader.query.last4.is_none() {
        reader.problem("customerPaymentInstrumentLast4", "any.required", "is required");
    }
    if let Some(cap) = behaviour.page_cap {
        reader.query.page_size = reader.query.page_size.min(cap.max(1));
    }
    if reader.problems.is_empty() { Ok(reader.query) } else { Err(reader.problems) }
}

struct Reader<'a> {
    query: Query,
    behaviour: &'a Behaviour,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, rule: &'static str, error: impl Into<String>) {
        self.problems.push(Problem { field: field.to_owned(), rule, error: error.into() });
    }

    fn read(&mut self, field: &str, value: &str) {
        match field {
            "minCreatedAt" => self.query.created.from = self.min_date(field, value),
            "maxCreatedAt" => self.query.created.until = self.max_date(field, value),
            "minDraftCreatedAt" => self.query.draft.from = self.min_date(field, value),
            "maxDraftCreatedAt" => self.query.draft.until = self.max_date(field, value),
            "startTime" => self.query.period.from = self.min_date(field, value),
            "endTime" => self.query.period.until = self.max_date(field, value),
            "minUpdatedAt" | "maxUpdatedAt" => match self.behaviour.updated_filter {
                UpdatedFilter::Refused => self.unknown(field),
                UpdatedFilter::Ignored => {}
                UpdatedFilter::Honoured if field == "minUpdatedAt" => {
                    self.query.updated.from = self.min_date(field, value);
                }
                UpdatedFilter::Honoured => self.query.updated.until = self.max_date(field, value),
            },
            "pageSize" => match self.number(field, value) {
                Some(0) => self.problem(field, "number.min", "must be larger than or equal to 1"),
                Some(size @ 1..=200) => self.query.page_size = size as usize,
                Some(_) => self.problem(field, "number.max", "must be less than or equal to 200"),
                None => {}
            },
            "orderBy" => match value {
                "id" => self.query.order_by = OrderBy::Id,
                "storeId" => self.query.order_by = OrderBy::StoreId,
                "totalPrice" => self.query.order_by = OrderBy::TotalPrice,
                "draftCreatedAt" => self.query.order_by = OrderBy::Draft,
                _ => self.one_of(field, &["id", "storeId", "totalPrice", "draftCreatedAt"]),
            },
            "direction" => match value {
                "asc" => self.query.descending = false,
                "desc" => self.query.descending = true,
                _ => self.one_of(field, &["asc", "desc"]),
            },
            "id" => self.query.id = self.number(field, value),
            "storeId" => match self.number(field, value) {
                Some(0) => self.problem(field, "number.min", "must be larger than or equal to 1"),
                store => self.query.store = store,
            },
            "customerId" => self.query.customer = self.number(field, value),
            "status" => self.query.statuses |= self.bit(field, value, &STATUSES),
            "externalStatus" => self.query.external_statuses |= self.bit(field, value, &EXTERNAL_STATUSES),
            "customerRole" => self.query.roles |= self.bit(field, value, &ROLES),
            "sessionId" => self.query.sessions.push(value.to_owned()),
            "externalId" => self.query.external_ids.push(value.to_owned()),
            "paymentTransactionId" => self.query.transaction = Some(value.to_owned()),
            "includeContest" => self.query.include_contest = self.boolean(field, value),
            "includeProducts" => self.query.include_products = self.boolean(field, value),
            "customerPaymentInstrumentBin" => {
                self.digits(field, value, 6..=8);
                self.query.bin = Some(value.to_owned());
            }
            "customerPaymentInstrumentLast4" => {
                self.digits(field, value, 4..=4);
                self.query.last4 = Some(value.to_owned());
            }
            "customerPaymentInstrumentExpDate" => {
                let parts = value.split_once('/').filter(|(month, year)| month.len() == 2 && year.len() == 2);
                match parts.map(|(month, year)| (month.parse::<u8>(), year.parse::<u8>())) {
                    Some((Ok(1..=12), Ok(_))) => self.query.expires = Some(value.to_owned()),
                    _ => self.problem(field, "string.pattern.base", "must be MM/YY"),
                }
            }
            "minTotalPrice" => self.query.price.from = self.price(field, value).unwrap_or(i64::MIN),
            "maxTotalPrice" => {
                self.query.price.until = self.price(field, value).map_or(i64::MAX, |price| price + 1)
            }
            "minTotalProductQuantity" => {
                self.query.quantity.from = self.number(field, value).map_or(i64::MIN, signed);
            }
            "maxTotalProductQuantity" => {
                self.query.quantity.until =
                    self.number(field, value).map_or(i64::MAX, |most| signed(most).saturating_add(1));
            }
            _ if self.behaviour.unknown_parameters == UnknownParameters::Refused => self.unknown(field),
            _ => {}
        }
    }

    fn unknown(&mut self, field: &str) {
        self.problem(field, "object.unknown", "is not allowed");
    }

    fn one_of(&mut self, field: &str, names: &[&str]) {
        self.problem(field, "any.only", format!("must be one of [{}]", names.join(", ")));
    }

    fn number(&mut self, field: &str, value: &str) -> Option<u64> {
        let number = value.parse().ok();
        if number.is_none() {
            self.problem(field, "number.base", "must be a number");
        }
        number
    }

    fn boolean(&mut self, field: &str, value: &str) -> bool {
        if !matches!(value, "true" | "false") {
            self.problem(field, "boolean.base", "must be a boolean");
        }
        value == "true"
    }

    fn bit(&mut self, field: &str, value: &str, names: &[&str]) -> u8 {
        let place = names.iter().position(|name| *name == value);
        if place.is_none() {
            self.one_of(field, names);
        }
        place.map_or(0, |place| 1 << place)
    }

    fn digits(&mut self, field: &str, value: &str, length: std::ops::RangeInclusive<usize>) {
        if !length.contains(&value.len()) || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(field, "string.pattern.base", "has the wrong form");
        }
    }

    fn date(&mut self, field: &str, value: &str) -> Option<i64> {
        let Some(date) = stamp::parse(value) else {
            self.problem(field, "date.format", "must be in ISO 8601 date format");
            return None;
        };
        let micros = date.timestamp_micros();
        Some(match self.behaviour.bounds {
            Bounds::TruncatedToSeconds => micros.div_euclid(SECOND) * SECOND,
            Bounds::Inclusive | Bounds::Exclusive => micros,
        })
    }

    fn min_date(&mut self, field: &str, value: &str) -> i64 {
        let after = i64::from(self.behaviour.bounds == Bounds::Exclusive);
        self.date(field, value).map_or(i64::MIN, |date| date + after)
    }

    fn max_date(&mut self, field: &str, value: &str) -> i64 {
        let after = i64::from(self.behaviour.bounds != Bounds::Exclusive);
        self.date(field, value).map_or(i64::MAX, |date| date + after)
    }

    fn price(&mut self, field: &str, value: &str) -> Option<i64> {
        let price = value.parse::<f64>().ok().filter(|price| price.abs() < 1e9);
        if price.is_none() {
            self.problem(field, "number.base", "must be a number");
        }
        price.map(|price| (price * 100.0 * PRICE_SCALE as f64).round() as i64)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
