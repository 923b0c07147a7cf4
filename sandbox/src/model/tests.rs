use serde_json::Value;

use super::*;
use crate::settings::{Envelope, Fault, FirstPage, Ids, IsLatest, RetryAfter, Stamps, UpdatedAt};

const BEARER: Option<&str> = Some("sandbox-token-0123456789");

fn model(behaviour: Behaviour) -> Model {
    Model::new(Options { orders: 300, contested_percent: 10, behaviour, ..Options::default() })
}

fn body(model: &mut Model, query: &str) -> Value {
    let answer = model.answer(&format!("/api/admin/v2/orders?{query}"), BEARER);
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn an_order_has_the_known_fields() {
    let body =
        body(&mut model(Behaviour::default()), "includeProducts=true&includeContest=true&pageSize=200");
    assert_eq!(body.as_object().unwrap().len(), 1);
    let order = body["data"][0].as_object().unwrap();
    let names = "createdAt updatedAt id version isLatest customerId storeId status transactionId \
        customerShoppingSessionId sessionId externalId externalStatus subtotalPrice totalPrice totalTax paidAt \
        completedAt draftCreatedAt notificationSentAt extraText transaction paymentTransaction contest products";
    assert_eq!(order.keys().collect::<std::collections::BTreeSet<_>>(), {
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        let leaked: &'static [String] = names.leak();
        leaked.iter().collect()
    });
    assert!(order["id"].is_u64() && order["customerId"].is_string() && order["isLatest"] == 1);
    let line = order["products"][0].as_object().unwrap();
    for name in "id productId name barcode category thumbnail sku externalId taxCode price weight createdAt \
        updatedAt isExternallyAdded orderProductExternalId quantity subtotalPrice totalPrice totalTax taxRates"
        .split_whitespace()
    {
        assert!(line.contains_key(name), "{name}");
    }
    assert!(line["id"].is_u64() && line["productId"].is_string() && line["weight"].is_number());
}

#[test]
fn subtotal_and_tax_are_the_total_everywhere() {
    let cents = |row: &Value, name: &str| {
        let text = row[name].as_str().unwrap();
        assert_eq!(text.split_once('.').unwrap().1.len(), 2);
        text.replace('.', "").parse::<u64>().unwrap()
    };
    let mut model = model(Behaviour::default());
    for page in 0..2 {
        for order in body(&mut model, &format!("includeProducts=true&pageSize=200&page={page}"))["data"]
            .as_array()
            .unwrap()
        {
            let sums = ["subtotalPrice", "totalTax", "totalPrice"].map(|name| {
                let lines: u64 =
                    order["products"].as_array().unwrap().iter().map(|line| cents(line, name)).sum();
                assert_eq!(lines, cents(order, name));
                lines
            });
            assert_eq!(sums[0] + sums[1], sums[2]);
        }
    }
}

#[test]
fn answers_repeat_with_the_seed() {
    let page = |seed| {
        let mut model = Model::new(Options { seed, ..Options::default() });
        model.answer("/api/admin/v2/orders?includeProducts=true&pageSize=200", BEARER).body
    };
    assert_eq!(page(1), page(1));
    assert_ne!(page(1), page(2));
}

#[test]
fn spellings_follow_the_behaviour() {
    let mut model = model(Behaviour {
        is_latest: IsLatest::Boolean,
        ids: Ids::String,
        stamps: Stamps::Micros,
        extra_fields: true,
        pretty: true,
        ..Behaviour::default()
    });
    let answer = model.answer("/api/admin/v2/orders?includeProducts=true&pageSize=200", BEARER);
    assert!(answer.body.starts_with(b"{\n  \"data\": [\n"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let order = &body["data"][2];
    assert!(order["id"].is_string() && order["version"].is_string() && order["customerId"].is_u64());
    assert!(order["products"][0]["id"].is_string() && order["products"][0]["productId"].is_u64());
    assert!(order["isLatest"].is_boolean() && order["loyaltyTier"].is_string());
    assert!(order["device"].is_object() && order["products"][0]["shelf"].is_object());
    let drafts = body["data"].as_array().unwrap().iter().map(|row| row["draftCreatedAt"].as_str().unwrap());
    assert!(drafts.clone().all(|draft| draft.len() == 27));
    assert!(drafts.clone().any(|draft| !draft.ends_with("000Z")));
}

#[test]
fn pretty_json_says_the_same() {
    let query = "includeProducts=true&pageSize=200";
    let plain = body(&mut model(Behaviour::default()), query);
    assert_eq!(plain, body(&mut model(Behaviour { pretty: true, ..Behaviour::default() }), query));
}

/// A name, and what shows it on an order.
type Kind = (&'static str, fn(&Value) -> bool);

#[test]
fn odd_values_occur_in_every_kind() {
    let mut model = model(Behaviour { odd_values: true, ..Behaviour::default() });
    let body = body(&mut model, "includeProducts=true&pageSize=200");
    let kinds: [Kind; 12] = [
        ("weight", |row| row["products"][0]["weight"] == "heavy"),
        ("isLatest", |row| row["isLatest"].is_null()),
        ("totalTax", |row| row["totalTax"].is_f64()),
        ("status", |row| row["status"].is_u64()),
        ("externalId", |row| row["externalId"].is_object()),
        ("paidAt", |row| row["paidAt"] == ""),
        ("products", |row| row["products"].is_null()),
        ("big price", |row| row["totalPrice"] == "12345678901234567890.10"),
        ("round price", |row| row["totalPrice"] == "12.10"),
        ("sessionId", |row| row["sessionId"].is_u64()),
        ("quantity", |row| row["products"][0]["quantity"].is_string()),
        ("taxRates", |row| row["products"][0]["taxRates"].is_array()),
    ];
    for (name, odd) in kinds {
        let count = body["data"].as_array().unwrap().iter().filter(|row| odd(row)).count();
        assert!((1..60).contains(&count), "{name}: {count}");
    }
}

#[test]
fn the_envelope_may_have_more() {
    let mut model = Model::new(Options {
        orders: 120,
        contested_percent: 0,
        behaviour: Behaviour { envelope: Envelope::WithPagination, ..Behaviour::default() },
        ..Options::default()
    });
    let first = body(&mut model, "page=0");
    assert_eq!(first["total"], 120);
    assert_eq!(first["pagination"], json!({"previous": null, "next": {"offset": 50, "count": 50}}));
    assert_eq!(body(&mut model, "page=1")["pagination"]["next"], json!({"offset": 100, "count": 20}));
    assert_eq!(
        body(&mut model, "page=2")["pagination"],
        json!({"previous": {"offset": 50, "count": 50}, "next": null})
    );
    let starts = |model: &mut Model, page| {
        let answer = model.answer(&format!("/api/admin/v2/orders?page={page}"), BEARER);
        answer.body.starts_with(b"{\"data\"")
    };
    assert!(starts(&mut model, 0) && !starts(&mut model, 1));
}

#[test]
fn a_page_may_be_capped_and_count_from_one() {
    let mut model =
        model(Behaviour { page_cap: Some(100), first_page: FirstPage::One, ..Behaviour::default() });
    assert_eq!(body(&mut model, "pageSize=200")["data"].as_array().unwrap().len(), 100);
    assert_eq!(body(&mut model, "pageSize=200&page=1"), body(&mut model, "pageSize=200"));
    assert_ne!(body(&mut model, "pageSize=200&page=2"), body(&mut model, "pageSize=200&page=1"));
    assert_eq!(model.answer("/api/admin/v2/orders?page=0", BEARER).status, 422);
    assert_eq!(model.answer("/api/admin/v2/orders?pageSize=201", BEARER).status, 422);
}

#[test]
fn wrong_requests_are_told_apart_and_counted() {
    let mut model = model(Behaviour::default());
    assert_eq!(model.answer("/api/admin/v2/orders/7", BEARER).status, 404);
    assert_eq!(model.answer("/api/admin/v2/nothing", BEARER).body, b"");
    let answer = model.answer("/api/admin/v2/orders", Some("wrong"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["type"]), (401, &"E_UNAUTHORIZED".into()));
    assert_eq!(model.answer("/api/admin/v2/orders", None).status, 401);
    assert_eq!(model.answer("/api/admin/v2/orders?page=x&page=y", BEARER).status, 422);
    assert_eq!(model.answer("/api/admin/v2/orders?pageSize=200", BEARER).status, 200);
    let stats = Stats {
        requests: 6,
        orders: 1,
        unauthorized: 2,
        invalid: 1,
        full_pages: 1,
        filled_pages: 1,
        pages: [("orders", 1)].into(),
        ..Stats::default()
    };
    assert_eq!(model.stats(), stats);
    let log = model.requests();
    assert_eq!(log.iter().map(|entry| entry.status).collect::<Vec<_>>(), [404, 404, 401, 401, 422, 200]);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(log[4].query, [pair("page", "x"), pair("page", "y")]);
    model.reset_stats();
    assert_eq!((model.stats(), model.requests().len()), (Stats::default(), 0));
    let forbidden = Options { auth: crate::Auth::Forbidden("me".to_owned()), ..Options::default() };
    assert_eq!(Model::new(forbidden).answer("/api/admin/v2/orders", Some("me")).status, 403);
}

#[test]
fn the_clock_stands_or_runs_and_the_date_tells_it() {
    let mut frozen = model(Behaviour::default());
    let answer = frozen.answer("/api/admin/v2/orders", BEARER);
    assert_eq!(header(&answer, "date"), Some("Mon, 01 Dec 2025 00:00:00 GMT"));
    frozen.advance(TimeDelta::hours(25));
    let answer = frozen.answer("/nowhere", None);
    assert_eq!(header(&answer, "date"), Some("Tue, 02 Dec 2025 01:00:00 GMT"));
    let running = Model::new(Options { frozen: false, orders: 0, ..Options::default() });
    let start = running.now();
    std::thread::sleep(Duration::from_millis(5));
    assert!(running.now() - start >= TimeDelta::milliseconds(5));
}

#[test]
fn refusals_tell_when_to_come_back() {
    let mut model = Model::new(Options {
        orders: 3,
        limit: Limit::SlidingSecond(2),
        retry_after: Some(RetryAfter::Seconds(7)),
        ..Options::default()
    });
    let answers: Vec<Answer> = (0..4).map(|_| model.answer("/api/admin/v2/orders", BEARER)).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 503, 503]);
    assert_eq!((header(&answers[3], "retry-after"), answers[3].body.len()), (Some("7"), 0));
    assert_eq!((model.stats().refused, model.stats().orders), (2, 2));
    model.set_limit(Limit::None);
    assert_eq!(model.answer("/api/admin/v2/orders", BEARER).status, 200);
}

#[test]
fn faults_of_rows_have_their_shape() {
    let mut model = Model::new(Options { contested_percent: 0, ..Options::default() });
    let query = "orderBy=draftCreatedAt&pageSize=200&minDraftCreatedAt=2025-11-10T00:00:00Z";
    let ids = |body: Value| -> Vec<u64> {
        body["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    let whole = ids(body(&mut model, query));
    let mut met = |fault| {
        model.set_faults(Faults::at(1..=1, fault));
        ids(body(&mut model, query))
    };
    assert_eq!(met(Fault::Empty), Vec::<u64>::new());
    let short = met(Fault::Short);
    assert!(!short.is_empty() && short.len() < 200 && whole.starts_with(&short));
    let mut unsorted = met(Fault::Unsorted);
    assert_ne!(unsorted, whole);
    unsorted.sort_unstable();
    let mut sorted = whole.clone();
    sorted.sort_unstable();
    assert_eq!(unsorted, sorted);
    assert_ne!(met(Fault::OutOfRange), whole);
    let dropped = met(Fault::DropMiddle);
    assert_eq!((&dropped[..100], &dropped[100..]), (&whole[..100], &whole[101..]));
    assert_eq!(ids(body(&mut model, query)), whole, "the script names one request only");
    assert_eq!(model.stats().fault("drop_middle"), 1);
    assert_eq!(model.stats().orders, 2);
}

#[test]
fn an_update_time_may_stand_still() {
    for (updated_at, found) in [(UpdatedAt::Moves, 1), (UpdatedAt::StandsStill, 0)] {
        let mut model = model(Behaviour { updated_at, ..Behaviour::default() });
        let id = model.expected(&Filter::default())[0].id.parse().unwrap();
        model.advance(TimeDelta::hours(1));
        model.pay(id);
        let changed = body(&mut model, "minUpdatedAt=2025-12-01T00:30:00Z");
        assert_eq!(changed["data"].as_array().unwrap().len(), found, "{updated_at:?}");
    }
}
