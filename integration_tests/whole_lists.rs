//! Whole syncs of a list that changes while it is read, in virtual time: first reads, later ones, cut off anywhere, of a server
//! that answers under each reading of what is unknown of the API, and sometimes wrongly.

use std::collections::BTreeMap;
use std::time::Duration;

use aifi_sandbox::Options;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;

use crate::simulation::{Bound, Destination, End, Filter, Gone, Moves, Readings, RowServer, World};

const START: &str = "2025-11-01T00:00:00Z";

fn start() -> DateTime<Utc> {
    START.parse().unwrap()
}

/// What the destination holds: when each row was changed, as it was written last.
fn table(destination: &Destination, list: &str) -> BTreeMap<u64, DateTime<Utc>> {
    let row = |row: &serde_json::Value| {
        (row["id"].as_u64().unwrap(), row["updatedAt"].as_str().unwrap().parse().unwrap())
    };
    destination.rows(list).map(|(_, value)| row(value)).collect()
}

/// A world with a list of so many rows, and the list's name.
fn world(readings: Readings, count: u64, by_page: bool, sync_mode: &str, seed: u64) -> (World, &'static str) {
    let now = "2025-11-03T00:00:00Z".parse().unwrap();
    let options = Options { seed, orders: 0, ties: Vec::new(), first: start(), now, ..Options::default() };
    let mut world = World::new(options, &json!({}));
    let list = if by_page { "contests" } else { "sessions" };
    world.select(&[list], sync_mode);
    world.api().latency = (Duration::from_millis(20), Duration::from_millis(280));
    world.api().rows = Some(RowServer::new(readings, count, by_page, start(), seed));
    (world, list)
}

/// Runs a sync. Whether it was complete.
fn sync(world: &mut World, destination: &mut Destination, end: End) -> bool {
    world.api().rows.as_mut().unwrap().forget_shown();
    world.sync(destination, end).is_ok()
}

fn any_readings() -> impl Strategy<Value = Readings> {
    let filter =
        prop_oneof![4 => Just(Filter::Honoured), 1 => Just(Filter::Ignored), 1 => Just(Filter::Refused)];
    let bound = prop_oneof![Just(Bound::Inclusive), Just(Bound::Exclusive), Just(Bound::ToSeconds)];
    let moves =
        prop_oneof![Just(Moves::Not), Just(Moves::ToFront), Just(Moves::ToEnd), Just(Moves::Anywhere)];
    let gone = prop_oneof![
        Just(Gone::Place),
        Just(Gone::Nothing),
        Just(Gone::Refused(404)),
        Just(Gone::Refused(422)),
    ];
    let cap = prop_oneof![2 => Just(200_usize), 1 => 3_usize..12, 1 => 13_usize..60];
    let share = || prop_oneof![2 => Just(0_u32), 1 => 1_u32..8];
    let switches = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    (filter, bound, moves, gone, cap, 0_usize..2, (share(), share()), switches).prop_map(
        |(filter, bound, moves, gone, cap, first_page, (wrong, churn), (inclusive, deletes, ties))| {
            Readings {
                filter,
                bound,
                moves,
                cap,
                first_page,
                inclusive,
                gone,
                wrong,
                // Both at once can hide from each other: a row that came between two passes can be mistaken for one that the
                // first of them has lost.
                churn: if ties { 0 } else { churn },
                deletes,
                ties,
                alike: false,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, max_shrink_iters: 500, ..ProptestConfig::default() })]

    /// A full refresh that is complete holds every row that was there all the time.
    #[test]
    fn a_full_refresh_holds_every_row_that_was_there(
        readings in any_readings(), by_page: bool, count in prop_oneof![0_u64..12, 0_u64..700], seed: u64,
    ) {
        let quiet = readings.wrong + readings.churn == 0 && !readings.ties;
        let (mut world, list) = world(readings, count, by_page, "full_refresh", seed);
        let mut destination = Destination::default();
        let complete = sync(&mut world, &mut destination, End::Own);
        prop_assert!(complete || !quiet);
        if complete {
            let (api, table) = (world.api(), table(&destination, list));
            let rows = api.rows.as_ref().unwrap();
            let missing: Vec<_> = rows.lasting().filter(|id| !table.contains_key(id)).collect();
            prop_assert!(missing.is_empty(), "missing: {:?} of {}", missing, rows.rows.len());
        }
    }

    /// After any number of syncs that were cut off or failed, complete ones leave the table as the list is, and write nothing
    /// more. Where a state names all rows of the list, the table also has what answers hid that were cut alike.
    #[test]
    fn in_the_end_the_table_is_the_list(
        readings in any_readings(), by_page: bool, count in prop_oneof![0_u64..12, 12_u64..40, 0_u64..700],
        seed: u64, cuts in prop::collection::vec((0_usize..40, 0_u64..900, prop::bool::weighted(0.2)), 0..6),
    ) {
        let readings = Readings { alike: count <= 40, ..readings };
        let (mut world, list) = world(readings, count, by_page, "incremental", seed);
        let mut destination = Destination::default();
        for (answer, seconds, forgotten) in cuts {
            sync(&mut world, &mut destination, if answer == 0 { End::Own } else { End::Killed { answer } });
            destination.fall_back(usize::from(forgotten));
            world.pass(Duration::from_secs(seconds));
        }
        world.api().rows.as_mut().unwrap().calm();
        world.pass(Duration::from_secs(3_600));
        // The first one ends what was cut off, up to the horizon of that; the second one brings the rest.
        for _ in 0..2 {
            prop_assert!(sync(&mut world, &mut destination, End::Own));
        }
        let written = destination.written;
        prop_assert!(sync(&mut world, &mut destination, End::Own));
        prop_assert_eq!(destination.written, written, "rows were written twice");
        let (api, table) = (world.api(), table(&destination, list));
        let rows = &api.rows.as_ref().unwrap().rows;
        for (id, updated) in rows.iter().filter(|(_, updated)| *updated >= start()) {
            prop_assert_eq!(table.get(id), Some(updated), "row {} of {}", id, rows.len());
        }
    }
}
