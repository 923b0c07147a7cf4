//! The orders and their details, in walks that they share or not: pages of orders that are late or not there, syncs that are
//! killed, and each stream's own state.

use super::*;
use crate::orders::api::detail::Due;
use crate::orders::records::details::Details;
use crate::orders::state::groups::{Group, Selected, groups};

#[derive(Debug)]
enum Said {
    Order(Row),
    Detail(u64, bytes::Bytes),
    State(OrderStream, Value),
}

/// The page of an order: its data, and when it was changed. None, if it is not there.
type Page = Option<(bytes::Bytes, Option<DateTime<Utc>>)>;

/// What an order was from some time on.
struct Past {
    from: DateTime<Utc>,
    data: bytes::Bytes,
    updated: Option<DateTime<Utc>>,
}

struct Family {
    api: Api,
    past: BTreeMap<u64, Vec<Past>>,
    config: Rc<Config>,
    mode: SyncMode,
    tables: [BTreeMap<u64, bytes::Bytes>; 2],
    states: [Option<Value>; 2],
    changeable: TimeDelta,
    /// Most seconds by which a page is late, and how many of a hundred are.
    lag: (i64, u32),
    most_waiting: usize,
    streams: Vec<OrderStream>,
}

impl Family {
    fn remember(&mut self) {
        let now = self.api.now;
        for order in &self.api.orders {
            let past = self.past.entry(order.id).or_default();
            if past.last().is_none_or(|last| last.data != order.data) {
                past.push(Past { from: now, data: order.data.clone(), updated: order.updated });
            }
        }
    }

    fn happen(&mut self) {
        self.api.happen(self.changeable);
        self.remember();
    }

    fn page(&mut self, due: &Due, calm: bool) -> Page {
        let late = !calm && self.api.rng.u32(..100) < self.lag.1;
        let seconds = if late { self.api.rng.i64(0..=self.lag.0) } else { 0 };
        let at = self.api.now - TimeDelta::seconds(seconds);
        let past = &self.past[&due.id];
        let then = past.iter().rev().find(|past| past.from <= at)?;
        // A page without update time does not show that it is late.
        let then = if then.updated.is_some() { then } else { past.last()? };
        Some((then.data.clone(), then.updated))
    }

    /// One walk. False, if the sync was killed.
    fn walk(
        &mut self,
        group: Group,
        weather: Weather,
        answered: &mut usize,
        there: &mut Option<DateTime<Utc>>,
        said: &mut Vec<Said>,
    ) -> Result<(bool, Option<Group>), Failure> {
        let config = self.config.clone();
        let Group { streams, mode, saved, readings } = group;
        let with_details = streams.contains(&OrderStream::Details);
        let with_orders = streams.contains(&OrderStream::Orders);
        let mut sync = Sync::new(&config, readings.scope(), mode, saved, self.api.now).after(*there);
        sync.state_each_page(with_details);
        let mut details = with_details.then(|| Details::new(sync.last_state()));
        let mut left = None;
        let mut waiting: Vec<(u64, Request)> = Vec::new();
        let mut dues: Vec<(Due, Option<Page>)> = Vec::new();
        let most = self.api.rng.usize(1..25);
        let calm = weather.busy == 0 && !weather.wrong;
        let mut failed = None;
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 200_000, "it goes on");
            for step in sync.steps() {
                match step {
                    Effect::Record(row) => {
                        if let Some(details) = &mut details {
                            details.push(&row);
                        }
                        if with_orders {
                            said.push(Said::Order(row));
                        }
                    }
                    Effect::State(state) => {
                        if with_orders {
                            said.push(Said::State(OrderStream::Orders, state.write(OrderStream::Orders)));
                        }
                        if let Some(details) = &mut details {
                            details.state(*state);
                            said.extend(details.sayable().map(|state| {
                                Said::State(OrderStream::Details, state.write(OrderStream::Details))
                            }));
                        }
                    }
                    _ => (),
                }
            }
            if with_orders && details.as_ref().is_some_and(|details| details.waiting() > self.most_waiting) {
                let saved = details.take().map(Details::leave);
                sync.state_each_page(false);
                dues.clear();
                let readings = readings.clone();
                left = Some(Group { streams: vec![OrderStream::Details], mode, saved, readings });
            }
            if let Some(failure) = failed {
                return Err(failure);
            }
            if sync.is_done() && details.as_ref().is_none_or(Details::is_idle) {
                *there = sync.server_now();
                return Ok((true, left));
            }
            while waiting.len() + dues.len() < most {
                let details_first = self.api.rng.bool();
                let newest = sync.newest().cloned();
                let ask_details = |details: &mut Option<Details>| {
                    details.as_mut().and_then(|details| details.question(newest.as_ref()))
                };
                if details_first && let Some(due) = ask_details(&mut details) {
                    let page = self.api.rng.bool().then(|| self.page(&due, calm));
                    dues.push((due, page));
                } else if let Some(question) = sync.question() {
                    waiting.push(question);
                } else if let Some(due) = ask_details(&mut details) {
                    dues.push((due, None));
                } else {
                    break;
                }
            }
            assert!(!waiting.is_empty() || !dues.is_empty(), "it knows how to go on");
            *answered += 1;
            let n = self.api.rng.usize(..waiting.len() + dues.len());
            let step = if n < waiting.len() { 2_000 } else { 300 };
            self.api.now += TimeDelta::milliseconds(self.api.rng.i64(1..step));
            if n < waiting.len() {
                let (ticket, ask) = waiting.swap_remove(n);
                if let Err(failure) = self.api.reply(&mut sync, ticket, &ask, weather.wrong) {
                    sync.checkpoint();
                    failed = Some(failure);
                }
            } else {
                let (due, page) = dues.swap_remove(n - waiting.len());
                let mut page = page.unwrap_or_else(|| self.page(&due, calm));
                let behind = |page: &Page| {
                    page.as_ref().is_none_or(|(_, updated)| {
                        updated.zip(due.updated).is_some_and(|(page, listed)| page < listed)
                    })
                };
                for _ in 0..2 {
                    if behind(&page) {
                        self.api.now += TimeDelta::seconds(1);
                        page = self.page(&due, calm);
                    }
                }
                if let Some(details) = &mut details {
                    let behind = behind(&page);
                    match page {
                        Some(_) if due.is_trial() => details.passed(),
                        Some((data, _)) => {
                            said.push(Said::Detail(due.id, data));
                            details.written(&due, behind);
                        }
                        None => details.vanished(&due)?,
                    }
                    said.extend(
                        details.sayable().map(|state| {
                            Said::State(OrderStream::Details, state.write(OrderStream::Details))
                        }),
                    );
                }
            }
            if *answered >= weather.killed_at {
                return Ok((false, None));
            }
            if self.api.rng.u32(..100) < weather.busy {
                self.happen();
            }
        }
    }

    fn sync(&mut self, weather: Weather) -> Result<bool, Failure> {
        let selected = self
            .streams
            .iter()
            .map(|stream| {
                let state = &self.states[usize::from(*stream == OrderStream::Details)];
                let saved = state.as_ref().map(|state| StreamState::parse(state, *stream).unwrap());
                Selected { stream: *stream, mode: self.mode, saved }
            })
            .collect();
        let mut queue: std::collections::VecDeque<Group> = groups(selected, &Scope::of(&self.config)).into();
        let (mut said, mut answered, mut there) = (Vec::new(), 0, None);
        let mut result = Ok(true);
        while let Some(group) = queue.pop_front() {
            match self.walk(group, weather, &mut answered, &mut there, &mut said) {
                Ok((true, left)) => queue.extend(left),
                Ok((false, _)) => {
                    said.truncate(self.api.rng.usize(..=said.len()));
                    result = Ok(false);
                    break;
                }
                Err(failure) => {
                    result = Err(failure);
                    break;
                }
            }
        }
        let mut ids = BTreeSet::new();
        for said in said {
            match said {
                Said::Order(row) => {
                    assert!(ids.insert(row.id), "no order twice in one sync");
                    self.tables[0].insert(row.id, row.data);
                }
                Said::Detail(id, data) => drop(self.tables[1].insert(id, data)),
                Said::State(stream, state) => {
                    self.states[usize::from(stream == OrderStream::Details)] = Some(state);
                }
            }
        }
        result
    }
}

fn any_lag() -> impl Strategy<Value = (i64, u32)> {
    prop_oneof![Just((0, 0)), (1_i64..100, 1_u32..60)]
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn after_quiet_syncs_details_are_the_truth(
        readings in any_readings(),
        history in any_history(),
        syncs in prop::collection::vec((any::<bool>(), 0_u32..40, prop_oneof![1 => Just(usize::MAX), 3 => 1_usize..500], 0_i32..90, 0_usize..5, any::<bool>()), 0..7),
        window: bool,
        micros: bool,
        stores in prop_oneof![2 => Just(vec![]), 1 => Just(vec![1, 2])],
        lag in any_lag(),
        most_waiting in prop_oneof![2 => Just(10_000_usize), 1 => 5_usize..60],
        full in prop::bool::weighted(0.15),
        seed: u64,
    ) {
        let now = timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let honoured = readings.filter == Filter::Honoured && readings.updates_move;
        let changeable = if honoured && !window { TimeDelta::days(3_000) } else { TimeDelta::days(12) };
        let start_date = timestamp::parse("2019-01-01T00:00:00Z").unwrap();
        let rng = fastrand::Rng::with_seed(seed);
        // Without update times a page that lags looks like any other.
        let lag = if readings.updates_move { lag } else { (0, 0) };
        let mut api = Api { micros, readings, now, orders: Vec::new(), rng };
        for (age, ties) in history {
            let at = now - TimeDelta::milliseconds(age);
            for _ in 0..ties {
                let updated = (at + TimeDelta::seconds(api.rng.i64(0..600))).min(now);
                api.add(at, updated);
            }
        }
        let config = Rc::new(config(start_date, if window { "window" } else { "updated" }, &stores));
        let both = vec![OrderStream::Orders, OrderStream::Details];
        let mode = if full { SyncMode::FullRefresh } else { SyncMode::Incremental };
        let mut world = Family { api, past: BTreeMap::new(), config, mode, tables: Default::default(), states: Default::default(),
            changeable, lag, most_waiting, streams: both.clone() };
        world.api.now -= TimeDelta::days(3_000);
        world.remember();
        world.api.now = now;
        let first: BTreeSet<u64> = world.api.orders.iter().map(|row| row.id).collect();
        let lasting = world.config.clone();
        for (wrong, busy, killed_at, minutes, changes, alone) in syncs {
            world.config = match ["off", "window"].get(changes).filter(|_| !full) {
                Some(changes) => Rc::new(super::config(start_date, changes, &stores)),
                None => lasting.clone(),
            };
            world.streams = if alone { vec![OrderStream::Details] } else { both.clone() };
            _ = world.sync(Weather { wrong, busy, killed_at });
            world.api.now += MINUTE * minutes;
            for _ in 0..world.api.rng.u32(..6) {
                world.happen();
            }
        }
        world.streams = both;
        world.config = lasting;
        world.lag = (0, 0);
        world.api.now += MINUTE * 40;
        world.sync(QUIET).unwrap();
        world.api.now += TimeDelta::hours(25);
        world.sync(QUIET).unwrap();
        let end = timestamp::floor_second(now) - SETTLE_DELAY;
        for row in world.api.orders.iter().filter(|row| start_date <= row.at) {
            if full && (!first.contains(&row.id) || row.at >= end) {
                continue;
            }
            for (name, table) in ["orders", "details"].iter().zip(&world.tables) {
                let written = table.get(&row.id);
                prop_assert!(written.is_some(), "{} {} of {} is missing", name, row.id, row.at);
                prop_assert!(full || written == Some(&row.data), "{} {} of {} (updated {:?}) is stale", name, row.id, row.at, row.updated);
            }
        }
    }
}
