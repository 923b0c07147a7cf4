//! One slice of one selection, read with pages ahead: requests out, responses in, rows in order. Pure.
//!
//! The walk decides what may be believed and `ReadAhead` what to ask for next; this keeps the responses that arrived
//! before their turn.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::Failure;
use crate::orders::NAME;
use crate::orders::api::page::Row;
use crate::orders::api::query::{Request, Selection};
use crate::orders::slice::keyset::{Fit, KeysetWalk, Slice};
use crate::orders::slice::newest::Target;
use crate::orders::slice::page_size::PageSize;
use crate::orders::slice::read_ahead::{ReadAhead, fresh};

/// After so many pages ahead in a row that were of no use, the rest is read by key: the API makes something else of page
/// numbers than we think.
const USELESS: u32 = 8;

/// A page that was asked for.
#[derive(Debug)]
struct PendingPage {
    ticket: u64,
    size: usize,
    /// Asked for by key, from where the walk stood.
    by_key: bool,
    /// The number of the row that it is thought to begin with, if asked for ahead.
    begin: i64,
    answer: Option<Result<Vec<Row>, Doubt>>,
}

/// The reading of one slice of one selection.
#[derive(Debug)]
pub(crate) struct SliceReader {
    selection: Selection,
    /// None, until it is known where the slice ends.
    walk: Option<KeysetWalk>,
    ahead: ReadAhead,
    /// In the order of their rows.
    pending: VecDeque<PendingPage>,
    /// How often the present request by key was made.
    attempts: u32,
    /// How many pages ahead in a row were of no use.
    useless: u32,
    page_size: PageSize,
    /// There is much to read: pages ahead are asked for before a row is known.
    much: bool,
}

impl SliceReader {
    /// Starts at `start`; where it ends becomes known later.
    pub(crate) fn from(start: DateTime<Utc>, selection: Selection) -> Self {
        let ahead = ReadAhead::new(start);
        let page_size = PageSize::default();
        Self {
            selection,
            walk: None,
            ahead,
            pending: VecDeque::new(),
            attempts: 0,
            useless: 0,
            page_size,
            much: false,
        }
    }

    /// The same, where much is to be expected.
    pub(crate) fn of_much(start: DateTime<Utc>, selection: Selection) -> Self {
        Self { much: true, ..Self::from(start, selection) }
    }

    /// One with nothing to read.
    pub(crate) fn over(selection: Selection, at: DateTime<Utc>) -> Self {
        let walk = KeysetWalk::new(Slice { start: at, end: at }, selection.clone(), None);
        Self { walk: Some(walk), ..Self::from(at, selection) }
    }

    /// Where the slice ends, and the newest orders before the end, or an order behind it. Hands out rows.
    pub(crate) fn until(&mut self, end: DateTime<Utc>, goal: Option<Target>) -> Result<Vec<Row>, Failure> {
        let slice = Slice { start: self.ahead.start(), end };
        self.walk = Some(KeysetWalk::new(slice, self.selection.clone(), goal));
        self.go_on()
    }

    /// Everything before it has been handed out; none before the end is known.
    pub(crate) fn position(&self) -> Option<DateTime<Utc>> {
        self.walk.as_ref().map(KeysetWalk::position)
    }

    /// Whether everything has been handed out.
    pub(crate) fn is_done(&self) -> bool {
        self.walk.as_ref().is_some_and(KeysetWalk::is_done)
    }

    /// How many requests are under way, or answered before their turn.
    pub(crate) fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// About how many orders there are in all; none while nothing is known.
    pub(crate) fn estimate(&self) -> Option<u64> {
        let walk = self.walk.as_ref()?;
        let estimate =
            if walk.is_done() { Some(self.ahead.count()) } else { self.ahead.estimate(walk.end()) };
        u64::try_from(estimate?).ok()
    }

    /// The next request worth making; with `room`, also one ahead of the walk.
    pub(crate) fn request(&mut self, ticket: u64, room: bool) -> Option<Request> {
        let walk = self.walk.as_ref();
        if walk.is_some_and(KeysetWalk::is_done) {
            return None;
        }
        let mut query = match walk {
            Some(walk) => walk.request()?,
            None => KeysetWalk::request_from(self.ahead.start(), None, &self.selection),
        };
        // Within one second pages are turned, whose numbers depend on their size.
        if !walk.is_some_and(KeysetWalk::is_dense) {
            query.page_size = query.page_size.min(self.page_size.most());
        }
        // The front is under way, or it begins behind the position: then what lies between is asked for by key.
        let waiting = self.pending.front().is_some_and(|front| front.by_key || front.answer.is_none());
        if !waiting {
            let held = walk.map_or(0, KeysetWalk::held);
            self.ahead.ask_by_key(held, self.pending.is_empty());
            self.attempts += 1;
            let size = query.page_size;
            self.pending.push_front(PendingPage { ticket, size, by_key: true, begin: 0, answer: None });
            return Some(Request { query, attempt: self.attempts });
        }
        let blind = self.ahead.count() == 0 && !self.much;
        if !room || blind || self.useless >= USELESS || walk.is_some_and(KeysetWalk::is_dense) {
            return None;
        }
        let limit = walk.and_then(|walk| self.ahead.limit(walk.tail_start()));
        let (query, begin) = self.ahead.request(&query, limit)?;
        let size = query.page_size;
        self.pending.push_back(PendingPage { ticket, size, by_key: false, begin, answer: None });
        Some(Request::first(query))
    }

    /// Takes the response to the request with this ticket. Hands out rows.
    pub(crate) fn answer(
        &mut self,
        ticket: u64,
        answer: Result<Vec<Row>, Doubt>,
    ) -> Result<Vec<Row>, Failure> {
        // A response that nobody waits for any more: the walk was done without it.
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.ticket == ticket) {
            pending.answer = Some(answer);
        }
        self.go_on()
    }

    /// The API does not accept the request with this ticket. If it was one ahead, the rest is read by key; whether it was.
    pub(crate) fn refused(&mut self, ticket: u64) -> bool {
        let Some(place) = self.pending.iter().position(|pending| pending.ticket == ticket) else {
            return true;
        };
        if self.pending[place].by_key {
            return false;
        }
        _ = self.pending.remove(place);
        self.useless = USELESS;
        true
    }

    /// The response to the request with this ticket is too large to be read. Whether smaller pages help.
    pub(crate) fn too_large(&mut self, ticket: u64) -> bool {
        let Some(place) = self.pending.iter().position(|pending| pending.ticket == ticket) else {
            return true;
        };
        let walk = self.walk.as_ref();
        // A request by key has to bring known orders back, and one more.
        let fewest = walk.map_or(0, KeysetWalk::held) + 1;
        let page = &self.pending[place];
        if walk.is_some_and(KeysetWalk::is_dense) || !self.page_size.too_large(page.size, fewest.max(2)) {
            return false;
        }
        self.attempts = self.attempts.saturating_sub(u32::from(page.by_key));
        self.ahead.ask_for(self.page_size.most());
        _ = self.pending.remove(place);
        true
    }

    /// How many bytes of records wait for their turn.
    pub(crate) fn held_bytes(&self) -> usize {
        let rows = self.pending.iter().filter_map(|pending| pending.answer.as_ref()?.as_ref().ok());
        rows.flatten().map(|row| row.data.len()).sum()
    }

    /// Whether the request with this ticket was made ahead of the walk, so that it can do without the response.
    pub(crate) fn is_ahead(&self, ticket: u64) -> bool {
        self.pending.iter().any(|pending| pending.ticket == ticket && !pending.by_key)
    }

    /// Feeds the walk with what has arrived, as far as it goes.
    fn go_on(&mut self) -> Result<Vec<Row>, Failure> {
        let Some(mut walk) = self.walk.take() else { return Ok(Vec::new()) };
        let before = walk.position();
        let mut out = walk.finish();
        let fed = loop {
            if walk.is_done() || self.pending.front().is_none_or(|front| front.answer.is_none()) {
                break Ok(());
            }
            let Some(front) = self.pending.pop_front() else { break Ok(()) };
            match self.feed(&mut walk, front) {
                Ok(Some(rows)) => out.extend(rows),
                Ok(None) => break Ok(()),
                Err(failure) => break Err(failure),
            }
            out.append(&mut walk.finish());
        };
        debug_assert!(before <= walk.position(), "the position never falls");
        debug_assert!(out.is_sorted_by_key(|row| row.at), "rows come in order");
        debug_assert!(
            out.first().is_none_or(|row| before <= row.at),
            "nothing is handed out from before the position"
        );
        if walk.is_done() {
            self.pending.clear();
        }
        self.walk = Some(walk);
        fed.map(|()| out)
    }

    /// Feeds the walk with one response. Hands out rows; none, if a request by key has to come first.
    fn feed(&mut self, walk: &mut KeysetWalk, mut page: PendingPage) -> Result<Option<Vec<Row>>, Failure> {
        let rows = match page.answer.take() {
            Some(Ok(rows)) => rows,
            Some(Err(doubt)) if page.by_key => return self.look_again(doubt).map(|()| None),
            // From a page ahead nothing is concluded. If it is missing, its place is asked for by key.
            Some(Err(_)) | None => return Ok(Some(Vec::new())),
        };
        let come = rows.len();
        let new = fresh(&rows, walk.end(), |row| walk.has_seen(row));
        if page.by_key {
            let dense = walk.is_dense();
            let rows = match walk.accept(rows) {
                Ok(rows) => rows,
                Err(doubt) => return self.look_again(doubt).map(|()| None),
            };
            if dense {
                self.ahead.took(&rows.iter().map(|row| row.at).collect::<Vec<_>>());
            } else if !walk.is_dense() {
                self.ahead.came(come, page.size);
                self.ahead.took(&new);
            }
            self.attempts = 0;
            self.fits();
            return Ok(Some(rows));
        }
        match walk.take_ahead(rows) {
            Fit::Joins(rows) => {
                self.ahead.came(come, page.size);
                let drift = self.ahead.joined(page.begin, come - new.len());
                self.ahead.took(&new);
                self.shift(drift);
                self.attempts = 0;
                self.useless = 0;
                self.fits();
                Ok(Some(rows))
            }
            Fit::Useless => {
                self.useless += 1;
                let early = if come > 0 { self.ahead.came_early() } else { 0 };
                self.shift(early);
                Ok(Some(Vec::new()))
            }
            Fit::Beyond(rows) => {
                if rows.first().is_some_and(|row| row.at == walk.position()) {
                    self.ahead.touched(walk.held());
                }
                self.pending.push_front(PendingPage { answer: Some(Ok(rows)), ..page });
                Ok(None)
            }
        }
    }

    fn fits(&mut self) {
        if self.page_size.fits() {
            self.ahead.ask_for(self.page_size.most());
        }
    }

    /// The same is asked again, unless that was done often enough.
    fn look_again(&self, doubt: Doubt) -> Result<(), Failure> {
        if self.attempts >= MAX_ATTEMPTS { Err(doubt.into_failure(NAME, self.attempts)) } else { Ok(()) }
    }

    /// The pages under way begin so much earlier than was thought.
    fn shift(&mut self, drift: i64) {
        for page in &mut self.pending {
            page.begin -= drift;
        }
    }
}
