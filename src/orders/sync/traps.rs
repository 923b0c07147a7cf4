//! Traps that the reading once fell into: orders lost or stale, an API asked too much.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Effect, Response, Sync};
use crate::config::Config;
use crate::orders::api::page::Row;
use crate::orders::api::query::Request;
use crate::orders::api::query::{Query, Sort};
use crate::orders::api::testing::row;
use crate::orders::state::parts::Scope;
use crate::orders::state::stream_state::{FilterProof, StreamState};
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;
use crate::timestamp;

const NOW: &str = "2026-03-01T12:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    timestamp::parse(text).unwrap()
}

fn config(more: &Value) -> Config {
    let mut config = json!({
        "credentials": {"auth_type": "access_token", "access_token": "t"},
        "start_date": "2025-01-01T00:00:00Z",
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    Config::parse(&config.to_string()).unwrap()
}

fn order(id: u64, at: DateTime<Utc>, content: &'static str) -> Row {
    Row { at, updated: Some(at), data: content.into(), ..row(0, id) }
}

/// Bounds are inclusive, pages count from 0, `minUpdatedAt` works.
fn list(orders: &[Row], query: &Query) -> Vec<Row> {
    let inside = |row: &&Row| {
        let selection = &query.selection;
        query.min.is_none_or(|min| min <= row.at)
            && query.max.is_none_or(|max| row.at <= max)
            && selection.updated_from.is_none_or(|from| row.updated.is_some_and(|at| from <= at))
            && selection.store_id.is_none_or(|store| row.store_id == Some(store))
    };
    let mut rows: Vec<Row> = orders.iter().filter(inside).cloned().collect();
    match query.sort {
        Sort::OldestFirst => rows.sort_by_key(|row| row.at),
        Sort::NewestFirst => rows.sort_by_key(|row| std::cmp::Reverse(row.at)),
        Sort::LowestId => rows.sort_by_key(|row| row.id),
        Sort::HighestId => rows.sort_by_key(|row| std::cmp::Reverse(row.id)),
    }
    let page = query.page.unwrap_or(0) as usize;
    rows.into_iter().skip(page * query.page_size).take(query.page_size).collect()
}

#[derive(Default)]
struct Warehouse {
    table: BTreeMap<u64, bytes::Bytes>,
    written: Vec<u64>,
    state: Option<StreamState>,
}

impl Warehouse {
    fn take(&mut self, steps: Vec<Effect>) {
        for step in steps {
            match step {
                Effect::Record(row) => {
                    self.written.push(row.id);
                    self.table.insert(row.id, row.data);
                }
                Effect::State(state) => self.state = Some(*state),
                _ => (),
            }
        }
    }

    /// The state, as it comes back from the platform.
    fn saved(&self) -> Option<StreamState> {
        let state = self.state.as_ref()?.write(OrderStream::Orders);
        Some(StreamState::parse(&state, OrderStream::Orders).unwrap())
    }

    /// A sync with `flight` requests under way, answered in order. How many were made; it is ended after `most`, or
    /// with the first state if `cut`.
    fn sync(
        &mut self,
        config: &Config,
        now: DateTime<Utc>,
        flight: usize,
        most: usize,
        cut: bool,
        mut answer: impl FnMut(&Query, usize) -> Vec<Row>,
    ) -> usize {
        let mut sync = Sync::new(config, Scope::of(config), SyncMode::Incremental, self.saved(), now);
        let mut waiting: VecDeque<(u64, Request)> = VecDeque::new();
        let mut asked = 0;
        while !sync.is_done() && asked < most {
            while waiting.len() < flight
                && let Some(request) = sync.request()
            {
                asked += 1;
                waiting.push_back(request);
            }
            let (ticket, ask) = waiting.pop_front().expect("it goes on");
            let rows = Ok(answer(&ask.query, asked));
            sync.answer(ticket, Response::of(rows, Some(now))).unwrap();
            let steps = sync.steps();
            let ends = cut && steps.iter().any(|step| matches!(step, Effect::State(..)));
            self.take(steps);
            if ends {
                break;
            }
        }
        asked
    }

    fn quiet(&mut self, config: &Config, now: DateTime<Utc>, orders: &[Row]) -> usize {
        self.sync(config, now, 4, usize::MAX, false, |query, _| list(orders, query))
    }
}

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

/// A first sync: pages are asked for and answered at 12:00, but the first request, which fixes the horizon, is
/// refused for four minutes and answered at 12:04. What happened meanwhile is `later`.
fn first_request_answered_late(config: &Config, earlier: &[Row], later: &[Row]) -> Warehouse {
    let mut warehouse = Warehouse::default();
    let now = at(NOW);
    let mut sync = Sync::new(config, Scope::of(config), SyncMode::Incremental, None, now);
    let (first, ask) = sync.request().unwrap();
    let first_query = ask.query;
    assert_eq!(first_query.sort, Sort::NewestFirst);
    let pages: Vec<(u64, Request)> = std::iter::from_fn(|| sync.request()).collect();
    for (ticket, ask) in pages {
        let rows = Ok(list(earlier, &ask.query));
        sync.answer(ticket, Response::of(rows, Some(now))).unwrap();
    }
    let now = now + minutes(4);
    sync.answer(first, Response::of(Ok(list(later, &first_query)), Some(now))).unwrap();
    while !sync.is_done() {
        let (ticket, ask) = sync.request().expect("it goes on");
        let rows = Ok(list(later, &ask.query));
        sync.answer(ticket, Response::of(rows, Some(now))).unwrap();
    }
    warehouse.take(sync.steps());
    warehouse
}

#[test]
fn an_order_that_surfaces_within_the_settle_delay_is_not_lost_where_pages_came_before_the_horizon_was_fixed()
{
    let config = config(&json!({"changes": "off"}));
    let earlier = [order(1, at(NOW) - minutes(60), "a"), order(2, at(NOW) - TimeDelta::seconds(5), "b")];
    // Drafted 30 s before, and listed 20 s after the page was answered: well within two minutes.
    let late = order(3, at(NOW) - TimeDelta::seconds(30), "late");
    let later = [earlier.to_vec(), vec![late, order(4, at(NOW) + minutes(1), "c")]].concat();
    let mut warehouse = first_request_answered_late(&config, &earlier, &later);
    warehouse.quiet(&config, at(NOW) + minutes(30), &later);
    warehouse.quiet(&config, at(NOW) + minutes(60 * 30), &later);
    assert_eq!(warehouse.table.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn one_store_whose_list_is_empty_for_some_looks_does_not_lose_its_orders() {
    let config = config(&json!({"store_ids": [1, 2]}));
    let of = |id: u64, days: i64, store| Row {
        store_id: Some(store),
        ..order(id, at(NOW) - TimeDelta::days(days), "x")
    };
    let orders: Vec<Row> = (0..40).map(|n| of(n, 300 - 7 * (n as i64 / 2), 1 + n % 2)).collect();
    let mut warehouse = Warehouse::default();
    let mut empties = 5;
    // Five responses for store 2 are empty; all others are right.
    warehouse.sync(&config, at(NOW), 4, usize::MAX, false, |query, _| {
        if query.selection.store_id == Some(2) && empties > 0 {
            empties -= 1;
            return Vec::new();
        }
        list(&orders, query)
    });
    for hours in [1, 30, 60] {
        warehouse.quiet(&config, at(NOW) + minutes(60 * hours), &orders);
    }
    let missing: Vec<u64> =
        orders.iter().map(|row| row.id).filter(|id| !warehouse.table.contains_key(id)).collect();
    assert_eq!(missing, [0_u64; 0]);
}

#[test]
fn a_sync_that_saw_no_order_at_all_does_not_say_that_changes_were_followed() {
    let config = config(&json!({"changes": "updated"}));
    let old = at(NOW) - TimeDelta::days(100);
    let mut orders =
        vec![order(1, old, "draft"), order(2, old + minutes(5), "b"), order(3, at(NOW) - minutes(60), "c")];
    let mut warehouse = Warehouse::default();
    warehouse.quiet(&config, at(NOW), &orders);
    orders[0] = Row { updated: Some(at(NOW) + minutes(10)), ..order(1, old, "paid") };
    // The list is empty for a while.
    warehouse.quiet(&config, at(NOW) + minutes(30), &[]);
    for hours in [1, 30, 60] {
        warehouse.quiet(&config, at(NOW) + minutes(60 * hours), &orders);
    }
    assert_eq!(warehouse.table[&1], "paid");
}

#[test]
fn a_change_between_a_page_and_the_horizon_is_not_lost_where_pages_came_before_the_horizon_was_fixed() {
    let config = config(&json!({"changes": "updated"}));
    let old = at(NOW) - TimeDelta::days(100);
    let earlier =
        [order(1, old, "draft"), order(2, old + minutes(5), "b"), order(3, at(NOW) - minutes(5), "c")];
    let mut later = earlier.clone();
    // Changed one minute after its page was answered, and before 12:02, which the state says changes are followed from.
    later[0] = Row { updated: Some(at(NOW) + minutes(1)), ..order(1, old, "paid") };
    let mut warehouse = first_request_answered_late(&config, &earlier, &later);
    for hours in [1, 30, 60] {
        warehouse.quiet(&config, at(NOW) + minutes(60 * hours), &later);
    }
    assert_eq!(warehouse.table[&1], "paid");
}

#[test]
fn the_window_is_read_again_also_where_the_end_date_has_been_reached() {
    for changes in ["window", "updated"] {
        let config = config(&json!({"changes": changes, "end_date": "2026-03-01T11:00:00Z"}));
        let drafted = at(NOW) - minutes(90);
        let mut orders = vec![order(1, drafted, "draft"), order(2, drafted + minutes(5), "b")];
        let mut warehouse = Warehouse::default();
        warehouse.quiet(&config, at(NOW), &orders);
        // No update time moves.
        orders[0].data = "paid".into();
        for hours in [1, 30, 60] {
            warehouse.quiet(&config, at(NOW) + minutes(60 * hours), &orders);
        }
        assert_eq!(warehouse.table[&1], "paid", "{changes}");
    }
}

#[test]
fn a_sweep_that_ends_behind_a_dense_second_ends() {
    // With one request under way no page ahead comes to the rescue, and with more than 400 orders none can be placed.
    for (count, flight) in [(250, 1), (450, 4)] {
        let config = config(&json!({"changes": "updated"}));
        let cursor = at(NOW) - minutes(2);
        // More than a page of orders in the last millisecond before the state, all of which change.
        let many = (1..=count).map(|id| order(id, cursor - timestamp::MILLISECOND, "draft"));
        let mut orders: Vec<Row> =
            std::iter::once(order(999, cursor - minutes(60), "old")).chain(many).collect();
        let mut warehouse = Warehouse::default();
        warehouse.quiet(&config, at(NOW), &orders);
        for order in &mut orders[1..] {
            *order = Row { updated: Some(at(NOW) + minutes(5)), data: "paid".into(), ..order.clone() };
        }
        orders.push(order(1_000, at(NOW) + minutes(6), "new"));
        let now = at(NOW) + minutes(30);
        let asked = warehouse.sync(&config, now, flight, 5_000, false, |query, _| list(&orders, query));
        println!("{count} changed orders, {flight} under way: {asked} requests");
        assert!(asked < 100, "{asked} requests for {count} changed orders, and no end");
        assert_eq!(warehouse.table[&7], "paid");
    }
}

/// How many requests a first sync of so many orders takes, with `page` what the API makes of page numbers.
fn requests(count: u64, flight: usize, answer: impl Fn(&[Row], &Query, usize) -> Vec<Row>) -> usize {
    let config = config(&json!({}));
    let orders: Vec<Row> =
        (0..count).map(|n| order(n, at(NOW) - minutes(5 * (count - n) as i64), "x")).collect();
    let mut warehouse = Warehouse::default();
    warehouse.sync(&config, at(NOW), flight, 100_000, false, |query, asked| answer(&orders, query, asked))
}

#[test]
fn an_api_that_gives_nothing_behind_the_first_page_is_not_asked_for_every_page_again_and_again() {
    let asked = requests(
        40_000,
        6,
        |orders, query, _| {
            if query.page.is_some() { Vec::new() } else { list(orders, query) }
        },
    );
    assert!(asked < 10 * 40_000 / 200, "{asked} for 200 pages");
}

#[test]
fn one_wrong_answer_at_the_beginning_of_a_small_list_is_no_storm() {
    let wrong = std::cell::Cell::new(true);
    let asked = requests(50, 6, |orders, query, _| {
        if query.sort == Sort::OldestFirst && query.page.is_none() && wrong.take() {
            Vec::new()
        } else {
            list(orders, query)
        }
    });
    assert!(asked < 40, "{asked} requests for 50 orders");
}

#[test]
fn a_first_sync_in_trouble_does_not_make_a_later_one_read_everything_again() {
    let config = config(&json!({"changes": "updated"}));
    let orders: Vec<Row> =
        (0..6_000).map(|n| order(n, at(NOW) - minutes(10 * (6_000 - n as i64)), "x")).collect();
    // While the API is down, the state is repeated; that is all that this sync says.
    let said = Sync::new(&config, Scope::of(&config), SyncMode::Incremental, None, at(NOW)).last_state();
    let mut warehouse = Warehouse { state: Some(said), ..Warehouse::default() };
    warehouse.sync(&config, at(NOW), 4, usize::MAX, true, |query, _| list(&orders, query));
    let begun = warehouse.written.len();
    assert!((1_000..3_000).contains(&begun), "{begun}");
    warehouse.quiet(&config, at(NOW) + minutes(30), &orders);
    assert_eq!(warehouse.table.len(), orders.len());
    let twice = warehouse.written.len() - orders.len();
    assert!(twice < 500, "{twice} of {begun} orders were read and written again");
}

#[test]
fn one_answer_of_a_server_whose_clock_is_ahead_leaves_no_change_stale() {
    let config = config(&json!({"changes": "updated"}));
    let old = at(NOW) - TimeDelta::days(100);
    let mut orders =
        vec![order(1, old, "draft"), order(2, old + minutes(5), "b"), order(3, at(NOW) - minutes(60), "c")];
    let mut warehouse = Warehouse::default();
    warehouse.quiet(&config, at(NOW) - minutes(30), &orders);
    // One of several servers is ten minutes ahead; this machine's clock is right, and nobody asks it.
    let mut sync = Sync::new(&config, Scope::of(&config), SyncMode::Incremental, warehouse.saved(), at(NOW));
    while let Some((ticket, ask)) = sync.request() {
        let answer = Response::of(Ok(list(&orders, &ask.query)), Some(at(NOW) + minutes(10)));
        sync.answer(ticket, answer).unwrap();
    }
    assert!(sync.is_done());
    warehouse.take(sync.steps());
    orders[0] = Row { updated: Some(at(NOW) + minutes(3)), ..order(1, old, "paid") };
    for hours in [1, 30, 60] {
        warehouse.quiet(&config, at(NOW) + minutes(60 * hours), &orders);
    }
    assert_eq!(warehouse.table[&1], "paid");
}

#[test]
fn a_server_that_ceases_to_filter_is_noticed_before_a_change_is_lost() {
    let config = config(&json!({"changes": "updated"}));
    let mut orders: Vec<Row> =
        (0..3_000).map(|n| order(n, at(NOW) - minutes(10 * (3_000 - n as i64)), "draft")).collect();
    let mut warehouse = Warehouse::default();
    warehouse.quiet(&config, at(NOW), &orders);
    let asked = [15, 30, 45, 60].map(|later| warehouse.quiet(&config, at(NOW) + minutes(later), &orders));
    assert_eq!(asked, [3, 2, 2, 2], "nothing has proved the filter yet; the sweep before has");
    // The sync after the next one would not read it again.
    let oldest = at(NOW) - TimeDelta::days(14) + minutes(10);
    let changed = orders.iter_mut().find(|order| order.at >= oldest).unwrap();
    *changed = Row { updated: Some(at(NOW) + minutes(70)), data: "paid".into(), ..changed.clone() };
    let id = changed.id;
    let ignoring = |orders: &[Row], query: &Query| {
        let mut query = query.clone();
        query.selection.updated_from = None;
        list(orders, &query)
    };
    for (later, content, filtered) in
        [(75, "draft", FilterProof::Contradicted), (90, "paid", FilterProof::None)]
    {
        let now = at(NOW) + minutes(later);
        warehouse.sync(&config, now, 1, usize::MAX, false, |query, _| ignoring(&orders, query));
        assert_eq!(warehouse.table[&id], content);
        assert_eq!(warehouse.state.as_ref().unwrap().filtered, filtered);
    }
    assert_eq!(warehouse.written.len(), orders.len() + 6, "and the hour of it");
}

#[test]
fn what_an_order_that_changed_meanwhile_does_not_prove_is_probed() {
    // The only order that the response would leave out has changed since it was seen.
    let config = config(&json!({"changes": "updated"}));
    let mut orders: Vec<Row> =
        (1..4).map(|n| order(n, at(NOW) - minutes(100 - 10 * n as i64), "draft")).collect();
    let mut warehouse = Warehouse::default();
    warehouse.quiet(&config, at(NOW), &orders);
    let now = at(NOW) + minutes(15);
    warehouse.sync(&config, now, 1, usize::MAX, false, |query, asked| {
        if asked == 3 {
            for order in &mut orders {
                order.updated = Some(now);
            }
        }
        list(&orders, query)
    });
    assert_eq!(warehouse.state.as_ref().unwrap().filtered, FilterProof::None);
    assert_eq!(warehouse.quiet(&config, at(NOW) + minutes(30), &orders), 3);
}

#[test]
fn a_sweep_that_is_cut_off_again_and_again_gets_on() {
    let config = config(&json!({"changes": "updated"}));
    let count = 20_000_u64;
    let mut orders: Vec<Row> =
        (0..count).map(|n| order(n, at(NOW) - minutes(5 * (count - n) as i64), "draft")).collect();
    let mut warehouse = Warehouse::default();
    warehouse.quiet(&config, at(NOW), &orders);
    // A migration of the API touches every order.
    for order in &mut orders {
        *order = Row { updated: Some(at(NOW) + minutes(5)), data: "paid".into(), ..order.clone() };
    }
    for n in 1..=10 {
        // Each sync may ask 60 requests; the sweep alone takes 100.
        warehouse.sync(&config, at(NOW) + minutes(60 * n), 4, 60, false, |query, _| list(&orders, query));
    }
    let stale = warehouse.table.values().filter(|data| *data != "paid").count();
    assert_eq!(stale, 0, "orders are stale after ten syncs of 60 requests each");
}

#[test]
fn a_second_walk_ends_at_the_horizon_of_the_first_whichever_clock_answers() {
    let (config, first) = (config(&json!({})), at(NOW));
    let mut sync =
        Sync::new(&config, Scope::of(&config), SyncMode::Incremental, None, first).after(Some(first));
    for _ in 0..2 {
        let (ticket, _) = sync.request().unwrap();
        let date = Some(first - TimeDelta::seconds(5));
        sync.answer(ticket, Response::of(Ok(Vec::new()), date)).unwrap();
    }
    assert_eq!(sync.server_now(), Some(first));
}
