//! The walk against a server that answers like the API under each reading, and sometimes wrongly.

use proptest::prelude::*;

use super::{DateTime, FailureKind, KeysetWalk, Row, Slice, TimeDelta, Utc};
use crate::orders::api::query::{Query, Selection, Sort};
use crate::orders::api::testing::row;
use crate::orders::slice::newest::Target;
use crate::timestamp;

/// What is unknown of the API, and how often a response is wrong.
#[derive(Debug, Clone)]
struct Server {
    inclusive: bool,
    cut_to_seconds: bool,
    unstable: bool,
    first_page: u32,
    cap: usize,
    /// Of a hundred responses, so many are empty and so many short.
    wrong: u32,
}

impl Server {
    fn answer(&self, all: &[Row], query: &Query, rng: &mut fastrand::Rng) -> Vec<Row> {
        let bound = |at: DateTime<Utc>| if self.cut_to_seconds { timestamp::floor_second(at) } else { at };
        let inside = |row: &&Row| {
            let above =
                query.min.is_none_or(|min| bound(min) < row.at || (self.inclusive && bound(min) == row.at));
            let below =
                query.max.is_none_or(|max| row.at < bound(max) || (self.inclusive && bound(max) == row.at));
            above && below
        };
        let mut rows: Vec<Row> = all.iter().filter(inside).cloned().collect();
        if self.unstable {
            rng.shuffle(&mut rows);
        }
        match query.sort {
            Sort::OldestFirst => rows.sort_by_key(|row| row.at),
            Sort::NewestFirst => rows.sort_by_key(|row| std::cmp::Reverse(row.at)),
            Sort::LowestId => rows.sort_by_key(|row| row.id),
            Sort::HighestId => rows.sort_by_key(|row| std::cmp::Reverse(row.id)),
        }
        let size = query.page_size.min(self.cap);
        let skip = (query.page.unwrap_or(self.first_page) - self.first_page) as usize * size;
        let mut page: Vec<Row> = rows.into_iter().skip(skip).take(size).collect();
        match rng.u32(..100) {
            n if n < self.wrong => page.clear(),
            n if n < 2 * self.wrong => page.truncate(rng.usize(..=page.len())),
            _ => (),
        }
        page
    }
}

fn any_server() -> impl Strategy<Value = Server> {
    let cap = prop_oneof![Just(200_usize), 20_usize..60];
    (any::<[bool; 3]>(), 0_u32..2, cap, prop_oneof![Just(0_u32), 1_u32..15]).prop_map(
        |([inclusive, cut_to_seconds, unstable], first_page, cap, wrong)| Server {
            inclusive: inclusive || cut_to_seconds,
            cut_to_seconds,
            unstable,
            first_page,
            cap,
            wrong,
        },
    )
}

/// Orders by their millisecond: many share one, many share a second, and there are long gaps.
fn any_orders() -> impl Strategy<Value = Vec<Row>> {
    let instant =
        prop_oneof![0_i64..2_000, 0_i64..60_000, Just(5_000_i64), Just(5_001_i64), 0_i64..100_000_000];
    prop::collection::vec((instant, 1_usize..20), 0..30).prop_map(|instants| {
        let mut id = 0;
        let mut rows = Vec::new();
        for (millis, ties) in instants {
            for _ in 0..ties {
                id += 1;
                rows.push(Row { at: row(0, 0).at + TimeDelta::milliseconds(millis), ..row(0, id) });
            }
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_order_of_the_slice_is_handed_out_once_and_in_order(
        all in any_orders(), server in any_server(), start in 0_i64..70_000, length in 1_i64..100_000_000, seed: u64,
    ) {
        let start = row(0, 0).at + TimeDelta::milliseconds(start);
        let slice = Slice { start, end: start + TimeDelta::milliseconds(length) };
        let at = all.iter().map(|row| row.at).filter(|at| *at < slice.end).max();
        let ids = all.iter().filter(|row| Some(row.at) == at).map(|row| row.id).take(10).collect();
        let goal = at.map(|at| Target { at, ids, rows: Vec::new(), or_attempts: None });
        let mut walk = KeysetWalk::new(slice, Selection::default(), goal);
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut handed_out, mut asked) = (Vec::new(), 0);
        while let Some(query) = walk.request() {
            asked += 1;
            prop_assert!(asked < 20_000, "the walk does not end");
            let position = walk.position();
            match walk.accept(server.answer(&all, &query, &mut rng)) {
                Ok(rows) => {
                    let before = |row: &Row| position <= row.at && row.at < walk.position();
                    prop_assert!(rows.iter().all(before), "the position is a proof");
                    handed_out.extend(rows);
                }
                // Too many wrong responses in a row for a dense second: a failure, and no loss.
                Err(doubt) if doubt.kind == FailureKind::Restless && server.wrong > 0 => return Ok(()),
                // Any other doubt changes nothing: the same is asked again.
                Err(_) => (),
            }
        }
        prop_assert!(handed_out.is_sorted_by_key(|row| row.at));
        let mut ids: Vec<u64> = handed_out.iter().map(|row| row.id).collect();
        let mut expected: Vec<u64> = all.iter().filter(|row| slice.start <= row.at && row.at < slice.end).map(|row| row.id).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(ids, expected);
    }
}
