//! Orders that change after they were read, through the real binary: they come again, in the same stream.

use aifi_sandbox::{Behaviour, Fault, Faults, Filter, Options, Sandbox, UpdatedAt, UpdatedFilter};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::complete::settled;
use crate::harness::{Outcome, Run, assert_holds, config, ids, sandbox};

/// A sync, and what has happened by the next one a quarter of an hour later.
fn first_sync(options: Options) -> (Sandbox, Value, Outcome) {
    let sandbox = sandbox(options);
    let config = config(&sandbox);
    let first = Run::incremental(&config).finish().succeeded();
    sandbox.advance(TimeDelta::minutes(10));
    (sandbox, config, first)
}

fn options(behaviour: Behaviour) -> Options {
    Options { orders: 1_500, contested_percent: 0, behaviour, ..Options::default() }
}

/// Changes some orders, old and young, and says which.
fn change(sandbox: &Sandbox) -> Vec<String> {
    let orders = sandbox.expected(&Filter::default());
    let changed: Vec<String> =
        orders.iter().rev().step_by(97).map(|order| order.id.clone()).take(7).collect();
    for id in &changed {
        sandbox.contest(id.parse().unwrap());
    }
    sandbox.advance(TimeDelta::minutes(5));
    changed
}

fn state(outcome: &Outcome) -> &Value {
    &outcome.last_state()["state"]["stream"]["stream_state"]
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

#[test]
fn what_has_changed_comes_again_and_nothing_else() {
    let (sandbox, config, first) = first_sync(options(Behaviour::default()));
    let changed = change(&sandbox);
    sandbox.add_orders(20);
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    assert_eq!(second.records().len(), changed.len() + 20);
    let new = ids(&second.records()[..20]);
    assert!(new.iter().all(|id| !changed.contains(id)), "first what is new, then what has changed");
    assert_eq!(sorted(ids(&second.records()[20..])), sorted(changed));
    let mut all = first.records();
    all.extend(second.records());
    assert_holds(&all, &sandbox.expected(&settled(&sandbox)), false);
    assert_eq!(state(&second)["updatedAt"], "2025-12-01T00:13:00.000Z");
    let third = Run::incremental(&config).resuming(second.last_state()).finish().succeeded();
    assert_eq!(third.records().len(), 0);
}

#[test]
fn a_changed_order_comes_whatever_its_status() {
    let sandbox = sandbox(options(Behaviour::default()));
    let mut config = config(&sandbox);
    config["statuses"] = json!(["paid"]);
    let first = Run::incremental(&config).finish().succeeded();
    sandbox.advance(TimeDelta::minutes(10));
    let changed = change(&sandbox);
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    assert_eq!(sorted(ids(&second.records())), sorted(changed));
    assert!(second.records().iter().all(|record| record["status"] == "contested"));
}

#[test]
fn what_changes_during_the_first_sync_is_found_by_the_second_one_also_after_kills() {
    let sandbox =
        sandbox(Options { orders: 4_000, contested_percent: 0, frozen: false, ..Options::default() });
    let config = config(&sandbox);
    let cut = Run::incremental(&config).killed_after(4_000_000);
    assert!(!cut.states().is_empty());
    let begun = state(&cut)["updatedAt"].clone();
    let changed: Vec<String> = ids(&cut.records()).into_iter().step_by(50).collect();
    for id in &changed {
        sandbox.contest(id.parse().unwrap());
    }
    sandbox.advance(TimeDelta::minutes(5));
    let rest = Run::incremental(&config).resuming(cut.last_state()).finish().succeeded();
    let still = rest.states()[0]["state"]["stream"]["stream_state"]["updatedAt"].clone();
    assert_eq!(begun, still, "kept until a sweep is complete");
    let mut all = cut.records();
    all.extend(rest.records());
    assert_holds(&all, &sandbox.expected(&settled(&sandbox)), false);
    assert!(
        ids(&all).iter().filter(|id| changed.contains(id)).count() > changed.len(),
        "some were read before"
    );
}

#[test]
fn wrong_answers_hide_no_change() {
    for fault in [Fault::Empty, Fault::Short, Fault::OutOfRange, Fault::Unsorted, Fault::Cut] {
        let (sandbox, config, first) = first_sync(options(Behaviour::default()));
        change(&sandbox);
        sandbox.set_faults(Faults::rate(fault, 0.4, 3));
        let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
        let mut all = first.records();
        all.extend(second.records());
        assert_holds(&all, &sandbox.expected(&settled(&sandbox)), false);
    }
}

#[test]
fn where_the_filter_has_no_effect_the_last_days_are_read_again_and_only_changed_hours_are_written() {
    for (filter, word) in [(UpdatedFilter::Ignored, "ignores"), (UpdatedFilter::Refused, "refuses")] {
        let behaviour = Behaviour { updated_filter: filter, ..Behaviour::default() };
        let (sandbox, config, first) = first_sync(options(behaviour));
        let told = |outcome: &Outcome| outcome.logs().iter().filter(|line| line.contains(word)).count();
        let quiet = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
        assert_eq!((quiet.records().len(), told(&quiet)), (0, 1), "{:?}", quiet.logs());
        let changed = change(&sandbox);
        let second = Run::incremental(&config).resuming(quiet.last_state()).finish().succeeded();
        let again = ids(&second.records());
        assert!(changed.iter().all(|id| again.contains(id)));
        assert!(again.len() < 100, "{} rows for {} changes", again.len(), changed.len());
        let mut all = first.records();
        all.extend(second.records());
        assert_holds(&all, &sandbox.expected(&settled(&sandbox)), false);
        let (status, message) = {
            let check = Run::check(&config).finish();
            let (status, message) = check.verdict();
            (status.to_owned(), message.to_owned())
        };
        assert_eq!(status, "SUCCEEDED");
        assert!(message.contains(word) && message.contains("changes_days"), "{message}");
    }
}

#[test]
fn once_a_day_the_last_days_are_read_again_should_an_update_time_not_move() {
    let behaviour = Behaviour { updated_at: UpdatedAt::StandsStill, ..Behaviour::default() };
    let (sandbox, config, first) = first_sync(options(behaviour));
    change(&sandbox);
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    assert_eq!(second.records().len(), 0, "nothing tells of the changes yet");
    sandbox.advance(TimeDelta::hours(24));
    let third = Run::incremental(&config).resuming(second.last_state()).finish().succeeded();
    let mut all = first.records();
    all.extend(third.records());
    assert_holds(&all, &sandbox.expected(&settled(&sandbox)), false);
}

#[test]
fn changes_can_be_left_alone_or_found_by_window_only() {
    for (mode, comes) in [("off", false), ("window", true)] {
        let sandbox = sandbox(options(Behaviour::default()));
        let mut config = config(&sandbox);
        config["changes"] = json!(mode);
        let first = Run::incremental(&config).finish().succeeded();
        sandbox.advance(TimeDelta::minutes(10));
        change(&sandbox);
        let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
        assert_eq!(!second.records().is_empty(), comes, "{mode}");
        let asked = sandbox
            .requests()
            .iter()
            .any(|request| request.query.iter().any(|(name, _)| name == "minUpdatedAt"));
        assert!(!asked, "{mode}: no probe where it is not needed");
    }
}

#[test]
fn with_stores_and_roles_each_selection_is_swept() {
    let sandbox = sandbox(Options { orders: 3_000, contested_percent: 0, ..Options::default() });
    let mut config = config(&sandbox);
    config["store_ids"] = json!([1, 3]);
    config["customer_roles"] = json!(["customer", "employee"]);
    let first = Run::incremental(&config).finish().succeeded();
    sandbox.advance(TimeDelta::minutes(10));
    for order in sandbox.expected(&Filter::default()).iter().step_by(29) {
        sandbox.contest(order.id.parse().unwrap());
    }
    sandbox.advance(TimeDelta::minutes(5));
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    let filter = Filter {
        store_ids: vec![1, 3],
        customer_roles: vec!["customer".into(), "employee".into()],
        ..settled(&sandbox)
    };
    let mut all = first.records();
    all.extend(second.records());
    assert_holds(&all, &sandbox.expected(&filter), false);
}

#[test]
fn a_state_from_before_changes_were_followed_is_gone_on_from() {
    let (sandbox, config, first) = first_sync(options(Behaviour::default()));
    let changed = change(&sandbox);
    let mut old = first.last_state().clone();
    old["state"]["stream"]["stream_state"] = json!({"draftCreatedAt": state(&first)["draftCreatedAt"]});
    let second = Run::incremental(&config).resuming(&old).finish().succeeded();
    assert_eq!(sorted(ids(&second.records())), sorted(changed));
}

#[test]
fn after_the_end_date_changes_are_still_followed() {
    let sandbox = sandbox(options(Behaviour::default()));
    let mut config = config(&sandbox);
    config["end_date"] = json!("2025-11-20T00:00:00Z");
    let end: DateTime<Utc> = "2025-11-20T00:00:00Z".parse().unwrap();
    let first = Run::incremental(&config).finish().succeeded();
    sandbox.advance(TimeDelta::minutes(10));
    let filter = Filter { until: Some(end), ..Filter::default() };
    let of_the_range = sandbox.expected(&filter);
    for order in of_the_range.iter().step_by(50) {
        sandbox.contest(order.id.parse().unwrap());
    }
    sandbox.advance(TimeDelta::minutes(5));
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    assert_eq!(second.records().len(), of_the_range.len().div_ceil(50));
    let mut all = first.records();
    all.extend(second.records());
    assert_holds(&all, &sandbox.expected(&filter), false);
}

#[test]
fn every_state_of_a_sync_that_sweeps_is_a_place_to_go_on_from() {
    let (sandbox, config, first) = first_sync(Options { orders: 3_000, ..options(Behaviour::default()) });
    for order in sandbox.expected(&Filter::default()).iter().step_by(2) {
        sandbox.contest(order.id.parse().unwrap());
    }
    sandbox.advance(TimeDelta::minutes(5));
    sandbox.add_orders(300);
    let whole = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    let expected = sandbox.expected(&settled(&sandbox));
    let mut before: Vec<&Value> = first.records();
    let mut states = 0;
    for message in &whole.messages {
        match message["type"].as_str() {
            Some("RECORD") => before.push(&message["record"]["data"]),
            Some("STATE") => {
                states += 1;
                let rest = Run::incremental(&config).resuming(message).finish().succeeded();
                let mut all = before.clone();
                all.extend(rest.records());
                assert_holds(&all, &expected, false);
            }
            _ => (),
        }
    }
    assert!(states >= 3, "{states} states");
}

#[test]
fn what_changed_just_before_it_was_read_does_not_come_a_second_time() {
    let sandbox = sandbox(options(Behaviour::default()));
    let config = config(&sandbox);
    // Changed within the settle delay before the first sync, and read like that.
    change(&sandbox);
    sandbox.advance(TimeDelta::minutes(-5));
    let first = Run::incremental(&config).finish().succeeded();
    sandbox.advance(TimeDelta::minutes(15));
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    assert_eq!(ids(&second.records()), [""; 0], "they are as they were written");
    let again = ids(&first.records())[700].parse().unwrap();
    sandbox.contest(again);
    sandbox.advance(TimeDelta::minutes(15));
    let third = Run::incremental(&config).resuming(second.last_state()).finish().succeeded();
    assert_eq!(third.records().len(), 1);
}

#[test]
fn a_state_without_its_window_writes_the_last_days_once_more() {
    let (sandbox, config, first) = first_sync(options(Behaviour::default()));
    let mut edited = first.last_state().clone();
    edited["state"]["stream"]["stream_state"].as_object_mut().unwrap().remove("window");
    let second = Run::incremental(&config).resuming(&edited).finish().succeeded();
    let days = second.records().len();
    assert!((500..1_000).contains(&days), "{days} orders of the last 14 days, of 1,500 of 30");
    let third = Run::incremental(&config).resuming(second.last_state()).finish().succeeded();
    assert_eq!(third.records().len(), 0);
    drop(sandbox);
}
