//! Whole syncs against a list that changes while it is read: first reads, later ones, cut off anywhere, of a server that
//! answers under each reading of what is unknown of the API, and sometimes wrongly.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::super::declared::{CONTESTS, SESSIONS};
use super::world::{Bound, Filter, Gone, Moves, Server, World};
use super::*;
use crate::config::Config;
use crate::doubt::MAX_ATTEMPTS;
use crate::horizon;
use crate::protocol::catalog::SyncMode;

/// What a warehouse holds: the last change that was written of each row.
type Table = BTreeMap<u64, DateTime<Utc>>;

/// How a sync ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Complete,
    Cut,
    Failed(FailureKind),
}

fn config() -> Config {
    let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"},
        "start_date": "2025-11-01T00:00:00Z"});
    Config::parse(&config.to_string()).unwrap()
}

/// One sync, killed after `steps` answers. Writes into the table, and leaves the state that a platform would keep.
fn sync(
    list: &'static List,
    mode: SyncMode,
    world: &mut World,
    table: &mut Table,
    saved: &mut Option<Value>,
    steps: usize,
) -> End {
    let mut passes = Passes::new(list, Sync::new(list, &config(), mode, saved.as_ref()).unwrap());
    let mut look = 1;
    for _ in 0..steps {
        if passes.pass.is_done() || !passes.answered {
            world.shown.clear();
        }
        match passes.go_on() {
            Ok(true) => (),
            Ok(false) => {
                *saved = Some(passes.sync.end());
                return End::Complete;
            }
            Err(doubt) => {
                *saved = Some(passes.state());
                return End::Failed(doubt.kind);
            }
        }
        let (part, bound) = passes.question();
        let accepted = match world.answer(list, &part, bound) {
            Ok(rows) => {
                if !passes.is_answered() {
                    passes.begin(horizon::settled(world.now));
                }
                passes.accept(rows)
            }
            Err(refused) if passes.asks_otherwise(refused) => continue,
            Err(refused) => return End::Failed(refused),
        };
        match accepted {
            Ok(rows) => {
                look = 1;
                for row in rows {
                    table.insert(row.id.parse().unwrap(), row.updated.unwrap());
                }
                if passes.holds() && world.rng.u32(..4) == 0 {
                    *saved = Some(passes.state());
                }
            }
            Err(_) if look < MAX_ATTEMPTS => look += 1,
            Err(doubt) => {
                *saved = Some(passes.state());
                return End::Failed(doubt.kind);
            }
        }
    }
    End::Cut
}

fn any_server() -> impl Strategy<Value = Server> {
    let filter =
        prop_oneof![4 => Just(Filter::Honoured), 1 => Just(Filter::Ignored), 1 => Just(Filter::Refused)];
    let bound = prop_oneof![Just(Bound::Inclusive), Just(Bound::Exclusive), Just(Bound::ToSeconds)];
    let moves =
        prop_oneof![Just(Moves::Not), Just(Moves::ToFront), Just(Moves::ToEnd), Just(Moves::Anywhere)];
    let gone = prop_oneof![
        Just(Gone::Place),
        Just(Gone::Nothing),
        Just(Gone::Refused(FailureKind::NotFound)),
        Just(Gone::Refused(FailureKind::Rejected)),
    ];
    let cap = prop_oneof![2 => Just(200_usize), 1 => 3_usize..12, 1 => 13_usize..60];
    let share = || prop_oneof![2 => Just(0_u32), 1 => 1_u32..8];
    let switches = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    (filter, bound, moves, gone, cap, 0_usize..2, (share(), share()), switches).prop_map(
        |(filter, bound, moves, gone, cap, first_page, (wrong, churn), (inclusive, deletes, ties))| Server {
            filter,
            bound,
            moves,
            gone,
            cap,
            first_page,
            inclusive,
            wrong,
            // Both at once can hide from each other: a row that came between two passes can be mistaken for one that the
            // first of them has lost.
            churn: if ties { 0 } else { churn },
            deletes,
            ties,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A full refresh that is complete holds every row that was there all the time.
    #[test]
    fn a_full_refresh_holds_every_row_that_was_there(
        server in any_server(), by_page: bool, count in prop_oneof![0_u64..12, 0_u64..700], seed: u64,
    ) {
        let list = if by_page { &CONTESTS } else { &SESSIONS };
        let quiet = server.wrong + server.churn == 0 && !server.ties;
        let mut world = World::new(server, count, by_page, seed);
        let (mut table, mut saved) = (Table::new(), None);
        let end = sync(list, SyncMode::FullRefresh, &mut world, &mut table, &mut saved, 20_000);
        prop_assert_ne!(&end, &End::Cut, "it goes on for ever");
        prop_assert!(end == End::Complete || !quiet, "{:?}", end);
        if end == End::Complete {
            let missing: Vec<_> = world.lasting().filter(|id| !table.contains_key(id)).collect();
            prop_assert!(missing.is_empty(), "missing: {:?} of {}", missing, world.rows.len());
        }
    }

    /// After any number of syncs that were cut off or failed, complete ones leave the table as the list is.
    #[test]
    fn in_the_end_the_table_is_the_list(
        server in any_server(), by_page: bool, count in prop_oneof![0_u64..12, 0_u64..700], seed: u64,
        cuts in prop::collection::vec(0_usize..40, 0..6),
    ) {
        let list = if by_page { &CONTESTS } else { &SESSIONS };
        let mut world = World::new(server, count, by_page, seed);
        let (mut table, mut saved) = (Table::new(), None);
        for steps in cuts {
            let _ = sync(list, SyncMode::Incremental, &mut world, &mut table, &mut saved, steps);
            world.now += TimeDelta::seconds(world.rng.i64(0..900));
        }
        world.calm();
        // The first one ends what was cut off, up to the horizon of that; the second one brings the rest.
        for _ in 0..2 {
            world.answers = 0;
            let end = sync(list, SyncMode::Incremental, &mut world, &mut table, &mut saved, 20_000);
            prop_assert_eq!(end, End::Complete);
        }
        for row in &world.rows {
            let (id, updated) = (row.id.parse().unwrap(), row.updated.unwrap());
            if updated >= config().start_date {
                prop_assert_eq!(table.get(&id), Some(&updated), "row {} of {}", id, world.rows.len());
            }
        }
    }
}
