//! What of a list is written in a sync, and what the state says. Pure.
//!
//! The filter of the API only spares work: each row's own `updatedAt` decides whether it is written.

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::declared::List;
use super::page::Row;
use super::pass::Pass;
use super::query::RequestShape;
use super::state::{self, ResumePoint, Saved};
use crate::config::Config;
use crate::failure::Failure;
use crate::protocol::catalog::SyncMode;
use crate::timestamp::MILLISECOND;

/// A state is written after this many records of a list that is read by key.
pub const RECORDS_PER_STATE: u64 = 1_000;

/// One sync of one list.
#[derive(Debug)]
pub struct Sync {
    list: &'static List,
    /// None for a list without changes to ask for: it has a full refresh only.
    mode: Option<SyncMode>,
    /// Only these stores; empty for all.
    stores: Vec<u64>,
    /// Where stores were added since the last sync: those that it read. Rows of others are written from the start date on.
    read_before: Option<Vec<u64>>,
    start_date: DateTime<Utc>,
    /// Rows changed before it are not written, unless their store was added.
    from: DateTime<Utc>,
    place: Option<ResumePoint>,
    resumed: bool,
    complete: bool,
    /// Rows changed at or after it are left to the next sync. Fixed with the first answer.
    horizon: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    left_out: u64,
}

impl Sync {
    /// From the saved state on, or from the start date.
    pub fn new(
        list: &'static List,
        config: &Config,
        mode: SyncMode,
        saved: Option<&Value>,
    ) -> Result<Self, Failure> {
        let mode = list.incremental.then_some(mode);
        let saved = match mode {
            Some(_) => saved.map(|saved| Saved::parse(list, saved)).transpose()?,
            None => None,
        };
        // A state of the other mode is not a place to resume from.
        let saved = saved.filter(|saved| saved.full_refresh == (mode == Some(SyncMode::FullRefresh)));
        // A full refresh has one set of stores from its beginning to its end.
        let stores = if list.store.is_empty() { &[] } else { &config.store_ids[..] };
        let saved = saved.filter(|saved| mode == Some(SyncMode::Incremental) || saved.covers(stores));
        let updated = saved.as_ref().and_then(|saved| saved.updated);
        let read_before =
            saved.as_ref().filter(|saved| !saved.covers(stores)).map(|saved| saved.stores.clone());
        // What was passed over was not read for the stores that were added.
        let place = saved.as_ref().and_then(|saved| saved.place.clone()).filter(|_| read_before.is_none());
        Ok(Self {
            list,
            mode,
            stores: config.store_ids.clone(),
            read_before,
            start_date: config.start_date,
            from: updated.map_or(config.start_date, |updated| updated.max(config.start_date)),
            horizon: place.as_ref().map(|place| place.until),
            newest: place.as_ref().and_then(|place| place.newest),
            resumed: updated.is_some(),
            complete: saved.is_some_and(|saved| saved.complete),
            place,
            left_out: 0,
        })
    }

    /// Whether a full refresh is complete already, so that nothing is left.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Rows changed before it are not written; none for a list without changes to ask for.
    pub fn from(&self) -> Option<DateTime<Utc>> {
        self.mode.map(|_| self.from)
    }

    /// Whether it resumes from a state.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether stores were added since the last sync.
    pub fn has_added_stores(&self) -> bool {
        self.read_before.is_some()
    }

    /// Rows of other stores than those that are wanted.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The pass, from the place where an earlier one was cut off.
    pub fn pass(&self, size: usize) -> Pass {
        match &self.place {
            Some(place) => Pass::behind(&place.after, size),
            None => Pass::new(self.list.paging, size),
        }
    }

    /// How to ask after the first question was refused. The row that a place is named by may be no more: where there is
    /// nothing else to try, the list is begun anew.
    pub fn after_refusal(&mut self, manner: RequestShape) -> Option<RequestShape> {
        let filters = self.list.incremental;
        manner.next(filters).or_else(|| self.forget_place().then(|| RequestShape::wished(filters)))
    }

    /// From now on the pass begins at the list's start. Whether there was another place.
    pub fn forget_place(&mut self) -> bool {
        self.place.take().is_some()
    }

    /// The bound to ask with. The row that the state was taken from lies a millisecond before it, and a bound may be
    /// exclusive: so one more, and that row comes back.
    pub fn bound(&self) -> Option<DateTime<Utc>> {
        let from = self.from().map(|from| if self.has_added_stores() { self.start_date } else { from });
        from.map(|from| from - MILLISECOND - MILLISECOND)
    }

    /// Whether nothing is left to a next sync.
    pub fn is_full_refresh(&self) -> bool {
        self.mode != Some(SyncMode::Incremental)
    }

    /// The bound to ask with for rows that moved while the list was read: they were changed after the horizon. The newest
    /// known row has to come back with them.
    pub fn closing_bound(&self) -> Option<DateTime<Utc>> {
        let newest = self.newest.into_iter().chain(self.horizon).min();
        self.mode.and(newest).map(|at| at - MILLISECOND - MILLISECOND)
    }

    /// Fixes the horizon, with the first answer.
    pub fn begin(&mut self, horizon: DateTime<Utc>) {
        self.horizon.get_or_insert(horizon);
    }

    /// The rows that are to be written. One without any date is due whenever it comes: nothing says that it is as it was.
    pub fn due(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        rows.retain(|row| !row.is_stand_in() && self.is_due(row));
        rows
    }

    fn is_due(&mut self, row: &Row) -> bool {
        if let Some((mode, updated)) = self.mode.zip(row.updated) {
            let later =
                mode == SyncMode::Incremental && self.horizon.is_some_and(|horizon| updated >= horizon);
            if later {
                return false;
            }
            self.newest = self.newest.max(Some(updated));
            let added =
                self.read_before.as_ref().zip(row.store).is_some_and(|(read, store)| !read.contains(&store));
            if updated < if added { self.start_date } else { self.from } {
                return false;
            }
        }
        let wanted = self.stores.is_empty() || row.store.is_none_or(|store| self.stores.contains(&store));
        self.left_out += u64::from(!wanted);
        wanted
    }

    /// The state while the list is being read. `after` is where the pass may be resumed.
    pub fn under_way(&self, after: Option<&str>) -> Value {
        let place = after.zip(self.horizon).map(|(after, until)| ResumePoint {
            after: after.to_owned(),
            until,
            newest: self.newest,
        });
        let place = place.as_ref().or(self.place.as_ref());
        // Of stores that were added something can be said at the end only.
        let (stores, place) = match &self.read_before {
            Some(read_before) => (read_before, None),
            None => (&self.stores, place),
        };
        match self.mode {
            None => state::without_cursor(),
            Some(_) if self.complete => state::complete(stores),
            Some(SyncMode::FullRefresh) => state::full_refresh(self.from, stores, place),
            Some(SyncMode::Incremental) => state::incremental(self.from, stores, place),
        }
    }

    /// The state at the end. It says no more than was seen: should the API have cut off the newest rows, the next sync
    /// finds them. All of the newest row's millisecond lies before the horizon, which is a whole second, so all of it is
    /// settled.
    pub fn end(&self) -> Value {
        match self.mode {
            None => state::without_cursor(),
            Some(SyncMode::FullRefresh) => state::complete(&self.stores),
            Some(SyncMode::Incremental) => {
                let seen = self.newest.map(|newest| newest.trunc_subsecs(3) + MILLISECOND);
                let seen = seen.zip(self.horizon).map(|(seen, horizon)| seen.min(horizon));
                state::incremental(seen.map_or(self.from, |seen| seen.max(self.from)), &self.stores, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::declared::{CONTESTS, SESSIONS, STORES};
    use super::*;
    use crate::timestamp;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    fn sync(list: &'static List, mode: SyncMode, saved: Option<Value>) -> Sync {
        let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"}, "start_date": "2025-11-01T00:00:00Z", "store_ids": [7]});
        let mut sync =
            Sync::new(list, &Config::parse(&config.to_string()).unwrap(), mode, saved.as_ref()).unwrap();
        sync.begin(at("2025-12-01T00:00:00Z"));
        sync
    }

    fn row(id: &str, updated: &str, store: Option<u64>) -> Row {
        let data = bytes::Bytes::new();
        Row { id: id.into(), updated: timestamp::parse(updated), store, data, changes: Vec::new() }
    }

    fn written(sync: &mut Sync, rows: Vec<Row>) -> Vec<String> {
        sync.due(rows).into_iter().map(|row| row.id.into()).collect()
    }

    #[test]
    fn a_rows_own_time_decides_and_a_row_of_no_store_is_kept() {
        let state = json!({"updatedAt": "2025-11-05T00:00:00.000Z"});
        let mut sync = sync(&CONTESTS, SyncMode::Incremental, Some(state));
        assert_eq!(sync.bound(), Some(at("2025-11-04T23:59:59.998Z")));
        let rows = vec![
            row("known", "2025-11-04T23:59:59.999Z", Some(7)),
            row("new", "2025-11-05T00:00:00Z", Some(7)),
            row("of no store", "2025-11-06T00:00:00Z", None),
            row("of another", "2025-11-07T00:00:00.123456Z", Some(8)),
            row("not settled", "2025-12-01T00:00:00Z", Some(7)),
        ];
        assert_eq!(written(&mut sync, rows), ["new", "of no store"]);
        assert_eq!(
            (sync.left_out(), sync.end()),
            (1, json!({"updatedAt": "2025-11-07T00:00:00.124Z", "stores": [7]}))
        );
    }

    #[test]
    fn the_cursor_never_goes_back_and_never_beyond_the_horizon() {
        let end = |saved: &str, newest: &str| {
            let mut sync = sync(&SESSIONS, SyncMode::Incremental, Some(json!({"updatedAt": saved})));
            sync.due(vec![row("1", newest, None)]);
            sync.end()["updatedAt"].as_str().unwrap().to_owned()
        };
        let (early, late) = ("2025-11-05T00:00:00.000Z", "2025-11-30T23:59:59.9999Z");
        assert_eq!(end(early, "2025-11-04T23:59:59.999Z"), early, "nothing was new");
        assert_eq!(end(early, late), "2025-12-01T00:00:00.000Z");
        assert_eq!(end("2999-01-01T00:00:00.000Z", late), "2999-01-01T00:00:00.000Z");
        assert_eq!(
            sync(&SESSIONS, SyncMode::Incremental, None).end()["updatedAt"],
            "2025-11-01T00:00:00.000Z"
        );
    }

    #[test]
    fn a_walk_that_was_cut_off_goes_on_with_its_own_horizon() {
        let mut first = sync(&SESSIONS, SyncMode::Incremental, None);
        first.due(vec![row("1", "2025-11-20T00:00:00Z", None)]);
        let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(first.under_way(Some("1"))));
        second.begin(at("2025-12-09T00:00:00Z"));
        assert_eq!(second.pass(200).question(), Pass::behind("1", 200).question());
        assert!(written(&mut second, vec![row("2", "2025-12-02T00:00:00Z", None)]).is_empty());
        assert_eq!(second.end(), json!({"updatedAt": "2025-11-20T00:00:00.001Z", "stores": [7]}));
        assert_eq!(second.under_way(None), first.under_way(Some("1")), "what it resumes from still holds");
    }

    #[test]
    fn where_every_question_behind_a_row_is_refused_the_list_is_begun_anew_once() {
        let mut first = sync(&SESSIONS, SyncMode::Incremental, None);
        first.due(vec![row("1", "2025-11-20T00:00:00Z", None)]);
        let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(first.under_way(Some("1"))));
        let begun_anew = |sync: &mut Sync| {
            let mut manner = RequestShape::wished(true);
            (0..30).any(|_| {
                manner = sync.after_refusal(manner).unwrap_or(manner);
                manner == RequestShape::wished(true)
            })
        };
        assert!(begun_anew(&mut second) && !begun_anew(&mut second));
        assert_eq!(second.pass(200).question(), first.pass(200).question());
        assert_eq!(second.end(), first.end(), "what was written is still so");
    }

    #[test]
    fn a_state_of_the_other_mode_is_no_place_to_go_on_from() {
        let incremental = json!({"updatedAt": "2025-11-05T00:00:00.000Z"});
        let full = sync(&SESSIONS, SyncMode::FullRefresh, Some(incremental));
        assert_eq!((full.from(), full.is_complete()), (Some(at("2025-11-01T00:00:00Z")), false));
        let again = sync(&SESSIONS, SyncMode::FullRefresh, Some(full.end()));
        assert!(again.is_complete() && again.under_way(None) == full.end());
        let after = sync(&SESSIONS, SyncMode::Incremental, Some(full.end()));
        assert_eq!((after.from(), after.is_complete()), (Some(at("2025-11-01T00:00:00Z")), false));
    }

    #[test]
    fn a_full_refresh_writes_what_changed_meanwhile_too() {
        let mut sync = sync(&CONTESTS, SyncMode::FullRefresh, None);
        let rows = vec![row("old", "2025-10-01T00:00:00Z", None), row("late", "2025-12-01T00:00:00Z", None)];
        assert_eq!(written(&mut sync, rows), ["late"]);
        assert_eq!(sync.closing_bound(), Some(at("2025-11-30T23:59:59.998Z")));
    }

    #[test]
    fn a_list_without_cursor_is_read_as_a_whole_whatever_the_mode_and_the_state() {
        let sync = sync(&STORES, SyncMode::Incremental, Some(json!({"cursor": 3})));
        assert_eq!((sync.bound(), sync.closing_bound()), (None, None));
        assert_eq!(sync.end(), json!({"__ab_no_cursor_state_message": true}));
    }

    #[test]
    fn two_milliseconds_back_the_last_row_comes_again_under_each_reading_of_the_bound() {
        let newest = at("2025-11-05T00:00:00.123456Z");
        let bound = newest.trunc_subsecs(3) - MILLISECOND;
        assert!(bound < newest && timestamp::floor_second(bound) < newest);
    }

    #[test]
    fn of_a_store_that_was_added_everything_is_written_and_of_the_others_what_has_changed() {
        let state = json!({"updatedAt": "2025-11-20T00:00:00.000Z", "stores": [8]});
        let mut sync = sync(&CONTESTS, SyncMode::Incremental, Some(state.clone()));
        assert_eq!(sync.bound(), Some(at("2025-10-31T23:59:59.998Z")), "from the start date");
        let rows = vec![
            row("too old", "2025-10-05T00:00:00Z", Some(7)),
            row("added", "2025-11-05T00:00:00Z", Some(7)),
            row("of no store", "2025-11-05T00:00:00Z", None),
            row("new", "2025-11-25T00:00:00Z", Some(7)),
            row("of another", "2025-11-25T00:00:00Z", Some(8)),
        ];
        assert_eq!(written(&mut sync, rows), ["added", "new"]);
        assert_eq!(sync.under_way(None), state, "of the added one nothing is said before the end");
        assert_eq!(sync.end(), json!({"updatedAt": "2025-11-25T00:00:00.001Z", "stores": [7]}));
    }

    #[test]
    fn a_full_refresh_is_begun_anew_where_stores_were_added() {
        for (stores, complete) in [(json!([7, 9]), true), (json!([9]), false)] {
            let state = json!({"__ab_full_refresh_sync_complete": true, "stores": stores});
            assert_eq!(sync(&SESSIONS, SyncMode::FullRefresh, Some(state)).is_complete(), complete);
        }
    }
}
