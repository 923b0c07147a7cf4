//! The parameters of the list of orders (KNOWN).

use crate::endpoint::{Problem, Reader, Span};
use crate::shop::{EXTERNAL_STATUSES, ROLES, STATUSES};

/// The column a list is sorted by (KNOWN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderBy {
    Id,
    StoreId,
    TotalPrice,
    Draft,
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
}

/// Parameters that may be given more than once.
const ARRAYS: [&str; 5] = ["status", "externalStatus", "customerRole", "sessionId", "externalId"];
const ORDER_BY: [(&str, OrderBy); 4] = [
    ("id", OrderBy::Id),
    ("storeId", OrderBy::StoreId),
    ("totalPrice", OrderBy::TotalPrice),
    ("draftCreatedAt", OrderBy::Draft),
];

/// Understands the pairs of a query.
pub(crate) fn parse(pairs: &[(String, String)], mut reader: Reader) -> Result<Query, Vec<Problem>> {
    let (mut query, mut page) = (Query::default(), None);
    reader.each(pairs, &ARRAYS, |reader, field, value| match field {
        "page" => page = reader.number(field, value),
        _ => read(&mut query, reader, field, value),
    });
    query.page = reader.page(page);
    if query.expires.is_some() && query.last4.is_none() {
        reader.problem("customerPaymentInstrumentLast4", "any.required", "is required");
    }
    query.page_size = reader.capped(query.page_size);
    reader.done(query)
}

fn read(query: &mut Query, reader: &mut Reader, field: &str, value: &str) {
    match field {
        "minCreatedAt" | "maxCreatedAt" => reader.bound(&mut query.created, field, value),
        "minDraftCreatedAt" | "maxDraftCreatedAt" => reader.bound(&mut query.draft, field, value),
        "startTime" => query.period.from = reader.min_date(field, value),
        "endTime" => query.period.until = reader.max_date(field, value),
        "minUpdatedAt" | "maxUpdatedAt" => reader.updated(&mut query.updated, field, value),
        "pageSize" => query.page_size = reader.size(field, value).unwrap_or(query.page_size),
        "orderBy" => query.order_by = reader.choice(field, value, &ORDER_BY).unwrap_or(query.order_by),
        "direction" => query.descending = reader.descending(field, value),
        "id" => query.id = reader.number(field, value),
        "storeId" => query.store = reader.positive(field, value),
        "customerId" => query.customer = reader.number(field, value),
        "status" => query.statuses |= reader.bit(field, value, &STATUSES),
        "externalStatus" => query.external_statuses |= reader.bit(field, value, &EXTERNAL_STATUSES),
        "customerRole" => query.roles |= reader.bit(field, value, &ROLES),
        "sessionId" => query.sessions.push(value.to_owned()),
        "externalId" => query.external_ids.push(value.to_owned()),
        "paymentTransactionId" => query.transaction = Some(value.to_owned()),
        "includeContest" => query.include_contest = reader.boolean(field, value),
        "includeProducts" => query.include_products = reader.boolean(field, value),
        "customerPaymentInstrumentBin" => {
            reader.digits(field, value, 6..=8);
            query.bin = Some(value.to_owned());
        }
        "customerPaymentInstrumentLast4" => {
            reader.digits(field, value, 4..=4);
            query.last4 = Some(value.to_owned());
        }
        "customerPaymentInstrumentExpDate" => {
            let parts = value.split_once('/').filter(|(month, year)| month.len() == 2 && year.len() == 2);
            match parts.map(|(month, year)| (month.parse::<u8>(), year.parse::<u8>())) {
                Some((Ok(1..=12), Ok(_))) => query.expires = Some(value.to_owned()),
                _ => reader.problem(field, "string.pattern.base", "must be MM/YY"),
            }
        }
        "minTotalPrice" | "maxTotalPrice" => reader.price(&mut query.price, field, value),
        "minTotalProductQuantity" | "maxTotalProductQuantity" => {
            reader.amount(&mut query.quantity, field, value);
        }
        _ => reader.undocumented(field),
    }
}

#[cfg(test)]
mod tests;
