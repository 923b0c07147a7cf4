//! Whole syncs against a model of the API: any orders, any interleaving of new, late and changed orders, wrong responses,
//! ends at any moment and resumes. After a last quiet sync the table equals the API's truth.
//!
//! Counter-examples are kept in `proptest-regressions`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Effect, Response, Sync};
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::horizon::SETTLE_DELAY;
use crate::orders::api::page::Row;
use crate::orders::api::query::{Query, Request, Sort};
use crate::orders::api::testing::row;
use crate::orders::state::parts::Scope;
use crate::orders::state::readings::{self, Next};
use crate::orders::state::stream_state::StreamState;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;
use crate::timestamp;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Honoured,
    Ignored,
    Refused,
}

/// What is unknown of the API, and how often a response is wrong.
#[derive(Clone, Debug)]
struct Readings {
    inclusive: bool,
    cut_to_seconds: bool,
    unstable: bool,
    first_page: u32,
    cap: usize,
    filter: Filter,
    updates_move: bool,
    /// Of a hundred responses, so many are empty, so many short, and so many ignore the bounds.
    wrong: u32,
}

/// The API.
struct Api {
    /// Orders are drafted at microseconds, not only at milliseconds.
    micros: bool,
    readings: Readings,
    now: DateTime<Utc>,
    orders: Vec<Row>,
    rng: fastrand::Rng,
}

fn content(id: u64, change: u64) -> bytes::Bytes {
    format!("{id} {change}").into()
}

impl Api {
    fn add(&mut self, at: DateTime<Utc>, updated: DateTime<Utc>) {
        let id = self.orders.len() as u64 + 1;
        let store_id = Some(1 + self.rng.u64(..2));
        let at = at - TimeDelta::microseconds(if self.micros { self.rng.i64(0..1_000) } else { 0 });
        // Some orders do not say when they were changed.
        let known = updated >= self.now - MINUTE || self.rng.u32(..20) > 0;
        let updated = known.then(|| updated.max(at));
        let order = Row { at, updated, store_id, data: content(id, 0), ..row(0, id) };
        self.orders.push(order);
    }

    /// Changes an order that is not older than `oldest`.
    fn change(&mut self, oldest: DateTime<Utc>) {
        let young: Vec<usize> = (0..self.orders.len()).filter(|n| self.orders[*n].at >= oldest).collect();
        let Some(n) = self.rng.choice(young) else { return };
        let change = self.rng.u64(1..1 << 40);
        let order = &mut self.orders[n];
        order.data = content(order.id, change);
        if self.readings.updates_move {
            order.updated = Some(self.now);
        }
    }

    /// Something happens to an order. Those that are older than `changeable` are not changed.
    fn happen(&mut self, changeable: TimeDelta) {
        let now = self.now;
        match self.rng.u32(..10) {
            0..4 => {
                let age = TimeDelta::milliseconds(self.rng.i64(0..2_000));
                self.add(now - age, now);
            }
            // It surfaces late.
            4 => {
                let age = TimeDelta::seconds(self.rng.i64(0..1_800));
                self.add(now - age, now);
            }
            _ => self.change(now - changeable),
        }
    }

    /// Responses a request of a sync.
    fn reply(&mut self, sync: &mut Sync<'_>, ticket: u64, ask: &Request, wrong: bool) -> Result<(), Failure> {
        let by_update = ask.query.selection.updated_from.is_some();
        if by_update && self.readings.filter == Filter::Refused {
            return sync.refused(ticket, Failure::new(FailureKind::Rejected, "no such parameter"));
        }
        let rows = Ok(self.answer(&ask.query, wrong));
        sync.answer(ticket, Response::of(rows, Some(timestamp::floor_second(self.now))))
    }

    fn answer(&mut self, query: &Query, wrong: bool) -> Vec<Row> {
        let draw = if wrong { self.rng.u32(..100) } else { 100 };
        let readings = self.readings.clone();
        let bound =
            |at: DateTime<Utc>| if readings.cut_to_seconds { timestamp::floor_second(at) } else { at };
        let above = |min: DateTime<Utc>, at| min < at || (readings.inclusive && min == at);
        let below = |max: DateTime<Utc>, at| at < max || (readings.inclusive && at == max);
        let ignored = (2 * readings.wrong..3 * readings.wrong).contains(&draw);
        let filtered = !ignored && readings.filter == Filter::Honoured;
        let (min, max) = (query.min.map(bound), query.max.map(bound));
        let updated = query.selection.updated_from.filter(|_| filtered);
        let updated = updated.map(|from| bound(from - timestamp::MILLISECOND));
        let inside = |row: &&Row| {
            (ignored || min.is_none_or(|min| above(min, row.at)) && max.is_none_or(|max| below(max, row.at)))
                && query.selection.store_id.is_none_or(|store| row.store_id == Some(store))
                && updated.is_none_or(|from| row.updated.is_some_and(|at| above(from, at)))
        };
        let mut rows: Vec<&Row> = self.orders.iter().filter(inside).collect();
        if readings.unstable {
            self.rng.shuffle(&mut rows);
        }
        match query.sort {
            Sort::OldestFirst => rows.sort_by_key(|row| row.at),
            Sort::NewestFirst => rows.sort_by_key(|row| std::cmp::Reverse(row.at)),
            Sort::LowestId => rows.sort_by_key(|row| row.id),
            Sort::HighestId => rows.sort_by_key(|row| std::cmp::Reverse(row.id)),
        }
        let size = query.page_size.min(readings.cap);
        let page = query.page.unwrap_or(readings.first_page).saturating_sub(readings.first_page);
        let mut rows: Vec<Row> = rows.into_iter().skip(page as usize * size).take(size).cloned().collect();
        if draw < readings.wrong {
            rows.clear();
        } else if draw < 2 * readings.wrong && rows.len() > 1 {
            rows.truncate(self.rng.usize(1..rows.len()));
        }
        rows
    }
}

/// What a destination holds after upserts by key, and the states to resume from.
#[derive(Default)]
struct Warehouse {
    table: BTreeMap<u64, bytes::Bytes>,
    state: Option<Value>,
    /// Orders, and lines, that were said to be gone.
    gone: Vec<u64>,
    gone_lines: Vec<(u64, i64)>,
    /// The log.
    said: Vec<(Level, String)>,
}

impl Warehouse {
    /// Takes what was written up to some moment. Responses the ids, in order.
    fn take(&mut self, steps: &[Effect], readings: &readings::Readings) -> Vec<u64> {
        let mut ids = Vec::new();
        for step in steps {
            match step {
                Effect::Record(row) => {
                    ids.push(row.id);
                    self.table.insert(row.id, row.data.clone());
                }
                Effect::State(state) => {
                    let composed = readings.compose(StreamState::clone(state));
                    self.state = Some(composed.write(OrderStream::Orders));
                }
                Effect::Gone(item, _) => match item.line {
                    None => self.gone.push(item.order),
                    Some(line) => self.gone_lines.push((item.order, line)),
                },
                Effect::Log(level, line) => self.said.push((*level, line.clone())),
                _ => (),
            }
        }
        ids
    }
}

/// What happens while a sync runs.
#[derive(Clone, Copy, Debug)]
struct Weather {
    wrong: bool,
    /// Of a hundred responses, after so many something happens to an order.
    busy: u32,
    /// The sync ends with this response.
    killed_at: usize,
}

const QUIET: Weather = Weather { wrong: false, busy: 0, killed_at: usize::MAX };

struct World {
    api: Api,
    config: Rc<Config>,
    warehouse: Warehouse,
    /// Orders that are older are not changed.
    changeable: TimeDelta,
}

impl World {
    /// Runs a sync. Responses arrive in any order. The failure, if it failed, and how many requests were made.
    fn sync(&mut self, weather: Weather) -> Result<usize, Failure> {
        let config = self.config.clone();
        let state = self.warehouse.state.as_ref();
        let saved = state.map(|state| StreamState::parse(state, OrderStream::Orders).unwrap());
        let saved = saved.filter(|saved| saved.counts(SyncMode::Incremental, config.start_date));
        let (mut readings, mut saved) =
            readings::Readings::new(Scope::of(&config), SyncMode::Incremental, saved);
        let (mut asked, mut there) = (0, None);
        let began = self.api.now;
        loop {
            let mut sync =
                Sync::new(&config, readings.scope(), SyncMode::Incremental, saved, began).after(there);
            let is_complete = self.reading(&mut sync, &readings, weather, &mut asked)?;
            if !is_complete {
                return Ok(asked);
            }
            there = sync.server_now();
            let now = sync.settled().expect("it is complete");
            let Next { state, readings: next } =
                readings.clone().next(sync.last_state(), sync.is_empty(), now);
            if readings.part().is_some() {
                self.warehouse.state = Some(state.write(OrderStream::Orders));
            }
            let Some((next, from)) = next else { return Ok(asked) };
            (readings, saved) = (next, Some(from));
        }
    }

    /// One reading of a sync. Whether it is complete.
    fn reading(
        &mut self,
        sync: &mut Sync<'_>,
        readings: &readings::Readings,
        weather: Weather,
        asked: &mut usize,
    ) -> Result<bool, Failure> {
        let (mut steps, mut waiting): (Vec<Effect>, Vec<(u64, Request)>) = (Vec::new(), Vec::new());
        let mut answered = 0;
        let most = self.api.rng.usize(1..25);
        let result = loop {
            steps.extend(sync.steps());
            if sync.is_done() {
                break Ok(true);
            }
            while waiting.len() < most
                && let Some(request) = sync.request()
            {
                *asked += 1;
                waiting.push(request);
            }
            assert!(!waiting.is_empty() && *asked < 30_000, "it goes on");
            let (ticket, ask) = waiting.swap_remove(self.api.rng.usize(..waiting.len()));
            answered += 1;
            self.api.now += TimeDelta::milliseconds(self.api.rng.i64(1..2_000));
            if let Err(failure) = self.api.reply(sync, ticket, &ask, weather.wrong) {
                sync.checkpoint();
                steps.extend(sync.steps());
                break Err(failure);
            }
            if answered >= weather.killed_at {
                // What was on its way is lost, from some message on.
                steps.extend(sync.steps());
                steps.truncate(self.api.rng.usize(..=steps.len()));
                break Ok(false);
            }
            if self.api.rng.u32(..100) < weather.busy {
                self.api.happen(self.changeable);
            }
        };
        let ids = self.warehouse.take(&steps, readings);
        let once: BTreeSet<_> = ids.iter().collect();
        assert_eq!(once.len(), ids.len(), "no order twice in one reading");
        result
    }

    fn assert_true(&self, start: DateTime<Utc>) {
        let end = timestamp::floor_second(self.api.now) - SETTLE_DELAY;
        let truth: HashMap<u64, _> = self
            .api
            .orders
            .iter()
            .filter(|row| start <= row.at && row.at < end)
            .map(|row| (row.id, row))
            .collect();
        for (id, row) in &truth {
            let written = self.warehouse.table.get(id);
            assert!(written.is_some(), "order {id} of {} is missing", row.at);
            assert_eq!(written, Some(&row.data), "order {id} of {} is stale", row.at);
        }
    }
}

fn config(start_date: DateTime<Utc>, changes: &str, stores: &[u64]) -> Config {
    let text = json!({
        "credentials": {"auth_type": "access_token", "access_token": "t"},
        "start_date": timestamp::write(start_date),
        "changes": changes,
        "store_ids": stores,
    });
    Config::parse(&text.to_string()).unwrap()
}

fn any_readings() -> impl Strategy<Value = Readings> {
    let cap = prop_oneof![2 => Just(200_usize), 1 => 20_usize..60];
    let filter =
        prop_oneof![4 => Just(Filter::Honoured), 1 => Just(Filter::Ignored), 1 => Just(Filter::Refused)];
    let wrong = prop_oneof![2 => Just(0_u32), 1 => 1_u32..12];
    (any::<[bool; 3]>(), 0_u32..2, cap, filter, prop::bool::weighted(0.8), wrong).prop_map(
        |([inclusive, cut_to_seconds, unstable], first_page, cap, filter, updates_move, wrong)| Readings {
            inclusive: inclusive || cut_to_seconds,
            cut_to_seconds,
            unstable,
            first_page,
            cap,
            filter,
            updates_move,
            wrong,
        },
    )
}

/// How long before now orders were drafted, in milliseconds, and how many at that instant.
fn any_history() -> impl Strategy<Value = Vec<(i64, usize)>> {
    let year = 365 * 24 * 3_600_000_i64;
    let age = prop_oneof![
        4 => 0..3_600_000_i64,
        2 => 3_600_000..3_604_000_i64,
        3 => 0..240 * 3_600_000_i64,
        1 => 0..6 * year,
    ];
    let ties = prop_oneof![12 => 1_usize..4, 1 => 30_usize..90, 1 => 190_usize..260];
    prop::collection::vec((age, ties), 0..40)
}

/// A connection, and what happens to it.
#[derive(Clone, Debug)]
struct Life {
    readings: Readings,
    history: Vec<(i64, usize)>,
    /// Of each sync: whether responses are wrong, of a hundred after how many something happens, the one that ends it,
    /// the minutes until the next one, and which settings the user has chosen.
    syncs: Vec<(bool, u32, usize, i32, usize)>,
    window: bool,
    micros: bool,
    stores: Vec<u64>,
    /// The server ceases to filter with this sync.
    ceases: Option<usize>,
    seed: u64,
}

prop_compose! {
    fn any_life()(
        readings in any_readings(),
        history in any_history(),
        syncs in prop::collection::vec((any::<bool>(), 0_u32..40, prop_oneof![2 => Just(usize::MAX), 1 => 1_usize..40], 0_i32..90, 0_usize..10), 0..7),
        window: bool,
        micros: bool,
        stores in prop_oneof![3 => Just(vec![]), 1 => Just(vec![1, 2])],
        ceases in prop::option::weighted(0.2, 0_usize..7),
        seed: u64,
    ) -> Life {
        Life { readings, history, syncs, window, micros, stores, ceases, seed }
    }
}

/// Lives through it. After a last quiet sync the table is the truth.
fn live(life: Life) {
    let Life { readings, history, syncs, window, micros, stores, ceases, seed } = life;
    let now = timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let honoured = readings.filter == Filter::Honoured && ceases.is_none() && readings.updates_move;
    // What no update time tells is found within the window only.
    let changeable = if honoured && !window { TimeDelta::days(3_000) } else { TimeDelta::days(12) };
    let start_date = timestamp::parse("2019-01-01T00:00:00Z").unwrap();
    let rng = fastrand::Rng::with_seed(seed);
    let mut api = Api { micros, readings, now, orders: Vec::new(), rng };
    for (age, ties) in history {
        let at = now - TimeDelta::milliseconds(age);
        for _ in 0..ties {
            let updated = (at + TimeDelta::seconds(api.rng.i64(0..600))).min(now);
            api.add(at, updated);
        }
    }
    let lasting_changes = if window { "window" } else { "updated" };
    let [late_start, later_start] = [200, 3].map(|days| timestamp::floor_second(now) - TimeDelta::days(days));
    let config = Rc::new(config(start_date, lasting_changes, &stores));
    let mut world = World { api, config, warehouse: Warehouse::default(), changeable };
    let lasting = world.config.clone();
    for (number, (wrong, busy, killed_at, minutes, changes)) in syncs.into_iter().enumerate() {
        if ceases == Some(number) {
            world.api.readings.filter = Filter::Ignored;
        }
        // The user changes the settings now and then.
        let few = world.api.rng.usize(..=stores.len());
        world.config = match changes {
            0 => Rc::new(self::config(start_date, "off", &stores)),
            1 => Rc::new(self::config(start_date, "window", &stores)),
            2 => Rc::new(self::config(late_start, lasting_changes, &stores)),
            3 => Rc::new(self::config(start_date, lasting_changes, &stores[few..])),
            4 => Rc::new(self::config(start_date, lasting_changes, &stores[..few])),
            5 => Rc::new(self::config(later_start, lasting_changes, &stores[..few])),
            6 => Rc::new(self::config(late_start, lasting_changes, &stores[few..])),
            _ => lasting.clone(),
        };
        // Too many wrong responses in a row fail a sync, by name; the next one goes on.
        _ = world.sync(Weather { wrong, busy, killed_at });
        world.api.now += MINUTE * minutes;
        for _ in 0..world.api.rng.u32(..6) {
            world.api.happen(world.changeable);
        }
    }
    world.config = lasting;
    world.api.now += MINUTE * 40;
    world.sync(QUIET).unwrap();
    // A change that moves no update time is found once a day.
    world.api.now += TimeDelta::hours(25);
    world.sync(QUIET).unwrap();
    world.assert_true(start_date);
}

proptest! {
    // Two tests, so that two cores share the 10,000 cases.
    #![proptest_config(ProptestConfig { cases: 5_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn after_a_last_quiet_sync_the_table_is_the_truth(life in any_life()) {
        live(life);
    }

    #[test]
    fn after_a_last_quiet_sync_the_table_is_the_truth_again(life in any_life()) {
        live(life);
    }
}

mod vanished;
