//! A simulated month: a sync every fifteen minutes, while orders are paid, contested and reviewed up to ten days after
//! the visit. After the last sync the table is the API's truth, under each reading of the API, with faults and kills.
//!
//! `cargo test --test integration month -- --nocapture` prints the table of the performance page.

use std::time::Duration;

use aifi_sandbox::{
    Behaviour, Bounds, Envelope, Fault, Faults, FirstPage, Ids, IsLatest, Options, Stamps, Superseded, Ties,
    UnknownParameters, UpdatedAt, UpdatedFilter, VersionIds, Versions,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::simulation::{Destination, End, World};

const QUARTER: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Few orders, so that a month is quick; what matters is how they change.
const VISITS: usize = 1_200;

fn faults() -> Faults {
    let kinds = [
        (Fault::Unavailable503, 0.02),
        (Fault::Reset, 0.01),
        (Fault::Cut, 0.01),
        (Fault::Empty, 0.02),
        (Fault::Short, 0.02),
        (Fault::Unsorted, 0.005),
        (Fault::OutOfRange, 0.005),
        (Fault::Html200, 0.005),
        (Fault::Hang(Duration::from_secs(20)), 0.002),
    ];
    Faults { rates: kinds.to_vec(), script: Vec::new(), seed: 5 }
}

/// Runs a month under one reading, and prints its row. The median delay of a change.
fn month(name: &str, behaviour: Behaviour, config: &Value) -> TimeDelta {
    let options = Options {
        orders: 400,
        products: false,
        contested_percent: 5,
        behaviour,
        faults: faults(),
        ..Options::default()
    };
    let mut world = World::new(options, config);
    world.api().life.plan(VISITS, 30 * DAY - 11 * DAY);
    let mut destination = Destination::default();
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut failed, mut killed, mut syncs) = (0, 0, 0);
    while world.elapsed() < 30 * DAY {
        let due = QUARTER.saturating_sub(Duration::from_secs(world.elapsed().as_secs() % QUARTER.as_secs()));
        world.pass(due);
        let kill = rng.u32(..100) < 3;
        let end = if kill { End::Killed { answer: rng.usize(1..12) } } else { End::Own };
        syncs += 1;
        killed += u32::from(kill);
        failed += u32::from(world.sync(&mut destination, end).is_err());
    }
    // A last quiet day: what no update time tells is read again once a day.
    world.api().model.set_faults(Faults::default());
    world.pass(DAY + QUARTER);
    world.sync(&mut destination, End::Own).expect("nothing goes wrong any more");
    let expected = world.settled();
    destination.assert_orders(&expected, name);

    let mut delays = destination.delays.clone();
    delays.sort_unstable();
    let minutes = |delay: Option<&TimeDelta>| delay.map_or(0, TimeDelta::num_minutes);
    let median = delays.get(delays.len() / 2);
    println!(
        "| {name} | {syncs} | {killed} | {failed} | {:.1} | {} | {} | {} | {} |",
        world.api().requests as f64 / f64::from(syncs),
        expected.len(),
        destination.written,
        minutes(median),
        minutes(delays.last()),
    );
    assert!(delays.len() > 1_000, "{} changes arrived", delays.len());
    median.copied().unwrap_or_default()
}

macro_rules! months {
    ($($name:ident: $behaviour:expr, $config:tt, at most $minutes:literal minutes;)*) => {$(
        #[test]
        fn $name() {
            let median = month(stringify!($name), $behaviour, &json!($config));
            assert!(median <= TimeDelta::minutes($minutes), "half of the changes arrive within {median}");
        }
    )*};
}

fn usual() -> Behaviour {
    Behaviour::default()
}

months! {
    as_documented: usual(), {}, at most 20 minutes;
    bounds_exclusive: Behaviour { bounds: Bounds::Exclusive, ..usual() }, {}, at most 20 minutes;
    bounds_truncated_to_seconds: Behaviour { bounds: Bounds::TruncatedToSeconds, ..usual() }, {}, at most 20 minutes;
    first_page_is_one_and_ties_move: Behaviour { first_page: FirstPage::One, ties: Ties::Unstable, ..usual() }, {}, at most 20 minutes;
    pages_capped: Behaviour { page_cap: Some(60), ..usual() }, {}, at most 20 minutes;
    latest_version_only: Behaviour { versions: Versions::LatestOnly, ..usual() }, {}, at most 20 minutes;
    superseded_stay_stale: Behaviour { superseded: Superseded::Stale, ..usual() }, {}, at most 20 minutes;
    new_ids: Behaviour { version_ids: VersionIds::New, ..usual() }, {}, at most 20 minutes;
    new_ids_latest_only: Behaviour { version_ids: VersionIds::New, versions: Versions::LatestOnly, ..usual() }, {}, at most 20 minutes;
    new_ids_superseded_stay_stale: Behaviour { version_ids: VersionIds::New, superseded: Superseded::Stale, ..usual() }, {}, at most 20 minutes;
    other_spellings: Behaviour {
        ids: Ids::String, is_latest: IsLatest::Boolean, envelope: Envelope::WithPagination, stamps: Stamps::Micros,
        unknown_parameters: UnknownParameters::Refused, pretty: true, extra_fields: true, ..usual()
    }, {}, at most 20 minutes;
    filter_ignored: Behaviour { updated_filter: UpdatedFilter::Ignored, ..usual() }, {}, at most 20 minutes;
    filter_refused: Behaviour { updated_filter: UpdatedFilter::Refused, ..usual() }, {}, at most 20 minutes;
    window_chosen: usual(), {"changes": "window"}, at most 20 minutes;
    update_time_stands_still: Behaviour { updated_at: UpdatedAt::StandsStill, ..usual() }, {}, at most 1_440 minutes;
    everything_at_its_most_awkward: Behaviour {
        bounds: Bounds::TruncatedToSeconds, first_page: FirstPage::One, ties: Ties::Unstable, ids: Ids::String,
        superseded: Superseded::Stale, stamps: Stamps::Micros, updated_filter: UpdatedFilter::Ignored,
        page_cap: Some(90), ..usual()
    }, {}, at most 20 minutes;
}
