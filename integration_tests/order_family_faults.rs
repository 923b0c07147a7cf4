//! An API in trouble, for all streams of the orders' family: everything arrives all the same, or the stream that cannot be
//! read fails by its name and leaves the others alone.

use aifi_sandbox::{Behaviour, Fault, Faults, Options, Sandbox, UpdatedFilter};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::complete::settled;
use crate::harness::{FAMILY, Outcome, Run, Truth, Warehouse, config, sandbox};
use crate::order_family::{few, sync};

fn one_in_five(fault: Fault, streams: &[&str]) -> (Truth, Warehouse) {
    let sandbox = sandbox(Options { faults: Faults::rate(fault, 0.2, 5), ..few(Behaviour::default()) });
    let mut warehouse = Warehouse::default();
    sync(&config(&sandbox), &mut warehouse, &FAMILY);
    assert!(sandbox.stats().fault(fault.name()) >= 5, "{:?}", sandbox.stats());
    sandbox.set_faults(Faults::default());
    let truth = Truth::of(&sandbox, &settled(&sandbox));
    truth.assert_holds(&warehouse, streams);
    (truth, warehouse)
}

/// One test for each fault, met by one request in five.
macro_rules! one_in_five {
    ($($name:ident: $fault:expr;)*) => {$(
        #[test]
        fn $name() {
            one_in_five($fault, &FAMILY);
        }
    )*};
}

one_in_five! {
    one_in_five_is_a_server_error_and_every_table_holds: Fault::Error500;
    one_in_five_is_cut_in_mid_body_and_every_table_holds: Fault::Cut;
    one_in_five_is_reset_and_every_table_holds: Fault::Reset;
    one_in_five_is_cut_json_with_200_and_every_table_holds: Fault::CutJson200;
    one_in_five_has_no_envelope_and_every_table_holds: Fault::NoEnvelope;
    one_in_five_is_refused_with_503_and_every_table_holds: Fault::Unavailable503;
    one_in_five_is_a_login_page_with_200_and_every_table_holds: Fault::Html200;
}

/// A page of an order with some of its lines only looks like a whole one; all else can.
#[test]
fn lists_that_lack_rows_one_in_five_times_lose_no_row_of_any_table() {
    for fault in [Fault::Empty, Fault::Short] {
        let (truth, warehouse) = one_in_five(fault, &FAMILY[..3]);
        let details = warehouse.table("order_details").into_keys().collect();
        assert_eq!(truth.keys("order_details", None), details);
    }
}

fn read(sandbox: &Sandbox, streams: &[&str], states: &[&Value]) -> (Outcome, Warehouse) {
    let run = Run::of_streams(&config(sandbox), "incremental", streams).resuming_all(states);
    let outcome = run.finish();
    let mut warehouse = Warehouse::default();
    warehouse.take_all(&outcome);
    (outcome, warehouse)
}

/// The last status of each stream.
fn ends(outcome: &Outcome, streams: &[&str]) -> Vec<String> {
    streams.iter().map(|stream| outcome.statuses_of(stream).last().cloned().unwrap_or_default()).collect()
}

/// One stream has failed by its name, the others are complete and hold what they should.
#[track_caller]
fn failed_alone(sandbox: &Sandbox, (outcome, warehouse): &(Outcome, Warehouse), stream: &str) -> Value {
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (Some(1), ""));
    let errors = outcome.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(
        (&errors[0]["stream_descriptor"]["name"], &errors[0]["failure_type"]),
        (&json!(stream), &json!("config_error"))
    );
    let others: Vec<&str> = FAMILY.into_iter().filter(|other| *other != stream).collect();
    assert_eq!(ends(outcome, &others), ["COMPLETE"; 3]);
    assert_eq!(ends(outcome, &[stream]), ["INCOMPLETE"]);
    let with_orders: &[&str] = if stream == "orders" { &["order_versions"] } else { &others };
    Truth::of(sandbox, &settled(sandbox)).assert_holds(warehouse, with_orders);
    errors[0].clone()
}

#[test]
fn where_details_are_forbidden_all_else_is_complete() {
    let sandbox = sandbox(Options { forbidden: vec!["order".into()], ..few(Behaviour::default()) });
    let read = read(&sandbox, &FAMILY, &[]);
    let error = failed_alone(&sandbox, &read, "order_details");
    assert!(error["message"].as_str().unwrap().contains("403"), "{error}");
    assert!(read.0.records_of("order_details").is_empty());
    // Once they are allowed, they come, and nothing else does.
    sandbox.set_forbidden(Vec::new());
    let mut warehouse = read.1;
    let next = sync(&config(&sandbox), &mut warehouse, &FAMILY);
    assert_eq!(
        next.messages.iter().filter(|message| message["type"] == "RECORD").count(),
        next.records_of("order_details").len()
    );
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
}

#[test]
fn where_details_are_forbidden_and_alone_the_sync_fails_at_once() {
    let sandbox = sandbox(Options { orders: 3_000, forbidden: vec!["order".into()], ..Options::default() });
    let (outcome, _) = read(&sandbox, &["order_details"], &[]);
    assert_eq!((outcome.code(), outcome.errors().len()), (Some(1), 1));
    assert_eq!(ends(&outcome, &["order_details"]), ["INCOMPLETE"]);
    assert!(sandbox.stats().orders < 10, "{} pages for nobody", sandbox.stats().orders);
}

#[test]
fn an_order_that_is_listed_and_has_no_page_is_named_and_all_else_is_there() {
    let sandbox = sandbox(few(Behaviour::default()));
    let orders = sandbox.expected(&settled(&sandbox));
    let gone = [&orders[3].id, &orders[40].id];
    sandbox.set_vanished(gone.iter().map(|id| id.parse().unwrap()).collect());
    let (outcome, warehouse) = read(&sandbox, &FAMILY, &[]);
    let outcome = outcome.succeeded();
    let told: Vec<&str> = outcome.logs().into_iter().filter(|line| line.contains("404")).collect();
    assert!(told.len() == 1 && gone.iter().all(|id| told[0].contains(id.as_str())), "{told:?}");
    let truth = Truth::of(&sandbox, &settled(&sandbox));
    truth.assert_holds(&warehouse, &FAMILY[..3]);
    let mut details = truth.keys("order_details", None);
    details.retain(|(id, _)| !gone.contains(&&id.to_string()));
    assert_eq!(
        warehouse.table("order_details").into_keys().collect::<Vec<_>>(),
        details.into_iter().collect::<Vec<_>>()
    );
    assert_eq!(warehouse.state("order_details"), warehouse.state("orders"));
}

#[test]
fn where_no_order_has_a_page_details_fail_by_name() {
    let sandbox = sandbox(few(Behaviour::default()));
    let all = sandbox.expected(&settled(&sandbox));
    sandbox.set_vanished(all.iter().map(|order| order.id.parse().unwrap()).collect());
    let error = failed_alone(&sandbox, &read(&sandbox, &FAMILY, &[]), "order_details");
    assert!(error["message"].as_str().unwrap().contains("404"), "{error}");
}

#[test]
fn a_state_that_cannot_be_read_fails_its_own_stream_only() {
    for stream in FAMILY {
        let sandbox = sandbox(Options { orders: 20, ..few(Behaviour::default()) });
        let field = if stream == "order_line_items" { "orderDraftCreatedAt" } else { "draftCreatedAt" };
        let state = json!({"state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": stream}, "stream_state": {field: 3}}}});
        let error = failed_alone(&sandbox, &read(&sandbox, &FAMILY, &[&state]), stream);
        assert!(error["message"].as_str().unwrap().contains(field), "{error}");
    }
}

#[test]
fn a_walk_that_fails_takes_its_streams_with_it_and_the_next_sync_brings_the_rest() {
    let sandbox = sandbox(Options { orders: 3_500, ..Options::default() });
    let mut config = config(&sandbox);
    config["statuses"] = json!(["reviewed"]);
    let filter = aifi_sandbox::Filter { statuses: vec!["reviewed".into()], ..settled(&sandbox) };
    sandbox.set_faults(Faults::at(12..=u64::MAX, Fault::NullData));
    let outcome = Run::of_streams(&config, "incremental", &FAMILY).finish();
    assert_eq!(outcome.code(), Some(1));
    assert_eq!(ends(&outcome, &FAMILY), ["INCOMPLETE"; 4]);
    sandbox.set_faults(Faults::default());
    let truth = Truth::of(&sandbox, &filter);
    let mut warehouse = Warehouse::default();
    for message in &outcome.messages {
        warehouse.take(message);
        if message["type"] == "STATE" {
            truth.assert_proven(message, &warehouse);
        }
    }
    sync(&config, &mut warehouse, &FAMILY);
    truth.assert_holds(&warehouse, &FAMILY);
}

#[test]
fn every_stream_that_was_started_is_ended_also_if_its_turn_never_came() {
    let sandbox = sandbox(Options { orders: 300, ..Options::default() });
    let config = config(&sandbox);
    let mut warehouse = Warehouse::default();
    sync(&config, &mut warehouse, &["orders"]);
    sandbox.set_faults(Faults::at(1..=u64::MAX, Fault::Expired401));
    let run = Run::of_streams(&config, "incremental", &FAMILY[..3]).resuming_all(&warehouse.states());
    let outcome = run.finish();
    assert_eq!((outcome.code(), outcome.errors().len()), (Some(1), 1), "the others would fail alike");
    assert_eq!(ends(&outcome, &FAMILY[..3]), ["INCOMPLETE"; 3]);
}

#[test]
fn an_order_with_two_versions_and_no_other_is_not_lost_with_a_short_answer() {
    for request in 1..=6 {
        let options = Options { orders: 1, ties: vec![], contested_percent: 100, ..Options::default() };
        let sandbox = sandbox(Options { faults: Faults::at(request..=request, Fault::Short), ..options });
        let (outcome, warehouse) = read(&sandbox, &FAMILY, &[]);
        outcome.succeeded();
        Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY[..3]);
    }
}

#[test]
fn a_page_that_lags_behind_the_list_is_asked_for_again_by_the_next_sync() {
    let sandbox = sandbox(few(Behaviour::default()));
    let config = config(&sandbox);
    let id = sandbox.expected(&settled(&sandbox))[30].id.parse().unwrap();
    sandbox.contest(id);
    sandbox.set_lagging(vec![id]);
    let mut warehouse = Warehouse::default();
    let first = sync(&config, &mut warehouse, &FAMILY);
    assert!(
        first.logs().iter().any(|line| line.contains("1 pages of orders are older")),
        "{:?}",
        first.logs()
    );
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY[..3]);
    sandbox.set_lagging(Vec::new());
    sandbox.advance(TimeDelta::minutes(15));
    sync(&config, &mut warehouse, &FAMILY);
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
}

#[test]
fn orders_that_vanished_before_the_first_page_do_not_stop_those_behind_them() {
    let sandbox = sandbox(Options { orders: 150, ..few(Behaviour::default()) });
    let oldest =
        sandbox.expected(&settled(&sandbox))[..130].iter().map(|order| order.id.parse().unwrap()).collect();
    sandbox.set_vanished(oldest);
    let (outcome, warehouse) = read(&sandbox, &FAMILY, &[]);
    outcome.succeeded();
    assert_eq!(warehouse.table("order_details").len(), 20);
}

/// A page that lags, or is not there yet, where changes are found by reading again: digests must not take it for written.
fn later(behaviour: Behaviour, changes: &str, late: impl Fn(&Sandbox, Vec<u64>)) {
    let sandbox = sandbox(few(behaviour));
    let mut config = config(&sandbox);
    config["changes"] = json!(changes);
    let orders = sandbox.expected(&settled(&sandbox));
    let id = orders[orders.len() - 5].id.parse().unwrap();
    let mut warehouse = Warehouse::default();
    sync(&config, &mut warehouse, &FAMILY);
    sandbox.advance(TimeDelta::minutes(15));
    sandbox.contest(id);
    late(&sandbox, vec![id]);
    sync(&config, &mut warehouse, &FAMILY);
    late(&sandbox, Vec::new());
    for _ in 0..2 {
        sandbox.advance(TimeDelta::hours(25));
        sync(&config, &mut warehouse, &FAMILY);
    }
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
}

#[test]
fn a_page_that_lags_is_asked_for_again_where_the_window_is_read_again() {
    later(Behaviour::default(), "window", Sandbox::set_lagging);
}

#[test]
fn a_page_that_lags_is_asked_for_again_where_the_api_does_not_filter() {
    let behaviour = Behaviour { updated_filter: UpdatedFilter::Ignored, ..Behaviour::default() };
    later(behaviour, "updated", Sandbox::set_lagging);
}

#[test]
fn a_page_that_is_not_there_yet_is_asked_for_again_by_the_next_sync() {
    let sandbox = sandbox(few(Behaviour::default()));
    let config = config(&sandbox);
    let id = sandbox.expected(&settled(&sandbox))[30].id.parse().unwrap();
    // A change that is not settled, so the next sync looks at the order once more.
    sandbox.contest(id);
    sandbox.set_vanished(vec![id]);
    let mut warehouse = Warehouse::default();
    sync(&config, &mut warehouse, &FAMILY);
    sandbox.set_vanished(Vec::new());
    sandbox.advance(TimeDelta::minutes(15));
    sync(&config, &mut warehouse, &FAMILY);
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
}

#[test]
fn a_page_that_is_not_there_yet_is_asked_for_again_where_the_window_is_read_again() {
    later(Behaviour::default(), "window", Sandbox::set_vanished);
}
