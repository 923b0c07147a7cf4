use serde_json::json;

use super::*;
use crate::endpoint::problems_body;
use crate::settings::{Behaviour, Bounds, FirstPage, UnknownParameters, UpdatedFilter};
use crate::time;

fn asked(query: &str, behaviour: &Behaviour) -> Result<Query, Vec<&'static str>> {
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    parse(&pairs, Reader::new(behaviour)).map_err(|problems| problems.iter().map(Problem::rule).collect())
}

fn plain(query: &str) -> Result<Query, Vec<&'static str>> {
    asked(query, &Behaviour::default())
}

#[test]
fn nothing_asked_is_the_documented_default() {
    let query = plain("").unwrap();
    assert_eq!((query.page, query.page_size, query.order_by, query.descending), (0, 50, OrderBy::Id, false));
}

#[test]
fn arrays_repeat_and_scalars_do_not() {
    let query = plain("status=paid&status=reviewed&customerRole=customer").unwrap();
    assert_eq!((query.statuses, query.roles), (0b100_0010, 1));
    assert_eq!(plain("storeId=1&storeId=2"), Err(vec!["any.single"]));
    assert_eq!(plain("status=paid,contested"), Err(vec!["any.only"]));
}

#[test]
fn wrong_values_are_named() {
    assert_eq!(plain("pageSize=201"), Err(vec!["number.max"]));
    assert_eq!(plain("orderBy=updatedAt&page=-1"), Err(vec!["any.only", "number.base"]));
    assert_eq!(plain("minDraftCreatedAt=2025-11-01T00:00:00+01:00"), Err(vec!["date.format"]));
    assert!(plain("minDraftCreatedAt=2025-11-01T00:00:00%2B01:00").is_ok());
    assert_eq!(plain("customerPaymentInstrumentExpDate=11/27"), Err(vec!["any.required"]));
    assert_eq!(plain("includeProducts=1"), Err(vec!["boolean.base"]));
    let body = problems_body(
        &parse(&[("pageSize".into(), "x".into())], Reader::new(&Behaviour::default())).unwrap_err(),
    );
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["type"], "E_INVALID_QUERY");
    assert_eq!(
        body["errors"][0],
        json!({"error": "\"pageSize\" must be a number", "rule": "number.base", "field": "pageSize"})
    );
}

#[test]
fn unknown_parameters_are_ignored_or_refused() {
    let strict = Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() };
    assert!(plain("offset=5&status[]=paid").is_ok());
    assert_eq!(asked("offset=5", &strict), Err(vec!["object.unknown"]));
    let every = "minCreatedAt=2025-01-01&maxCreatedAt=2025-01-01&minUpdatedAt=2025-01-01&maxUpdatedAt=2025-01-01\
        &minDraftCreatedAt=2025-01-01&maxDraftCreatedAt=2025-01-01&startTime=2025-01-01&endTime=2025-01-01\
        &page=0&pageSize=10&orderBy=id&direction=asc&id=1&status=paid&externalStatus=ok&customerRole=tester\
        &sessionId=a&externalId=b&storeId=1&customerId=1&paymentTransactionId=c&includeContest=true\
        &includeProducts=true&customerPaymentInstrumentBin=123456&customerPaymentInstrumentLast4=1234\
        &customerPaymentInstrumentExpDate=01/30&minTotalPrice=1.50&maxTotalPrice=2&minTotalProductQuantity=1\
        &maxTotalProductQuantity=2";
    assert!(asked(every, &strict).is_ok());
}

#[test]
fn the_first_page_is_zero_or_one() {
    let one = Behaviour { first_page: FirstPage::One, ..Behaviour::default() };
    assert_eq!(asked("page=0", &one), Err(vec!["number.min"]));
    assert_eq!(asked("page=1", &one).unwrap().page, 0);
    assert_eq!(asked("", &one).unwrap().page, 0);
    assert_eq!(plain("page=1").unwrap().page, 1);
}

#[test]
fn bounds_are_read_in_three_ways() {
    let second = time::parse("2025-11-01T00:00:01Z").unwrap().timestamp_micros();
    let draft = |bounds| {
        let behaviour = Behaviour { bounds, ..Behaviour::default() };
        let query = "minDraftCreatedAt=2025-11-01T00:00:01.250Z&maxDraftCreatedAt=2025-11-01T00:00:01.750Z";
        let Span { from, until } = asked(query, &behaviour).unwrap().draft;
        (from - second, until - second)
    };
    assert_eq!(draft(Bounds::Inclusive), (250_000, 750_001));
    assert_eq!(draft(Bounds::Exclusive), (250_001, 750_000));
    assert_eq!(draft(Bounds::TruncatedToSeconds), (0, 1));
}

#[test]
fn the_updated_filter_has_three_readings() {
    let with = |updated_filter| {
        let behaviour = Behaviour { updated_filter, ..Behaviour::default() };
        asked("minUpdatedAt=2025-11-01T00:00:00Z", &behaviour)
    };
    assert_ne!(with(UpdatedFilter::Honoured).unwrap().updated, Span::ALL);
    assert_eq!(with(UpdatedFilter::Ignored).unwrap().updated, Span::ALL);
    assert_eq!(with(UpdatedFilter::Refused), Err(vec!["object.unknown"]));
}
