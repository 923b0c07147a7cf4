//! The metrics: their names, what they mean, and that each is there from the start.

use anyhow::{Context, Result};
use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Bounds of the histograms, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Why a call is refused.
const REASONS: [&str; 9] =
    ["connections", "credentials", "cut", "method", "overload", "read credentials", "size", "slow", "store"];
/// What becomes of a forward.
const OUTCOMES: [&str; 3] = ["answered", "failed", "late"];
/// Counters without labels.
const COUNTERS: [(&str, &str); 6] = [
    ("aifi_inbox_received_total", "Deliveries that were let in, repeats too."),
    ("aifi_inbox_stored_total", "Events that were stored for the first time."),
    ("aifi_inbox_repeats_total", "Deliveries of events that were there."),
    ("aifi_inbox_unrecognised_total", "Bodies that are not checkout events; they are kept."),
    ("aifi_inbox_forwarded_unkept_total", "Events that were forwarded and are kept nowhere."),
    ("aifi_inbox_store_failures_total", "Groups of changes that the store did not take."),
];
/// Gauges that are set while the service runs.
const GAUGES: [(&str, &str); 6] = [
    ("aifi_inbox_connections", "Connections that are open."),
    ("aifi_inbox_held_bytes", "Bytes of bodies that are not stored yet."),
    ("aifi_inbox_head", "The highest number given."),
    ("aifi_inbox_reader_lag", "Numbers that a named reader is behind."),
    ("aifi_inbox_spool_depth", "Changes that wait in the spool."),
    ("aifi_inbox_store_up", "1 while the store answers and takes events."),
];

/// Starts to record.
///
/// # Errors
/// When something else records already.
pub(crate) fn record() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .install_recorder()
        .context("Metrics cannot be recorded.")?;
    metrics::describe_counter!("aifi_inbox_refused_total", "Calls that were refused.");
    metrics::describe_counter!("aifi_inbox_relayed_total", "Forwards, by what became of them.");
    metrics::describe_histogram!("aifi_inbox_store_seconds", Unit::Seconds, "To store a group of changes.");
    metrics::describe_histogram!("aifi_inbox_relay_seconds", Unit::Seconds, "Until the target has answered.");
    for (name, text) in COUNTERS {
        metrics::describe_counter!(name, text);
        metrics::counter!(name).increment(0);
    }
    for (name, text) in GAUGES {
        metrics::describe_gauge!(name, text);
    }
    // A series that begins with its first failure hides that failure from `increase`.
    for reason in REASONS {
        metrics::counter!("aifi_inbox_refused_total", "reason" => reason).increment(0);
    }
    for outcome in OUTCOMES {
        metrics::counter!("aifi_inbox_relayed_total", "outcome" => outcome).increment(0);
    }
    metrics::gauge!("aifi_inbox_connections").set(0.0);
    metrics::gauge!("aifi_inbox_spool_depth").set(0.0);
    Ok(handle)
}
