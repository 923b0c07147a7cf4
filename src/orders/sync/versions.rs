//! One record per order: the newest of its versions.
//!
//! A contest makes a newer version of an order (known). Whether a list shows all versions, whether the new one has
//! the old id, and whether `isLatest` of the old one changes is unknown. `draftCreatedAt` is taken to stay the same
//! (a guess; if it did not, versions with the same id would still end in one row, by the primary key). So versions
//! are looked for among the orders of one instant, and are known by the same `id`, or by the same session under
//! different version numbers, since one session gives one order.

use std::collections::{HashMap, HashSet};

use crate::orders::api::page::Row;

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Superseded {
    /// Versions that a newer one among the same response replaces, or that say so themselves.
    pub versions: u64,
    /// Those of them that say so themselves while no newer one was listed.
    pub alone: u64,
    /// Orders that share session and version with another one; they are kept.
    pub twins: u64,
}

/// Tells the newest version of each order from those that are superseded, which come before the others of their instant.
/// `rows` are sorted by `draftCreatedAt` and hold every row of each of their instants.
///
/// With `marked`, a superseded version that says so itself counts as a record of its own, if the newest has another id:
/// it may have been written as the current row of its order, and nothing else would take that back.
pub(crate) fn tell_apart(rows: Vec<Row>, superseded: &mut Superseded, marked: bool) -> Vec<Row> {
    let mut kept = Vec::with_capacity(rows.len());
    let mut rest = rows.into_iter().peekable();
    while let Some(first) = rest.next() {
        let at = first.at;
        let mut instant = vec![first];
        while let Some(row) = rest.next_if(|row| row.at == at) {
            instant.push(row);
        }
        if instant.len() > 1 || instant[0].is_latest == Some(false) {
            instant = tell_apart_of_instant(instant, superseded, marked);
        }
        kept.append(&mut instant);
    }
    kept
}

fn tell_apart_of_instant(mut rows: Vec<Row>, superseded: &mut Superseded, marked: bool) -> Vec<Row> {
    // The newest first; what comes later with the same id or session is older.
    rows.sort_by_key(|row| std::cmp::Reverse((row.is_latest != Some(false), row.version)));
    let mut ids = HashSet::new();
    let mut sessions: HashMap<Box<str>, u64> = HashMap::new();
    let mut older_rows = Vec::new();
    let mut kept = Vec::with_capacity(rows.len());
    for mut row in rows {
        let by_session = row.session.as_ref().and_then(|session| sessions.get(session));
        let same_id = ids.contains(&row.id);
        let older = same_id || by_session.is_some_and(|version| *version != row.version);
        if older || row.is_latest == Some(false) {
            superseded.versions += 1;
            superseded.alone += u64::from(!older);
            row.alone = !older;
            row.replaced = older && !same_id && row.is_latest == Some(false);
            row.superseded = !(marked && row.replaced);
            older_rows.push(row);
            continue;
        }
        superseded.twins += u64::from(by_session.is_some());
        ids.insert(row.id);
        if let Some(session) = &row.session {
            sessions.insert(session.clone(), row.version);
        }
        kept.push(row);
    }
    kept.sort_by_key(|row| row.id);
    // The older ones were met from the newest to the oldest.
    older_rows.reverse();
    older_rows.append(&mut kept);
    older_rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn version(id: u64, session: &str, version: u64, is_latest: Option<bool>) -> Row {
        Row { version, is_latest, session: Some(session.into()), ..row(0, id) }
    }

    fn kept(rows: Vec<Row>) -> (Vec<(u64, u64)>, Superseded) {
        let mut superseded = Superseded::default();
        let rows = tell_apart(rows, &mut superseded, false);
        (rows.iter().filter(|row| !row.superseded).map(|row| (row.id, row.version)).collect(), superseded)
    }

    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);

    #[test]
    fn under_each_reading_one_version_is_left() {
        for (name, old, new, left) in [
            ("same id, old row updated", version(1, "a", 1, NO), version(1, "a", 2, YES), (1, 2)),
            ("same id, old row stale", version(1, "a", 1, YES), version(1, "a", 2, YES), (1, 2)),
            ("new id, old row updated", version(1, "a", 1, NO), version(9, "a", 2, YES), (9, 2)),
            ("new id, old row stale", version(1, "a", 1, YES), version(9, "a", 2, YES), (9, 2)),
            ("no flag at all", version(1, "a", 1, None), version(1, "a", 2, None), (1, 2)),
        ] {
            for rows in [vec![old.clone(), new.clone()], vec![new, old]] {
                assert_eq!(
                    kept(rows),
                    (vec![left], Superseded { versions: 1, ..Superseded::default() }),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn different_orders_of_one_instant_stay() {
        assert_eq!(kept(vec![row(0, 2), row(0, 1), row(1, 3)]).0, [(1, 1), (2, 1), (3, 1)]);
        assert_eq!(
            kept(vec![version(1, "a", 1, YES), version(2, "a", 1, YES)]).0,
            [(1, 1), (2, 1)],
            "one session, one version, two ids"
        );
        let without_session = Row { session: None, ..version(2, "", 2, YES) };
        assert_eq!(kept(vec![Row { session: None, ..row(0, 1) }, without_session]).0, [(1, 1), (2, 2)]);
    }

    #[test]
    fn older_versions_come_first_the_oldest_before_the_others() {
        let versions = [3, 1, 2].map(|number| version(1, "a", number, Some(number == 3)));
        let told = tell_apart(versions.into(), &mut Superseded::default(), false);
        let told: Vec<_> = told.iter().map(|row| (row.version, row.superseded)).collect();
        assert_eq!(told, [(1, true), (2, true), (3, false)]);
    }

    #[test]
    fn a_superseded_version_without_its_successor_is_left_out_and_counted() {
        assert_eq!(
            kept(vec![version(1, "a", 1, NO)]),
            (vec![], Superseded { versions: 1, alone: 1, twins: 0 })
        );
    }

    #[test]
    fn a_version_that_says_it_is_superseded_is_kept_beside_its_successor_of_another_id_where_that_is_asked_for()
     {
        let marked = |rows: Vec<Row>| {
            let rows = tell_apart(rows, &mut Superseded::default(), true);
            rows.iter().filter(|row| !row.superseded).map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(marked(vec![version(9, "a", 2, YES), version(1, "a", 1, NO)]), [1, 9]);
        assert_eq!(marked(vec![version(1, "a", 2, YES), version(1, "a", 1, NO)]), [1], "it would replace it");
        assert_eq!(
            marked(vec![version(1, "a", 1, NO)]),
            [0_u64; 0],
            "alone it may be older than what was written"
        );
    }
}
