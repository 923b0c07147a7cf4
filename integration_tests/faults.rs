//! An API in trouble: everything arrives all the same, or the sync fails and says so.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aifi_sandbox::{Behaviour, Fault, Faults, Filter, Limit, Options, RetryAfter, Stats};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;
use source_aifi::cli::Command;
use source_aifi::protocol::output::Output;
use source_aifi::run;

use crate::complete::{fewer, settled};
use crate::harness::{Run, TOKEN, application, assert_holds, config, configured_catalog, sandbox};
use crate::simulation::World;

/// Reads everything, in virtual time.
fn reads_all_the_same(faults: Faults) -> Stats {
    let options = Options { faults, ..fewer(Behaviour::default()) };
    let mut world = World::new(options, &json!({"start_date": "2025-01-01T00:00:00Z"}));
    let outcome = world.outcome(&[]).succeeded();
    let expected = world.settled();
    assert_holds(&outcome.records(), &expected, true);
    world.api().model.stats()
}

/// The same through the binary, for what the network is a part of.
fn binary_reads_all_the_same(faults: Faults) -> Stats {
    let sandbox = sandbox(Options { faults, ..fewer(Behaviour::default()) });
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    sandbox.stats()
}

/// One test for each fault, met by one request in five.
macro_rules! one_in_five {
    ($($name:ident: $read:ident, $fault:expr;)*) => {$(
        #[test]
        fn $name() {
            let stats = $read(Faults::rate($fault, 0.2, 7));
            assert!(stats.fault($fault.name()) >= 5, "{stats:?}");
        }
    )*};
}

one_in_five! {
    one_in_five_is_refused_with_503: binary_reads_all_the_same, Fault::Unavailable503;
    one_in_five_is_refused_with_429: reads_all_the_same, Fault::TooMany429;
    one_in_five_is_a_server_error: reads_all_the_same, Fault::Error500;
    one_in_five_is_a_bad_gateway_page: reads_all_the_same, Fault::BadGateway502Html;
    one_in_five_is_cut_in_mid_body: binary_reads_all_the_same, Fault::Cut;
    one_in_five_is_a_login_page_with_200: reads_all_the_same, Fault::Html200;
    one_in_five_is_cut_json_with_200: reads_all_the_same, Fault::CutJson200;
    one_in_five_is_reset: binary_reads_all_the_same, Fault::Reset;
    one_in_five_hangs_and_closes: binary_reads_all_the_same, Fault::Hang(Duration::from_millis(200));
    one_in_five_is_empty: reads_all_the_same, Fault::Empty;
    one_in_five_is_short: reads_all_the_same, Fault::Short;
    one_in_five_has_no_envelope: reads_all_the_same, Fault::NoEnvelope;
    one_in_five_has_null_data: reads_all_the_same, Fault::NullData;
    one_in_five_is_unsorted: reads_all_the_same, Fault::Unsorted;
    one_in_five_is_out_of_range: reads_all_the_same, Fault::OutOfRange;
    one_in_five_is_bad_gzip: binary_reads_all_the_same, Fault::BadGzip;
    one_in_five_is_slow: reads_all_the_same, Fault::Slow(Duration::from_millis(100));
}

#[test]
fn a_storm_of_everything_ends_in_a_complete_table() {
    let kinds = [
        Fault::Unavailable503,
        Fault::Error500,
        Fault::Cut,
        Fault::Html200,
        Fault::Reset,
        Fault::Empty,
        Fault::Short,
        Fault::CutJson200,
    ];
    let faults = Faults {
        rates: kinds.map(|fault| (fault, 0.04)).to_vec(),
        script: vec![(20..=26, Fault::Unavailable503), (40..=45, Fault::Reset)],
        seed: 11,
    };
    reads_all_the_same(faults);
}

/// A wrong answer that persists is a failure with a name, and what was read before it has its state.
macro_rules! persistent {
    ($($name:ident: $fault:expr, $failure_type:literal, $word:literal;)*) => {$(
        #[test]
        fn $name() {
            let faults = Faults::at(8..=u64::MAX, $fault);
            let sandbox = sandbox(Options { orders: 3_000, faults, ..Options::default() });
            let outcome = Run::incremental(&config(&sandbox)).finish().failed($failure_type);
            assert!(outcome.message().contains($word), "{}", outcome.message());
            assert!(outcome.records().len() > 500, "what came before is kept");
            sandbox.set_faults(Faults::default());
            let second = Run::incremental(&config(&sandbox)).resuming(outcome.last_state()).finish().succeeded();
            let mut all = outcome.records();
            all.extend(second.records());
            assert_holds(&all, &sandbox.expected(&settled(&sandbox)), true);
        }
    )*};
}

persistent! {
    empty_answers_for_ever_are_not_the_end: Fault::Empty, "transient_error", "answer is empty";
    an_envelope_that_stays_away_is_not_an_empty_page: Fault::NoEnvelope, "system_error", "`data`";
    null_data_is_not_an_empty_page: Fault::NullData, "system_error", "`data`";
    unsorted_pages_are_not_read_on: Fault::Unsorted, "system_error", "not sorted";
    ignored_bounds_are_noticed: Fault::OutOfRange, "system_error", "asked bound";
    a_token_that_ends_in_mid_sync_says_what_to_change: Fault::Expired401, "transient_error", "credentials.access_token";
    a_redirect_is_not_followed: Fault::Redirect302, "transient_error", "base_url";
    an_endless_body_is_refused: Fault::Huge, "config_error", "larger than";
}

/// What the API denies in mid-sync, though it answered a moment ago, passes: a gateway on the way is being restarted.
#[test]
fn a_denial_that_passes_in_mid_sync_stops_nothing() {
    for fault in [Fault::Expired401, Fault::Redirect302] {
        let stats = reads_all_the_same(Faults::at(3..=4, fault));
        assert_eq!(stats.fault(fault.name()), 2, "{stats:?}");
    }
}

#[test]
fn a_denial_of_the_first_question_ends_the_sync_at_once() {
    for (fault, word) in [(Fault::Expired401, "credentials.access_token"), (Fault::Redirect302, "base_url")] {
        let sandbox = sandbox(Options { faults: Faults::at(1..=u64::MAX, fault), ..Options::default() });
        let outcome = Run::incremental(&config(&sandbox)).finish().failed("config_error");
        assert!(outcome.message().contains(word), "{}", outcome.message());
    }
}

#[test]
fn a_storm_of_refusals_is_told_with_the_state_repeated() {
    let faults = Faults::at(10..=14, Fault::Unavailable503);
    let sandbox = sandbox(Options { orders: 3_000, faults, ..Options::default() });
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let told = lines.iter().position(|line| line.contains("RATE_LIMITED")).expect("a status that says so");
    assert!(lines[told].contains("quota_reset") && lines[told].contains("RUNNING"), "{}", lines[told]);
    assert!(lines[told + 1].contains("\"STATE\""), "{}", lines[told + 1]);
}

#[test]
fn both_styles_of_limiter_stay_quiet_when_alone() {
    for limit in [Limit::SlidingSecond(20), Limit::Even { rate: 20, burst: 2 }] {
        let sandbox = sandbox(Options { orders: 6_000, limit, ..Options::default() });
        let mut config = config(&sandbox);
        config["requests_per_second"] = json!(15);
        Run::incremental(&config).finish().succeeded();
        assert_eq!(sandbox.stats().refused, 0, "{limit:?}");
    }
}

/// A repeated request and the next new one once took the same moment, and each pair was refused by a limiter that wants even
/// spacing. Two requests may be early here, since a busy machine is.
#[test]
fn a_repeated_request_takes_a_moment_of_its_own() {
    let sandbox = sandbox(Options {
        orders: 9_000,
        latency: Duration::from_millis(200),
        limit: Limit::Even { rate: 15, burst: 2 },
        faults: Faults { rates: vec![(Fault::Error500, 0.15)], seed: 3, ..Faults::default() },
        ..Options::default()
    });
    let mut config = config(&sandbox);
    config["requests_per_second"] = json!(15);
    let outcome = Run::incremental(&config).finish().succeeded();
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    assert!(sandbox.stats().refused <= 1, "{:?}", sandbox.stats());
}

#[test]
fn a_limit_below_the_configured_rate_slows_the_sync_down_and_loses_nothing() {
    for (limit, retry_after) in [
        (Limit::SlidingSecond(6), None),
        (Limit::Even { rate: 6, burst: 0 }, Some(RetryAfter::Seconds(1))),
        (Limit::SlidingSecond(6), Some(RetryAfter::Date)),
    ] {
        let sandbox = sandbox(Options {
            orders: 4_000,
            limit,
            retry_after,
            frozen: retry_after.is_none(),
            ..Options::default()
        });
        let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
        let stats = sandbox.stats();
        assert!(stats.refused > 0 && stats.refused < stats.orders, "{limit:?}: {stats:?}");
        assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    }
}

#[test]
fn tokens_of_an_application_are_renewed_in_time_and_after_a_401() {
    let auth = aifi_sandbox::Auth::Client {
        id: "app-1".to_owned(),
        secret: "secret-0123456789".to_owned(),
        token_life: Duration::from_secs(2),
        scope: Some("orders".to_owned()),
    };
    let sandbox = sandbox(Options {
        orders: 8_000,
        auth,
        faults: Faults::at(12..=13, Fault::Unavailable503),
        ..Options::default()
    });
    let mut config = config(&sandbox);
    config["credentials"] = json!({"auth_type": "client_credentials", "client_id": "app-1", "client_secret": "secret-0123456789",
        "token_url": sandbox.token_url(), "scope": "orders"});
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| Run::incremental(&config).finish().succeeded());
        std::thread::sleep(Duration::from_millis(700));
        sandbox.revoke_tokens();
        run.join().unwrap()
    });
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    let stats = sandbox.stats();
    assert!(stats.tokens >= 3 && stats.tokens <= 6, "{stats:?}");
    assert!((1..=5).contains(&stats.unauthorized), "only what was under way with the revoked one: {stats:?}");
}

#[test]
fn an_application_whose_tokens_are_never_accepted_is_not_tried_for_ever() {
    let (sandbox, config) = application();
    sandbox.set_faults(Faults::at(1..=u64::MAX, Fault::Expired401));
    let outcome = Run::incremental(&config).finish().failed("config_error");
    assert!(outcome.message().contains("token_url"), "{}", outcome.message());
    // One for the start, and one for each of the two questions that may be under way when the first token is refused.
    assert!((2..=3).contains(&sandbox.stats().tokens), "{:?}", sandbox.stats());
}

#[test]
fn a_failure_before_every_store_is_planned_closes_nothing() {
    let sandbox = sandbox(Options { orders: 400, ..Options::default() });
    let of_store = |store: u32| Filter { store_ids: vec![store], ..settled(&sandbox) };
    let last = |store: u32| {
        sandbox.expected(&of_store(store)).last().unwrap().draft_created_at.parse::<DateTime<Utc>>().unwrap()
    };
    // The first store has nothing in the slice, so its walk is done before the second one is planned.
    let (first, second) =
        (1..=5).flat_map(|a| (a + 1..=5).map(move |b| (a, b))).find(|(a, b)| last(*a) < last(*b)).unwrap();
    let start = last(first) + TimeDelta::seconds(1);
    let mut config = config(&sandbox);
    config["store_ids"] = json!([first, second]);
    config["start_date"] = json!(start.to_rfc3339_opts(SecondsFormat::Millis, true));
    sandbox.set_faults(Faults::at(2..=u64::MAX, Fault::Expired401));
    let failed = Run::incremental(&config).finish().failed("transient_error");
    sandbox.set_faults(Faults::default());
    let mut run = Run::incremental(&config);
    if let Some(state) = failed.states().last() {
        run = run.resuming(state);
    }
    let outcome = run.finish().succeeded();
    let filter = Filter { store_ids: vec![first, second], from: Some(start), ..settled(&sandbox) };
    assert_holds(&outcome.records(), &sandbox.expected(&filter), true);
}

#[test]
fn an_api_that_starts_with_empty_answers_is_not_a_shop_without_orders() {
    let faults = Faults::at(1..=3, Fault::Empty);
    let sandbox = sandbox(Options { faults, ..Options::default() });
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
}

#[test]
fn an_api_that_shows_no_order_at_all_does_not_move_the_cursor() {
    let sandbox = sandbox(Options { faults: Faults::at(1..=u64::MAX, Fault::Empty), ..Options::default() });
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    assert!(
        outcome.cursors().iter().all(|cursor| *cursor == "2025-01-01T00:00:00.000Z"),
        "{:?}",
        outcome.cursors()
    );
    sandbox.set_faults(Faults::default());
    let next = Run::incremental(&config(&sandbox)).resuming(outcome.last_state()).finish().succeeded();
    assert_holds(&next.records(), &sandbox.expected(&settled(&sandbox)), true);
}

#[test]
fn after_a_write_that_failed_nothing_more_is_said() {
    /// A pipe that is full once, when the first records come.
    #[derive(Clone, Default)]
    struct Full(Arc<Mutex<(Vec<u8>, bool)>>);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (written, failed) = &mut *self.0.lock().unwrap();
            if !*failed && bytes.windows(8).any(|window| window == b"\"RECORD\"") {
                *failed = true;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sandbox = sandbox(Options { orders: 3_000, ..Options::default() });
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("full");
    std::fs::create_dir_all(&folder).unwrap();
    let (config_file, catalog) = (folder.join("config.json"), folder.join("catalog.json"));
    std::fs::write(&config_file, config(&sandbox).to_string()).unwrap();
    std::fs::write(&catalog, configured_catalog("incremental").to_string()).unwrap();
    let pipe = Full::default();
    let mut output = Output::to(pipe.clone());
    let command = Command::Read { config: config_file, catalog, state: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_stop, never) = tokio::sync::watch::channel(false);
    assert!(runtime.block_on(run::run(&command, &mut output, never)).is_err());
    let text = String::from_utf8(pipe.0.lock().unwrap().0.clone()).unwrap();
    assert!(!text.contains("\"STATE\"") && !text.contains("\"RECORD\""), "{text}");
}

#[test]
fn no_secret_is_written_whatever_the_api_says() {
    let sandbox = sandbox(Options {
        auth: aifi_sandbox::Auth::Token("another-0123456789".to_owned()),
        ..Options::default()
    });
    let outcome = Run::incremental(&config(&sandbox)).finish().failed("config_error");
    assert!(!outcome.stdout.contains(TOKEN) && !outcome.stderr.contains(TOKEN));
}
