use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ORDER_BY;
use crate::model::Model;
use crate::settings::{Behaviour, Envelope, Stamps, UnknownParameters};
use crate::testing::{agree, body, get, keys, model, orders, rows, words};

fn paged() -> Behaviour {
    Behaviour { envelope: Envelope::WithPagination, ..Behaviour::default() }
}

/// All sessions, page by page.
fn walk(model: &mut Model, query: &str, cursor: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut target = format!("/sessions?{query}");
    if cursor == "before" {
        target += "&before=9999999999999999999";
    }
    loop {
        let page = body(model, &target);
        if cursor == "after" {
            all.extend(rows(&page, "data"));
        } else {
            all.splice(0..0, rows(&page, "data"));
        }
        let Some(next) = page["pagination"][cursor].as_str() else { return all };
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        target = format!("/sessions?{query}&{cursor}={next}");
    }
}

#[test]
fn each_order_has_its_session_and_some_sessions_have_no_order() {
    let mut model = model(paged());
    let sessions = walk(&mut model, "count=200", "after");
    let by_id: BTreeMap<_, _> = sessions.iter().map(|session| (session["id"].as_u64(), session)).collect();
    assert_eq!(by_id.len(), sessions.len());
    for order in orders(&mut model) {
        let session = by_id[&order["customerShoppingSessionId"].as_u64()];
        assert_eq!(session["sessionId"], order["sessionId"]);
        assert_eq!(session["storeId"], order["storeId"]);
        assert_eq!(session["customerId"].to_string(), order["customerId"].as_str().unwrap());
        let moments = "createdAt codeFirstSuccesfullyScannedAt customerFirstEnteredAt customerFirstExitedAt \
            customerLastExitedAt";
        let moments: Vec<_> = moments.split_whitespace().map(|name| session[name].as_str()).collect();
        assert!(moments.is_sorted() && moments[4] < order["draftCreatedAt"].as_str(), "{session}");
    }
    assert!((15..70).contains(&(sessions.len() - 300)), "{}", sessions.len());
    let ids: BTreeSet<_> = sessions.iter().map(|session| session["sessionId"].as_str()).collect();
    assert_eq!(ids.len(), sessions.len());
    assert!(sessions.iter().all(|session| session["createdAt"].as_str() <= session["updatedAt"].as_str()));
}

#[test]
fn a_session_has_the_known_fields() {
    let mut model = model(Behaviour::default());
    let page = body(&mut model, "/sessions");
    assert_eq!((page["data"].as_array().unwrap().len(), page.as_object().unwrap().len()), (20, 1));
    let names = "createdAt updatedAt codeFirstSuccesfullyScannedAt codeLastSuccesfullyScannedAt \
        customerFirstEnteredAt customerLastEnteredAt customerFirstExitedAt customerLastExitedAt expiresAt id \
        customerId customerPaymentInstrumentId customerSatisfaction groupSize visitors priority storeId \
        storeIdScannableAt code sessionToken sessionId referencedSessionId locationId status \
        customerSatisfactionSubmitted suspectedFraud metadata";
    assert_eq!(keys(&page["data"][0]), words(names));
    assert!(page["data"][0]["customerId"].is_u64());
    assert_eq!(page["data"][0]["sessionToken"], page["data"][0]["sessionId"]);
}

#[test]
fn pages_add_up_by_every_key_in_both_directions() {
    for stamps in [Stamps::Millis, Stamps::Micros] {
        let mut model = model(Behaviour { stamps, ..paged() });
        let by_id = walk(&mut model, "count=200", "after");
        assert!(by_id.is_sorted_by_key(|session| session["id"].as_u64()));
        for (name, _) in ORDER_BY {
            let key = |session: &Value| {
                let value = &session[name];
                (value.as_u64(), value.as_str().map(str::to_owned), session["id"].as_u64())
            };
            let mut sorted = by_id.clone();
            sorted.sort_by_key(key);
            let query = format!("orderBy={name}&count=37");
            assert_eq!(walk(&mut model, &query, "after"), sorted, "{name}");
            sorted.reverse();
            assert_eq!(walk(&mut model, &format!("{query}&direction=desc"), "after"), sorted, "{name}");
        }
    }
}

#[test]
fn before_gives_the_rows_just_before() {
    let mut model = model(paged());
    let all = walk(&mut model, "count=200", "after");
    for direction in ["asc", "desc"] {
        let at = |place: usize| all[if direction == "asc" { place } else { all.len() - 1 - place }].clone();
        let page = |model: &mut Model, query: &str| {
            rows(&body(model, &format!("/sessions?direction={direction}&count=3&{query}")), "data")
        };
        let before = format!("before={}", at(10)["id"]);
        assert_eq!(page(&mut model, &before), [at(7), at(8), at(9)]);
        assert_eq!(page(&mut model, &format!("after={}", at(10)["id"])), [at(11), at(12), at(13)]);
        assert_eq!(page(&mut model, &format!("{before}&after={}", at(8)["id"])), [at(9)]);
    }
    let last = format!("count=50&before={}", all.last().unwrap()["id"]);
    assert_eq!(walk(&mut model, "count=50", "before"), all);
    assert_eq!(
        rows(&body(&mut model, &format!("/sessions?{last}")), "data"),
        all[all.len() - 51..all.len() - 1]
    );
}

#[test]
fn a_cursor_holds_while_orders_come_and_go() {
    let mut model = model(paged());
    let all = walk(&mut model, "count=200", "after");
    let after =
        |model: &mut Model| rows(&body(model, &format!("/sessions?count=5&after={}", all[49]["id"])), "data");
    assert_eq!(after(&mut model), all[50..55]);
    model.add_orders(3);
    let order = orders(&mut model)[3].clone();
    assert!(all[..49].iter().any(|session| session["id"] == order["customerShoppingSessionId"]));
    model.remove_order(order["id"].as_u64().unwrap());
    assert_eq!(after(&mut model), all[50..55]);
    assert!(walk(&mut model, "count=200", "after").len() > all.len());
}

#[test]
fn filters_find_what_they_name() {
    let mut model = model(paged());
    let all = walk(&mut model, "orderBy=createdAt&count=200", "after");
    let page = "/sessions?orderBy=createdAt&count=200&minCreatedAt=2025-11-01";
    let month: Vec<_> = all.clone();
    // Not more than a page, so that one answer tells all.
    let until = all[150]["createdAt"].as_str().unwrap().to_owned();
    let all: Vec<_> = month
        .into_iter()
        .filter(|row| ("2025-11-01"..=until.as_str()).contains(&row["createdAt"].as_str().unwrap()))
        .collect();
    let mut agree = |query: String, wanted: &dyn Fn(&Value) -> bool| {
        agree(&mut model, &format!("{page}&maxCreatedAt={until}&{query}"), "data", &all, wanted);
    };
    agree("storeId=2".into(), &|row| row["storeId"] == 2);
    agree(format!("customerId={}", all[9]["customerId"]), &|row| row["customerId"] == all[9]["customerId"]);
    agree(format!("id={}", all[9]["id"]), &|row| row["id"] == all[9]["id"]);
    agree(format!("code={}", all[9]["code"].as_str().unwrap()), &|row| row["code"] == all[9]["code"]);
    let token = all[9]["sessionId"].as_str().unwrap();
    agree(format!("sessionToken={token}"), &|row| row["sessionId"] == token);
    agree("minVisitors=2&maxVisitors=3".into(), &|row| (2..=3).contains(&row["visitors"].as_u64().unwrap()));
    agree("minGroupSize=2".into(), &|row| row["groupSize"].as_u64() >= Some(2));
    agree("status=active&status=unheard".into(), &|row| row["status"] == "active");
    for (parameter, name) in [
        ("UpdatedAt", "updatedAt"),
        ("ExpiresAt", "expiresAt"),
        ("CodeLastSuccesfullyScannedAt", "codeLastSuccesfullyScannedAt"),
        ("CustomerLastEnteredAt", "customerLastEnteredAt"),
    ] {
        let at = all[30][name].as_str().unwrap();
        agree(format!("min{parameter}={at}"), &|row| row[name].as_str().unwrap() >= at);
        agree(format!("max{parameter}={at}"), &|row| row[name].as_str().unwrap() <= at);
    }
}

#[test]
fn wrong_requests_are_refused() {
    let mut model =
        model(Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() });
    for query in [
        "count=201",
        "count=0",
        "after=x",
        "before=eyJpZCI6MX0",
        "orderBy=createdAt&after=17",
        "orderBy=status",
        "direction=up",
        "page=1",
        "after=1&after=2",
    ] {
        assert_eq!(get(&mut model, &format!("/sessions?{query}")).0, 422, "{query}");
    }
    let cursor = "eyJpZCI6MSwiY3JlYXRlZEF0IjoiMjAyNS0xMS0xMFQwMDowMDowMFoifQ%3D%3D";
    let page = body(&mut model, &format!("/sessions?orderBy=createdAt&count=1&after={cursor}"));
    assert!(page["data"][0]["createdAt"].as_str() > Some("2025-11-10"));
}

#[test]
fn a_session_changes_when_its_order_is_paid() {
    let mut model = model(Behaviour::default());
    let order = model.add_order_at(model.now());
    let session = |model: &mut Model| {
        let page = body(model, "/sessions?direction=desc&count=2");
        rows(&page, "data").into_iter().find(|row| row["id"].as_u64().unwrap().is_multiple_of(2)).unwrap()
    };
    let before = session(&mut model);
    assert_eq!(
        (&before["status"], &before["updatedAt"]),
        (&"active".into(), &"2025-12-01T00:00:00.000Z".into())
    );
    model.advance(chrono::TimeDelta::minutes(1));
    model.pay(order);
    let after = session(&mut model);
    assert_eq!(
        (&after["status"], &after["updatedAt"]),
        (&"closed".into(), &"2025-12-01T00:01:00.000Z".into())
    );
}

#[test]
fn expected_sessions_agree_with_the_list() {
    let mut model = model(paged());
    model.add_orders(10);
    let (expected, listed) = (model.expected_sessions(), walk(&mut model, "count=200", "after"));
    assert_eq!(expected.len(), listed.len());
    assert_eq!(expected.iter().filter(|session| session.bought).count(), 310);
    for (expected, row) in expected.iter().zip(&listed) {
        assert_eq!(row["id"].to_string(), expected.id);
        assert_eq!(row["sessionId"], expected.session_id);
        assert_eq!(row["storeId"], expected.store_id);
        assert_eq!(row["customerId"].to_string(), expected.customer_id);
        assert_eq!(row["status"], expected.status);
        assert_eq!(row["visitors"], expected.visitors);
        assert_eq!(row["createdAt"], expected.created_at);
        assert_eq!(row["updatedAt"], expected.updated_at);
    }
}
