//! The orders at the start: when they were drafted, their ids, and what has happened to them since.

use chrono::{DateTime, Utc};

use crate::random::{below, mix};
use crate::settings::{Options, Stamps};
use crate::shop::order::{Draw, Row, Status};
use crate::time::{HOUR, MINUTE};

/// The first id above all whole numbers that a 64-bit float holds exactly.
const BEYOND_FLOAT: u64 = (1 << 53) + 1;
/// How busy the hours of a day are, in UTC.
const BUSY: [u32; 24] =
    [3, 2, 1, 1, 1, 4, 15, 40, 60, 55, 60, 90, 120, 110, 70, 60, 65, 85, 95, 80, 50, 30, 14, 6];

/// The rows of the start in the order of their drafts, and the last id used.
pub(crate) fn rows(options: &Options) -> (Vec<Row>, u64) {
    let now = options.now.timestamp_micros();
    let drafts = drafts(options);
    let ids = ids(options);
    let share = usize::from(options.contested_percent.min(100));
    let mut rows: Vec<Row> = Vec::with_capacity(drafts.len() + drafts.len() * share / 95 + 8);
    let mut last = ids.iter().max().copied().unwrap_or(10_000_000);
    for (serial, draft) in drafts.into_iter().enumerate() {
        let seed = order_seed(options.seed, serial as u64);
        let row = Row::new(seed, ids[serial], draft, now, options.stores, options.products);
        let contested = below(row.draw(Draw::Contest) >> 32, 100) < u32::from(options.contested_percent);
        rows.push(row);
        if contested {
            last += 1;
            contest(&mut rows, last, now);
        }
    }
    (rows, last)
}

/// The seed of an order by its number.
pub(crate) fn order_seed(seed: u64, serial: u64) -> u64 {
    mix(mix(seed) ^ serial)
}

/// Gives the last row a version 2, some time before `now`.
fn contest(rows: &mut Vec<Row>, own_id: u64, now: i64) {
    let at = rows.len() - 1;
    let first = &mut rows[at];
    if first.paid == 0 {
        (first.status, first.paid) = (Status::Paid, first.updated);
    }
    let (contested, reviewed) = first.history(now);
    let mut second = first.contested(own_id, at as u32, contested);
    first.superseded = contested;
    first.newer = at as u32 + 1;
    if let Some(reviewed) = reviewed {
        (second.status, second.reviewed, second.updated) = (Status::Reviewed, true, reviewed);
    }
    rows.push(second);
}

/// Rising moments from `first` to three minutes before `now`, dense at noon and rare at night.
fn drafts(options: &Options) -> Vec<i64> {
    let first = options.first.timestamp_micros();
    let end = (options.now.timestamp_micros() - 3 * MINUTE).max(first + HOUR / 3_600);
    let step = if options.behaviour.stamps == Stamps::Millis { 1_000 } else { 1 };
    let mut hours: Vec<(i64, f64)> = Vec::new();
    let (mut start, mut total) = (first, 0.0);
    while start < end {
        let until = (start.div_euclid(HOUR) * HOUR + HOUR).min(end);
        total += weight(start) * (until - start) as f64;
        hours.push((until, total));
        start = until;
    }
    let (mut at, mut before, mut start) = (0, 0.0, first);
    let mut moments: Vec<i64> = Vec::with_capacity(options.orders);
    for place in 0..options.orders {
        let jitter =
            (mix(options.seed ^ 0x7135 ^ ((place as u64) << 20)) >> 11) as f64 / (1_u64 << 53) as f64;
        let target = (place as f64 + jitter) / options.orders as f64 * total;
        while at + 1 < hours.len() && hours[at].1 < target {
            (start, before) = hours[at];
            at += 1;
        }
        let moment = start + ((target - before) / weight(start)) as i64;
        moments.push(moment.clamp(first, end - 1).div_euclid(step) * step);
    }
    if let Some(moment) = moments.first_mut() {
        *moment = first;
    }
    tie(&mut moments, &options.ties, first);
    moments
}

/// Makes groups of equal moments, evenly spread.
fn tie(moments: &mut [i64], sizes: &[usize], first: i64) {
    let count = moments.len();
    for (group, size) in sizes.iter().enumerate() {
        let start = (group + 1) * count / (sizes.len() + 1);
        let end = (start + size).min(count);
        let moment = moments.get(start).map_or(0, |moment| (moment / 1_000 * 1_000).max(first));
        let previous = start.checked_sub(1).map_or(first, |at| moments[at]);
        moments[start.min(end)..end].fill(moment.max(previous));
    }
}

/// How busy the hour of a moment is; Sundays are half as busy.
fn weight(moment: i64) -> f64 {
    let hour = moment.div_euclid(HOUR);
    let sunday = (hour.div_euclid(24) + 4).rem_euclid(7) == 0;
    f64::from(BUSY[hour.rem_euclid(24) as usize]) * if sunday { 0.5 } else { 1.0 }
}

/// Ids that rise with the drafts, but for a few neighbours; the last fifth is beyond the reach of a float.
fn ids(options: &Options) -> Vec<u64> {
    let mut ids = Vec::with_capacity(options.orders);
    let mut id = 10_000_000;
    for place in 0..options.orders {
        if place == options.orders * 4 / 5 {
            id = BEYOND_FLOAT;
        }
        id += 1 + u64::from(below(mix(options.seed ^ 0x1D ^ ((place as u64) << 20)), 4));
        ids.push(id);
    }
    let mut place = 1;
    while place < ids.len() {
        let draw = mix(order_seed(options.seed, place as u64) ^ Draw::OutOfOrder as u64);
        if below(draw, 50) == 0 {
            ids.swap(place - 1, place);
            place += 1;
        }
        place += 1;
    }
    ids
}

/// Rising moments for new orders: after the newest order or five minutes before `now`, whichever is later,
/// and before `now` minus three minutes.
pub(crate) fn fresh(count: usize, newest: i64, now: DateTime<Utc>, draws: &mut fastrand::Rng) -> Vec<i64> {
    let now = now.timestamp_micros();
    let end = now - 3 * MINUTE;
    let mut start = newest.max(now - 5 * MINUTE);
    if end - start < count as i64 * 1_000 {
        start = now - 5 * MINUTE;
    }
    let mut moments: Vec<i64> =
        (0..count).map(|_| draws.i64(start / 1_000 + 1..end / 1_000) * 1_000).collect();
    moments.sort_unstable();
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(seed: u64) -> Options {
        Options { seed, orders: 5_000, ties: vec![3, 250], contested_percent: 10, ..Options::default() }
    }

    #[test]
    fn the_seed_decides() {
        let (first, _) = rows(&options(1));
        let (again, _) = rows(&options(1));
        let (other, _) = rows(&options(2));
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        assert_ne!(format!("{first:?}"), format!("{other:?}"));
    }

    #[test]
    fn drafts_rise_from_the_first_to_three_minutes_before_now() {
        let options = options(1);
        let moments = drafts(&options);
        assert_eq!(moments.len(), 5_000);
        assert_eq!(moments[0], options.first.timestamp_micros());
        assert!(moments.is_sorted());
        assert!(*moments.last().unwrap() < options.now.timestamp_micros() - 3 * MINUTE);
    }

    #[test]
    fn days_are_busier_than_nights() {
        let hour = |moment: &&i64| moment.div_euclid(HOUR) % 24;
        let moments = drafts(&options(1));
        let night = moments.iter().filter(|moment| hour(moment) < 5).count();
        let noon = moments.iter().filter(|moment| (11..16).contains(&hour(moment))).count();
        assert!(noon > 10 * night, "{noon} {night}");
    }

    #[test]
    fn ties_share_a_moment() {
        let moments = drafts(&options(1));
        let sizes: Vec<usize> = moments.chunk_by(|a, b| a == b).map(<[i64]>::len).collect();
        assert!(sizes.contains(&250) && sizes.contains(&3));
    }

    #[test]
    fn ids_are_unique_rise_roughly_and_leave_the_range_of_floats() {
        let ids = ids(&options(1));
        let falls = ids.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((20..200).contains(&falls), "{falls}");
        assert_eq!(ids.iter().filter(|id| **id > BEYOND_FLOAT).count(), 1_000);
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
    }

    #[test]
    fn the_asked_share_has_a_second_version() {
        let (rows, _) = rows(&options(1));
        let second: Vec<_> = rows.iter().filter(|row| row.version == 2).collect();
        assert!((400..600).contains(&second.len()), "{}", second.len());
        let reviewed = second.iter().filter(|row| row.status == Status::Reviewed).count();
        assert!((second.len() / 3..second.len() * 2 / 3).contains(&reviewed), "{reviewed}");
        for row in second {
            let first = &rows[row.older as usize];
            assert_eq!((first.draft, first.id, first.superseded), (row.draft, row.id, row.created));
        }
    }

    #[test]
    fn odd_spans_do_not_break() {
        let now = Options::default().now;
        for (orders, first) in [(0, now), (5, now), (1, now - chrono::TimeDelta::days(1))] {
            let (rows, _) = rows(&Options { orders, first, contested_percent: 0, ..Options::default() });
            assert_eq!(rows.len(), orders);
            assert!(rows.iter().all(|row| row.draft >= first.timestamp_micros()));
        }
    }
}
