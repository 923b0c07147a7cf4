//! The streams that are lists, through the real binary: contests, stores, sessions and products.

use std::collections::BTreeMap;

use aifi_sandbox::{
    Behaviour, Bounds, Fault, Faults, Filter, FirstPage, Ids, Model, Options, Sandbox, Stats, UpdatedFilter,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{Outcome, Run, config, sandbox};
use crate::simulation::World;

pub const LISTS: [&str; 4] = ["contests", "stores", "sessions", "products"];

fn options(behaviour: Behaviour) -> Options {
    Options { orders: 700, stores: 9, contested_percent: 40, behaviour, ..Options::default() }
}

/// A run that reads these streams only.
fn read(config: &Value, streams: &[&str], sync_mode: &str) -> Run {
    let streams: Vec<Value> = streams.iter().map(|name| json!({
        "stream": {"name": name, "json_schema": {"type": "object", "properties": {}}, "supported_sync_modes": ["full_refresh"]},
        "sync_mode": sync_mode, "destination_sync_mode": "append_dedup",
        "generation_id": 1, "minimum_generation_id": 0, "sync_id": 1})).collect();
    Run::of("read")
        .file("config", &config.to_string())
        .file("catalog", &json!({"streams": streams}).to_string())
}

/// The fields that are compared, by key.
type Table = BTreeMap<String, Vec<String>>;

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(records: &[&Value], fields: &[&str]) -> Table {
    let row = |record: &&Value| {
        let value = |path: &&str| plain(record.pointer(&format!("/{path}")).unwrap_or(&Value::Null));
        (plain(&record["id"]), fields.iter().map(value).collect())
    };
    records.iter().map(row).collect()
}

fn fields(list: &str) -> &'static [&'static str] {
    match list {
        "contests" => &[
            "orderId",
            "orderVersion",
            "status",
            "contestedOrder/storeId",
            "reviewedTotalPrice",
            "contestedTotalPrice",
            "updatedAt",
        ],
        "stores" => &["name", "status", "deploymentStatus", "thirdPartyId"],
        "sessions" => &["sessionId", "storeId", "status", "visitors", "updatedAt"],
        "products" => &["name", "price", "quantity", "updatedAt"],
        _ => panic!("{list}: name the fields that are compared"),
    }
}

fn expected(model: &Model, list: &str) -> Table {
    let text = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
    match list {
        "contests" => {
            let row = |c: aifi_sandbox::ExpectedContest| {
                let row = vec![
                    c.order_id,
                    c.order_version.to_string(),
                    c.status.to_owned(),
                    c.store_id.to_string(),
                    text(c.reviewed_total_price),
                    c.contested_total_price,
                    c.updated_at,
                ];
                (c.id, row)
            };
            model.expected_contests().into_iter().map(row).collect()
        }
        "stores" => {
            let row = |s: aifi_sandbox::ExpectedStore| {
                (s.id, vec![s.name, s.status.to_owned(), s.deployment_status.to_owned(), s.third_party_id])
            };
            model.expected_stores().into_iter().map(row).collect()
        }
        "sessions" => {
            let row = |s: aifi_sandbox::ExpectedSession| {
                let row = vec![
                    s.session_id,
                    s.store_id.to_string(),
                    s.status.to_owned(),
                    s.visitors.to_string(),
                    s.updated_at,
                ];
                (s.id, row)
            };
            model.expected_sessions().into_iter().map(row).collect()
        }
        "products" => {
            let row = |p: aifi_sandbox::ExpectedProduct| {
                (p.id, vec![p.name, p.price, p.quantity.to_string(), p.updated_at])
            };
            model.expected_products().into_iter().map(row).collect()
        }
        _ => panic!("{list}: say what the sandbox expects"),
    }
}

/// The records, upserted by key, are exactly what the API holds.
#[track_caller]
pub fn assert_equal(model: &Model, list: &str, records: &[&Value]) {
    let (found, expected) = (table(records, fields(list)), expected(model, list));
    let missing: Vec<_> = expected.keys().filter(|id| !found.contains_key(*id)).take(5).collect();
    assert!(
        missing.is_empty(),
        "{list}: missing of {} expected and {} read: {missing:?}",
        expected.len(),
        found.len()
    );
    for (id, row) in &found {
        assert_eq!(Some(row), expected.get(id), "{list} {id}");
    }
}

#[test]
fn every_list_is_compared_with_the_sandbox() {
    let declared: Vec<&str> = source_aifi::lists::declared::ALL.iter().map(|list| list.name).collect();
    assert_eq!(LISTS, declared[..]);
}

#[track_caller]
fn assert_all(model: &Model, outcome: &Outcome) {
    for list in LISTS {
        let records = outcome.records_of(list);
        assert_equal(model, list, &records);
        assert_eq!(records.len(), table(&records, &[]).len(), "{list}: each once");
    }
}

/// Reads all lists, in virtual time: what a fault meets is the same in each run.
fn reads_all(options: Options, sync_mode: &str) -> Stats {
    let mut world = World::new(options, &json!({"start_date": "2025-01-01T00:00:00Z"}));
    world.select(&LISTS, sync_mode);
    let outcome = world.outcome(&[]).succeeded();
    assert_all(&world.api().model, &outcome);
    world.api().model.stats()
}

/// The same through the binary, for what the network is a part of.
fn binary_reads_all(options: Options, sync_mode: &str) -> Stats {
    let sandbox = sandbox(options);
    let outcome = read(&config(&sandbox), &LISTS, sync_mode).finish().succeeded();
    assert_all(&sandbox.model(), &outcome);
    sandbox.stats()
}

#[test]
fn every_list_is_read_as_it_is() {
    for sync_mode in ["full_refresh", "incremental"] {
        binary_reads_all(options(Behaviour::default()), sync_mode);
    }
}

/// One test for each reading of the API.
macro_rules! readings {
    ($($name:ident: $behaviour:expr;)*) => {$(
        #[test]
        fn $name() {
            reads_all(options($behaviour), "full_refresh");
            reads_all(options($behaviour), "incremental");
        }
    )*};
}

readings! {
    pages_capped_at_seven: Behaviour { page_cap: Some(7), ..Behaviour::default() };
    bounds_that_are_exclusive: Behaviour { bounds: Bounds::Exclusive, ..Behaviour::default() };
    bounds_cut_to_seconds: Behaviour { bounds: Bounds::TruncatedToSeconds, ..Behaviour::default() };
    pages_counted_from_one: Behaviour { first_page: FirstPage::One, ..Behaviour::default() };
    capped_pages_counted_from_one: Behaviour { first_page: FirstPage::One, page_cap: Some(30), ..Behaviour::default() };
    ids_as_texts: Behaviour { ids: Ids::String, ..Behaviour::default() };
    strange_shapes: Behaviour { extra_fields: true, pretty: true, ..Behaviour::default() };
    odd_values: Behaviour { odd_values: true, ..Behaviour::default() };
    refused_parameters: Behaviour { unknown_parameters: aifi_sandbox::UnknownParameters::Refused, ..Behaviour::default() };
    an_ignored_filter: Behaviour { updated_filter: UpdatedFilter::Ignored, ..Behaviour::default() };
    a_refused_filter: Behaviour { updated_filter: UpdatedFilter::Refused, ..Behaviour::default() };
    microseconds: Behaviour { stamps: aifi_sandbox::Stamps::Micros, ..Behaviour::default() };
}

/// One test for each fault, met by one request in five. Pages are small, so that there are enough requests.
macro_rules! one_in_five {
    ($($name:ident: $read:ident, $fault:expr;)*) => {$(
        #[test]
        fn $name() {
            let behaviour = Behaviour { page_cap: Some(25), ..Behaviour::default() };
            let stats = $read(Options { faults: Faults::rate($fault, 0.2, 5), ..options(behaviour) }, "incremental");
            assert!(stats.fault($fault.name()) >= 5, "{stats:?}");
        }
    )*};
}

one_in_five! {
    lists_one_in_five_is_refused: reads_all, Fault::Unavailable503;
    lists_one_in_five_is_a_server_error: reads_all, Fault::Error500;
    lists_one_in_five_is_cut: binary_reads_all, Fault::Cut;
    lists_one_in_five_is_a_login_page: reads_all, Fault::Html200;
    lists_one_in_five_is_cut_json: reads_all, Fault::CutJson200;
    lists_one_in_five_is_reset: binary_reads_all, Fault::Reset;
    lists_one_in_five_is_empty: reads_all, Fault::Empty;
    lists_one_in_five_is_short: reads_all, Fault::Short;
    lists_one_in_five_has_no_envelope: reads_all, Fault::NoEnvelope;
    lists_one_in_five_has_null_data: reads_all, Fault::NullData;
    lists_one_in_five_is_bad_gzip: binary_reads_all, Fault::BadGzip;
}

/// Reads one list twice, and says what the second sync brought, and how many requests it took.
fn again(sandbox: &Sandbox, list: &str, state: &Value) -> (Outcome, u64) {
    sandbox.reset_stats();
    let outcome = read(&config(sandbox), &[list], "incremental").resuming(state).finish().succeeded();
    (outcome, sandbox.stats().requests)
}

#[test]
fn a_sync_without_changes_takes_two_requests() {
    for (list, most) in [("contests", 2), ("sessions", 2)] {
        let sandbox = sandbox(options(Behaviour::default()));
        let first = read(&config(&sandbox), &[list], "incremental").finish().succeeded();
        sandbox.advance(TimeDelta::hours(1));
        let (second, requests) = again(&sandbox, list, first.last_state_of(list));
        assert_eq!((second.records_of(list).len(), requests), (0, most), "{list}");
        assert_eq!(
            second.last_state_of(list)["state"]["stream"],
            first.last_state_of(list)["state"]["stream"],
            "{list}"
        );
    }
}

#[test]
fn each_list_takes_so_many_requests() {
    let sandbox = sandbox(options(Behaviour::default()));
    let mut counts = Vec::new();
    for list in LISTS {
        for sync_mode in ["incremental", "full_refresh"] {
            sandbox.reset_stats();
            let outcome = read(&config(&sandbox), &[list], sync_mode).finish().succeeded();
            counts.push((outcome.records_of(list).len(), sandbox.stats().requests));
        }
    }
    // Contests that were read as a whole are closed with two questions for what moved meanwhile.
    assert_eq!(counts, [(276, 3), (276, 5), (9, 2), (9, 2), (786, 5), (786, 5), (240, 3), (240, 3)]);
}

#[test]
fn lists_of_a_few_rows_take_two_requests() {
    for list in LISTS {
        let options =
            Options { orders: 8, ties: vec![], stores: 5, contested_percent: 70, ..Options::default() };
        let sandbox = sandbox(options);
        let outcome = read(&config(&sandbox), &[list], "full_refresh").finish().succeeded();
        assert_equal(&sandbox.model(), list, &outcome.records_of(list));
        // All but the products fit in a page.
        assert_eq!(sandbox.stats().requests, if list == "products" { 3 } else { 2 }, "{list}");
    }
}

/// Changes a few orders, and says how many.
fn change(sandbox: &Sandbox) -> usize {
    let orders = sandbox.expected(&Filter::default());
    let some: Vec<u64> = orders.iter().step_by(101).map(|order| order.id.parse().unwrap()).collect();
    let contested = sandbox.expected_contests();
    for (n, id) in some.iter().enumerate() {
        if contested.iter().any(|contest| contest.order_id == id.to_string()) && n % 2 == 0 {
            sandbox.review(*id);
        } else {
            sandbox.contest(*id);
        }
    }
    some.len()
}

#[test]
fn only_what_has_changed_comes_again() {
    for filter in [UpdatedFilter::Honoured, UpdatedFilter::Ignored, UpdatedFilter::Refused] {
        let sandbox = sandbox(options(Behaviour { updated_filter: filter, ..Behaviour::default() }));
        let config = config(&sandbox);
        let first = read(&config, &["contests", "sessions"], "incremental").finish().succeeded();
        sandbox.advance(TimeDelta::hours(1));
        let changed = change(&sandbox);
        sandbox.add_orders(20);
        sandbox.advance(TimeDelta::minutes(10));
        for (list, least, most) in [("contests", changed, changed + 20), ("sessions", 20, 60)] {
            let (second, _) = again(&sandbox, list, first.last_state_of(list));
            let count = second.records_of(list).len();
            assert!((least..=most).contains(&count), "{list} {filter:?}: {count} records");
            let mut all = first.records_of(list);
            all.extend(second.records_of(list));
            assert_equal(&sandbox.model(), list, &all);
            let told = second.logs().iter().filter(|line| line.contains("minUpdatedAt")).count();
            assert_eq!(told, usize::from(filter == UpdatedFilter::Refused), "{:?}", second.logs());
        }
    }
}

#[test]
fn sessions_that_were_cut_off_go_on() {
    for sync_mode in ["incremental", "full_refresh"] {
        let sandbox = sandbox(Options { orders: 4_000, contested_percent: 0, ..Options::default() });
        let config = config(&sandbox);
        let mut outcomes: Vec<Outcome> = Vec::new();
        let whole = read(&config, &["sessions"], sync_mode).finish().succeeded();
        for bytes in [700_000, 1_400_000, 900_001, 40_000, usize::MAX] {
            let saved = outcomes.iter().rev().find_map(|outcome| outcome.of_type("STATE").last());
            let mut run = read(&config, &["sessions"], sync_mode);
            run = match saved {
                Some(state) => run.resuming(state),
                None => run,
            };
            outcomes.push(if bytes == usize::MAX {
                run.finish().succeeded()
            } else {
                run.killed_after(bytes)
            });
        }
        let all: Vec<&Value> = outcomes.iter().flat_map(|outcome| outcome.records_of("sessions")).collect();
        assert_equal(&sandbox.model(), "sessions", &all);
        let (read, rows) = (all.len(), whole.records_of("sessions").len());
        assert!(read < rows + 4 * 1_300, "{sync_mode}: little is repeated: {read} of {rows}");
        let last = outcomes.last().unwrap();
        assert!(last.records_of("sessions").len() < rows, "it went on");
        assert_eq!(
            last.last_state_of("sessions")["state"]["stream"],
            whole.last_state_of("sessions")["state"]["stream"]
        );
    }
}

#[test]
fn a_complete_full_refresh_has_nothing_left() {
    let sandbox = sandbox(options(Behaviour::default()));
    let config = config(&sandbox);
    let first = read(&config, &["contests"], "full_refresh").finish().succeeded();
    sandbox.reset_stats();
    let again = read(&config, &["contests"], "full_refresh")
        .resuming(first.last_state_of("contests"))
        .finish()
        .succeeded();
    assert_eq!((again.records_of("contests").len(), sandbox.stats().requests), (0, 0));
    assert_eq!(
        again.last_state_of("contests")["state"]["stream"],
        first.last_state_of("contests")["state"]["stream"]
    );
}

#[test]
fn other_stores_are_left_out_and_counted() {
    let sandbox = sandbox(options(Behaviour::default()));
    let mut config = config(&sandbox);
    config["store_ids"] = json!([2, 5]);
    let outcome = read(&config, &LISTS, "full_refresh").finish().succeeded();
    for (list, at) in [("contests", 3), ("sessions", 1)] {
        let wanted =
            expected(&sandbox.model(), list).values().filter(|row| matches!(&*row[at], "2" | "5")).count();
        assert_eq!(outcome.records_of(list).len(), wanted, "{list}");
    }
    assert_eq!(outcome.records_of("stores").len(), 2);
    assert_equal(&sandbox.model(), "products", &outcome.records_of("products"));
    assert!(outcome.logs().iter().any(|line| line.contains("7 records of other stores left out")));
}

#[test]
fn what_was_left_out_is_written_once_it_is_configured() {
    for list in ["contests", "sessions"] {
        let sandbox = sandbox(options(Behaviour::default()));
        let mut config = config(&sandbox);
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        let mut state: Option<Value> = None;
        // All stores, some of them, other ones, an earlier start date, all again.
        for (number, (stores, start)) in [
            (json!([1, 2]), "2025-11-20T00:00:00Z"),
            (json!([1]), "2025-11-20T00:00:00Z"),
            (json!([1, 2, 3]), "2025-11-20T00:00:00Z"),
            (json!([1, 2, 3]), "2025-11-01T00:00:00Z"),
            (json!([]), "2025-11-01T00:00:00Z"),
        ]
        .into_iter()
        .enumerate()
        {
            (config["store_ids"], config["start_date"]) = (stores, json!(start));
            let mut run = read(&config, &[list], "incremental");
            if let Some(state) = &state {
                run = run.resuming(state);
            }
            let outcome = run.finish().succeeded();
            let twice = outcome
                .records_of(list)
                .iter()
                .filter(|row| known.get(&plain(&row["id"])) == Some(row))
                .count();
            // A store that was never read, or all stores: what was read as a part of less comes again.
            assert!(twice == 0 || number == 4, "{list} {number}: {twice} rows came again");
            known.extend(outcome.records_of(list).iter().map(|row| (plain(&row["id"]), (*row).clone())));
            state = Some(outcome.last_state_of(list).clone());
        }
        assert_equal(&sandbox.model(), list, &known.values().collect::<Vec<_>>());
    }
}

#[test]
fn an_empty_list_is_believed_at_last() {
    let sandbox = sandbox(Options { orders: 0, ties: vec![], ..Options::default() });
    let outcome = read(&config(&sandbox), &["contests"], "incremental").finish().succeeded();
    assert_eq!(outcome.records_of("contests").len(), 0);
    assert_eq!(sandbox.stats().requests, 6);
}

#[test]
fn a_list_that_may_not_be_read_is_named() {
    let sandbox =
        sandbox(Options { forbidden: vec!["sessions".to_owned()], ..options(Behaviour::default()) });
    let outcome = read(&config(&sandbox), &["sessions"], "incremental").finish().failed("config_error");
    assert!(outcome.message().contains("sessions"), "{}", outcome.message());
    assert!(outcome.stdout.contains("INCOMPLETE"));
}

#[test]
fn a_wrong_answer_that_persists_is_a_failure_and_what_came_before_has_its_state() {
    let sandbox = sandbox(Options { orders: 2_000, ..options(Behaviour::default()) });
    let config = config(&sandbox);
    sandbox.set_faults(Faults::at(8..=u64::MAX, Fault::Empty));
    let cut = read(&config, &["sessions"], "incremental").finish().failed("transient_error");
    assert!(cut.message().contains("sessions") && cut.message().contains("empty"), "{}", cut.message());
    sandbox.set_faults(Faults::default());
    let rest = read(&config, &["sessions"], "incremental")
        .resuming(cut.last_state_of("sessions"))
        .finish()
        .succeeded();
    let mut all = cut.records_of("sessions");
    assert!(all.len() > 1_000 && rest.records_of("sessions").len() < 1_300);
    all.extend(rest.records_of("sessions"));
    assert_equal(&sandbox.model(), "sessions", &all);
}

#[test]
fn a_state_of_another_shape_is_refused() {
    let sandbox = sandbox(options(Behaviour::default()));
    let state = json!([{"type": "STREAM", "stream": {"stream_descriptor": {"name": "contests"}, "stream_state": {"draftCreatedAt": "2025-11-01T00:00:00.000Z"}}}]);
    let run = read(&config(&sandbox), &["contests"], "incremental").file("state", &state.to_string());
    let outcome = run.finish().failed("config_error");
    assert!(outcome.message().contains("contests"), "{}", outcome.message());
}

/// By position in the output: from the first record of one stream to its last one, there are records of the other.
#[test]
fn streams_are_read_at_the_same_time() {
    let latency = std::time::Duration::from_millis(30);
    let sandbox = sandbox(Options { orders: 1_500, latency, ..options(Behaviour::default()) });
    let outcome =
        read(&config(&sandbox), &["orders", "sessions", "products"], "incremental").finish().succeeded();
    let streams: Vec<&str> =
        outcome.of_type("RECORD").map(|message| message["record"]["stream"].as_str().unwrap()).collect();
    let ends = |name: &str| {
        let first = streams.iter().position(|stream| *stream == name).unwrap();
        (first, streams.iter().rposition(|stream| *stream == name).unwrap())
    };
    let (orders, sessions) = (ends("orders"), ends("sessions"));
    assert!(orders.0 < sessions.1 && sessions.0 < orders.1, "orders {orders:?}, sessions {sessions:?}");
    assert_equal(&sandbox.model(), "sessions", &outcome.records_of("sessions"));
}

/// Long enough that its pages are asked for ahead.
#[test]
fn a_long_list_by_key_is_whole_also_where_answers_ahead_are_wrong() {
    for (fault, share) in
        [(Fault::Empty, 0.0), (Fault::Empty, 0.1), (Fault::Unavailable503, 0.1), (Fault::Short, 0.2)]
    {
        let latency = std::time::Duration::from_millis(5);
        let sandbox = sandbox(Options { orders: 5_000, latency, ..options(Behaviour::default()) });
        sandbox.set_faults(Faults::rate(fault, share, 7));
        let outcome = read(&config(&sandbox), &["sessions"], "incremental").finish().succeeded();
        assert_equal(&sandbox.model(), "sessions", &outcome.records_of("sessions"));
    }
}
