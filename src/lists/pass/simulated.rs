//! The pass against a list that changes while it is read, of a server that answers under each reading of what is unknown
//! of the API, and sometimes wrongly.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::query::PageRequest;
use super::tests::row;
use super::{MAX_ATTEMPTS, Paging, Pass, Row};
use crate::timestamp;

const START: &str = "2025-11-01T00:00:00Z";

/// What is unknown of the API, and how often a response is wrong.
#[derive(Debug, Clone)]
struct Server {
    paging: Paging,
    cap: usize,
    inclusive: bool,
    first_page: usize,
    /// Of a hundred responses, so many are wrong in each of four ways.
    wrong: u32,
    /// Before so many responses of a hundred, some rows come, go and change.
    churn: u32,
}

/// The list: sorted by id, or for pages in an order of its own, in which rows that change move anywhere.
#[derive(Debug)]
struct World {
    rows: Vec<Row>,
    /// Those that were there from the start, and did not change.
    stable: BTreeSet<Box<str>>,
    next: u64,
}

impl World {
    fn new(count: u64, paging: Paging, rng: &mut fastrand::Rng) -> Self {
        let at = timestamp::parse(START);
        let mut rows: Vec<Row> = (0..count).map(|n| Row { updated: at, ..row(10 * n + 10) }).collect();
        if paging == Paging::Page {
            rng.shuffle(&mut rows);
        }
        let stable = rows.iter().map(|row| row.id.clone()).collect();
        Self { rows, stable, next: 0 }
    }

    fn churn(&mut self, paging: Paging, rng: &mut fastrand::Rng) {
        for _ in 0..rng.usize(1..6) {
            let place = rng.usize(..=self.rows.len());
            let by_id =
                |id: u64, rows: &[Row]| rows.partition_point(|row| row.id.parse::<u64>().unwrap() < id);
            match rng.u32(..3) {
                0 => {
                    self.next += 1;
                    // Some come between others, most behind all.
                    let id = if rng.bool() {
                        10 * rng.u64(1..500) + 1 + self.next % 9
                    } else {
                        1_000_000 + self.next
                    };
                    if self.rows.iter().any(|row| *row.id == *id.to_string()) {
                        continue;
                    }
                    let place = if paging == Paging::Page { place } else { by_id(id, &self.rows) };
                    self.rows.insert(place, Row { updated: timestamp::parse(START), ..row(id) });
                }
                _ if place == self.rows.len() => (),
                1 => drop(self.stable.remove(&self.rows.remove(place).id)),
                _ => {
                    let mut row = self.rows.remove(place);
                    self.stable.remove(&row.id);
                    row.updated = row.updated.map(|at| at + TimeDelta::milliseconds(1));
                    let to = if paging == Paging::Page { rng.usize(..=self.rows.len()) } else { place };
                    self.rows.insert(to, row);
                }
            }
        }
    }

    fn answer(
        &mut self,
        server: &Server,
        part: &PageRequest,
        handed_out: &HashSet<Box<str>>,
        rng: &mut fastrand::Rng,
    ) -> Vec<Row> {
        let begun = !handed_out.is_empty();
        if rng.u32(..100) < server.churn {
            self.churn(server.paging, rng);
        }
        let count = part.count().min(server.cap);
        let number = |id: &str| id.parse::<u64>().unwrap();
        let begin = match part {
            PageRequest::After { after: None, .. } => 0,
            PageRequest::After { after: Some(after), .. } => {
                let place = self.rows.partition_point(|row| number(&row.id) < number(after));
                let there = self.rows.get(place).is_some_and(|row| row.id == *after);
                place + usize::from(there && !server.inclusive)
            }
            PageRequest::Offset { offset, .. } => *offset,
            PageRequest::Page { page: None, .. } => 0,
            PageRequest::Page { page: Some(page), .. } => {
                page.checked_sub(server.first_page).expect("422") * count
            }
        };
        let piece = |begin: usize| self.rows.iter().skip(begin).take(count).cloned().collect::<Vec<_>>();
        let mut rows = piece(begin);
        match rng.u32(..100) {
            n if n < server.wrong => rows.clear(),
            n if n < 2 * server.wrong => {
                let left = rng.usize(..=rows.len());
                // A response that is cut just behind what is known is the end, to any reader.
                let known = |row: &Row| handed_out.contains(&row.id);
                if !rows[..left].iter().all(known) || rows[left..].iter().all(known) {
                    rows.truncate(left);
                }
            }
            n if n >= 100 - server.wrong && begun => rows = piece(0),
            n if n >= 100 - 2 * server.wrong && begun => rows = piece(rng.usize(..=self.rows.len())),
            _ => (),
        }
        rows
    }
}

fn any_server() -> impl Strategy<Value = Server> {
    let paging = prop_oneof![Just(Paging::After), Just(Paging::Offset), Just(Paging::Page)];
    let cap = prop_oneof![Just(200_usize), 3_usize..12, 20_usize..60];
    let share = || prop_oneof![Just(0_u32), 1_u32..10];
    (paging, cap, any::<bool>(), 0_usize..2, share(), share()).prop_map(
        |(paging, cap, inclusive, first_page, wrong, churn)| Server {
            paging,
            // Pages that only touch each other prove little while rows move; see the simulation of whole syncs.
            cap: if paging == Paging::Page && churn > 0 { cap.max(13) } else { cap },
            inclusive,
            first_page,
            wrong,
            churn,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_row_that_stays_as_it_was_is_handed_out_once(
        server in any_server(), count in prop_oneof![0_u64..12, 0_u64..450], seed: u64,
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::new(count, server.paging, &mut rng);
        let mut pass = Pass::new(server.paging, 200);
        let mut handed_out = HashSet::new();
        let (mut look, mut asked) = (1, 0);
        while !pass.is_done() {
            asked += 1;
            prop_assert!(asked < 5_000, "it goes on for ever");
            let rows = world.answer(&server, &pass.request(), &handed_out, &mut rng);
            match pass.accept(rows) {
                Ok(rows) => {
                    look = 1;
                    for row in rows {
                        prop_assert!(handed_out.insert(row.id.clone()), "row {} twice", row.id);
                    }
                }
                Err(_) if look < MAX_ATTEMPTS => look += 1,
                Err(doubt) => {
                    prop_assert!(server.wrong + server.churn > 0 , "{:?}", doubt);
                    return Ok(());
                }
            }
        }
        let missing: Vec<_> = world.stable.iter().filter(|id| !handed_out.contains(*id)).collect();
        prop_assert!(missing.is_empty(), "{:?} of {} after {} answers", missing, count, asked);
    }
}
