use serde_json::json;

use super::*;
use crate::lists;
use crate::model::resources;
use crate::settings::{Behaviour, Faults, Limit, Options};
use crate::shop::Filter;
use crate::testing::{BEARER, body, get, model, rows};

/// A target of each resource, and the key of its rows.
fn targets(model: &Model) -> Vec<(String, &'static str)> {
    let contests = model.expected_contests();
    let order = &contests[0].order_id;
    let mut targets = vec![("/orders".to_owned(), "data"), (format!("/orders/{order}"), "lineItems")];
    for list in lists::ALL {
        targets.push((format!("/{}", list.name), list.rows));
        targets.extend(list.detail.map(|detail| (format!("/{}/{order}", list.name), detail.rows)));
    }
    assert_eq!(targets.len(), resources().len());
    targets
}

/// How many resources there are.
fn all() -> u64 {
    resources().len() as u64
}

#[test]
fn each_resource_is_counted_and_remembered() {
    let mut model = model(Behaviour::default());
    for (target, _) in targets(&model) {
        assert_eq!(get(&mut model, &target).0, 200, "{target}");
    }
    let stats = model.stats();
    assert_eq!((stats.orders, stats.requests), (1, all()));
    assert!(resources().iter().all(|resource| stats.answered(resource) == 1));
    assert_eq!(model.requests()[2].path, "/api/admin/v2/contests");
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
    assert_eq!((model.stats().unauthorized, model.stats().refused), (2 * all(), all()));
    let auth = crate::Auth::Forbidden("me".to_owned());
    let mut model = Model::new(Options { auth, ..Options::default() });
    assert_eq!(model.answer("/api/admin/v2/stores", Some("me")).status, 403);
}

#[test]
fn one_resource_may_be_forbidden() {
    let mut model = model(Behaviour::default());
    for (forbidden, (target, _)) in resources().into_iter().zip(targets(&model)) {
        model.set_forbidden(vec![forbidden.to_owned()]);
        let (status, body) = get(&mut model, &target);
        assert_eq!((status, &body["type"]), (403, &"E_FORBIDDEN".into()), "{target}");
        let served = targets(&model).iter().filter(|(target, _)| get(&mut model, target).0 == 200).count();
        assert_eq!(served, resources().len() - 1, "{forbidden}");
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
    assert_eq!(model.stats().fault("null_data"), all());
    assert!(model.stats().pages.values().all(|count| *count < 100));
}

#[test]
fn out_of_range_ignores_the_dates() {
    let mut model = model(Behaviour::default());
    let mut dated = 0;
    for (target, name) in targets(&model) {
        let whole = rows(&body(&mut model, &target), name);
        let none = format!("{target}?minUpdatedAt=2030-01-01T00:00:00Z");
        // Single objects and stores know no such filter.
        if rows(&body(&mut model, &none), name).is_empty() {
            dated += 1;
            model.set_faults(Faults::at(1..=1, Fault::OutOfRange));
            assert_eq!(rows(&body(&mut model, &none), name), whole, "{target}");
        }
    }
    assert!(dated >= 4, "{dated} lists are filtered by the time of change");
}

#[test]
fn answers_of_all_resources_have_one_look() {
    let look = Behaviour { extra_fields: true, pretty: true, page_cap: Some(3), ..Behaviour::default() };
    let mut model = model(look.clone());
    for (target, name) in targets(&model) {
        let answer = model.answer(&format!("/api/admin/v2{target}"), BEARER);
        assert!(answer.body.starts_with(b"{\n  \""), "{target}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        if target[1..].contains('/') {
            continue;
        }
        assert_eq!(body[name].as_array().unwrap().len(), 3, "{target}");
        let extra = body[name][0].as_object().unwrap().len();
        model.set_behaviour(Behaviour { extra_fields: false, ..look.clone() });
        let plain = crate::testing::body(&mut model, &target)[name][0].as_object().unwrap().len();
        model.set_behaviour(look.clone());
        assert!(plain < extra, "{target}");
    }
}

#[test]
fn answers_repeat_with_the_seed() {
    let bodies = |seed| {
        let mut model = Model::new(Options { seed, contested_percent: 30, ..Options::default() });
        let targets = targets(&model);
        targets
            .iter()
            .map(|(target, _)| model.answer(&format!("/api/admin/v2{target}"), BEARER).body)
            .collect::<Vec<_>>()
    };
    assert_eq!(bodies(1), bodies(1));
    for (one, other) in bodies(1).iter().zip(bodies(2)) {
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
    assert!(resources().iter().all(|resource| model.stats().answered(resource) == 1));
    assert_eq!(model.expected(&Filter::default()).len(), 300);
}
