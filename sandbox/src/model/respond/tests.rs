use serde_json::json;

use super::*;
use crate::model::resources::RESOURCES;
use crate::orders::expected::Filter;
use crate::settings::behaviour::Behaviour;
use crate::settings::faults::Faults;
use crate::settings::options::Options;
use crate::settings::rate_limit::Limit;
use crate::testing::{BEARER, body, get, model, rows};

/// How many resources there are.
const ALL: u64 = RESOURCES.len() as u64;

/// A target of each resource, in the order of [`RESOURCES`], and the key of its rows.
fn targets(model: &Model) -> [(String, &'static str); RESOURCES.len()] {
    let contests = model.expected_contests();
    let order = &contests[0].order_id;
    [
        ("/orders".to_owned(), "data"),
        (format!("/orders/{order}"), "lineItems"),
        ("/contests".to_owned(), "contestedOrders"),
        (format!("/contests/{order}"), "items"),
        ("/stores".to_owned(), "stores"),
        ("/sessions".to_owned(), "data"),
        ("/products".to_owned(), "products"),
    ]
}

#[test]
fn each_resource_is_counted_and_remembered() {
    let mut model = model(Behaviour::default());
    for (target, _) in targets(&model) {
        assert_eq!(get(&mut model, &target).0, 200, "{target}");
    }
    let stats = model.stats();
    assert_eq!((stats.orders, stats.requests), (1, ALL));
    assert!(RESOURCES.iter().all(|resource| stats.answered(resource) == 1));
    assert_eq!(model.requests()[4].path, "/api/admin/v2/stores");
}

#[test]
fn every_resource_wants_a_token_and_keeps_the_limit() {
    let mut model = model(Behaviour::default());
    for (target, _) in targets(&model) {
        let path = format!("/api/admin/v2{target}");
        assert_eq!(model.answer(&path, Some("wrong")).status, 401, "{target}");
        assert_eq!(model.answer(&path, None).status, 401, "{target}");
        model.set_limit(Limit::SlidingSecond(0));
        assert_eq!(model.answer(&path, BEARER).status, 503, "{target}");
        model.set_limit(Limit::None);
        assert_eq!(model.answer(&path, BEARER).status, 200, "{target}");
    }
    assert_eq!((model.stats().unauthorized, model.stats().refused), (2 * ALL, ALL));
    let auth = crate::Auth::Forbidden("me".to_owned());
    let mut model = Model::new(Options { auth, ..Options::default() });
    assert_eq!(model.answer("/api/admin/v2/stores", Some("me")).status, 403);
}

#[test]
fn one_resource_may_be_forbidden() {
    let mut model = model(Behaviour::default());
    for (forbidden, (target, _)) in RESOURCES.into_iter().zip(targets(&model)) {
        model.set_forbidden(vec![forbidden.to_owned()]);
        let (status, body) = get(&mut model, &target);
        assert_eq!((status, &body["type"]), (403, &"E_FORBIDDEN".into()), "{target}");
        let served = targets(&model).iter().filter(|(target, _)| get(&mut model, target).0 == 200).count();
        assert_eq!(served, RESOURCES.len() - 1, "{forbidden}");
    }
}

#[test]
fn faults_of_rows_act_on_every_list() {
    let mut model = model(Behaviour::default());
    // An order with lines enough to be mixed up.
    let details: Vec<String> =
        model.expected_contests().into_iter().map(|contest| contest.order_id).collect();
    let long = details
        .into_iter()
        .find(|id| rows(&body(&mut model, &format!("/orders/{id}")), "lineItems").len() > 5);
    let long = long.unwrap();
    for (mut target, name) in targets(&model) {
        if let Some((list, _)) = target[1..].split_once('/') {
            target = format!("/{list}/{long}");
        }
        let whole = rows(&body(&mut model, &target), name);
        let mut met = |fault| {
            model.set_faults(Faults { seed: 3, ..Faults::at(1..=1, fault) });
            let body = body(&mut model, &target);
            (body[name].as_array().cloned(), body)
        };
        assert_eq!(met(Fault::Empty).0, Some(vec![]), "{target}");
        let short = met(Fault::Short).0.unwrap();
        assert!(!short.is_empty() && short.len() < whole.len() && whole.starts_with(&short), "{target}");
        let unsorted = met(Fault::Unsorted).0.unwrap();
        assert!(unsorted != whole && unsorted.len() == whole.len(), "{target}");
        assert!(whole.iter().all(|row| unsorted.contains(row)));
        let (dropped, middle) = (met(Fault::DropMiddle).0.unwrap(), whole.len() / 2);
        assert_eq!((&dropped[..middle], &dropped[middle..]), (&whole[..middle], &whole[middle + 1..]));
        assert_eq!(met(Fault::NoEnvelope).1, json!({"message": "ok"}));
        assert_eq!(met(Fault::NullData).1, json!({name: null}));
        assert_eq!(rows(&body(&mut model, &target), name), whole);
    }
    assert_eq!(model.stats().fault("null_data"), ALL);
    assert!(model.stats().pages.values().all(|count| *count < 100));
}

#[test]
fn out_of_range_ignores_the_dates() {
    let mut model = model(Behaviour::default());
    for (target, name) in [("/contests", "contestedOrders"), ("/sessions", "data"), ("/products", "products")]
    {
        let whole = rows(&body(&mut model, target), name);
        let none = format!("{target}?minUpdatedAt=2030-01-01T00:00:00Z");
        assert_eq!(rows(&body(&mut model, &none), name).len(), 0);
        model.set_faults(Faults::at(1..=1, Fault::OutOfRange));
        assert_eq!(rows(&body(&mut model, &none), name), whole);
    }
}

#[test]
fn answers_of_all_resources_have_one_look() {
    let look = Behaviour { extra_fields: true, pretty: true, page_cap: Some(3), ..Behaviour::default() };
    let mut model = model(look);
    for (target, name) in targets(&model) {
        let answer = model.answer(&format!("/api/admin/v2{target}"), BEARER);
        assert!(answer.body.starts_with(b"{\n  \""), "{target}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        if target[1..].contains('/') {
            continue;
        }
        assert_eq!(body[name].as_array().unwrap().len(), 3, "{target}");
        let extra = ["loyaltyTier", "priority", "gondolas", "mood", "allergens"];
        assert!(extra.iter().any(|extra| !body[name][0][extra].is_null()), "{target}");
    }
}

#[test]
fn answers_repeat_with_the_seed() {
    let all = |seed| {
        let mut model = Model::new(Options { seed, contested_percent: 30, ..Options::default() });
        let targets = targets(&model);
        targets.map(|(target, _)| model.answer(&format!("/api/admin/v2{target}"), BEARER).body)
    };
    assert_eq!(all(1), all(1));
    for (one, other) in all(1).iter().zip(all(2)) {
        assert_ne!(one, &other);
    }
}

#[test]
fn a_slow_answer_is_slow_on_every_resource() {
    let mut model = model(Behaviour::default());
    let time = std::time::Duration::from_secs(2);
    model.set_faults(Faults::rate(Fault::Slow(time), 1.0, 1));
    for (target, _) in targets(&model) {
        assert_eq!(model.answer(&format!("/api/admin/v2{target}"), BEARER).delay, time);
    }
    assert!(RESOURCES.iter().all(|resource| model.stats().answered(resource) == 1));
    assert_eq!(model.expected(&Filter::default()).len(), 300);
}
