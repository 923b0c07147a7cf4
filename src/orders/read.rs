//! Reads the stream: drives the walks, writes records, and says in the state what has been written.

use std::collections::BTreeSet;
use std::pin::pin;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedReceiver;

use super::ask::Asker;
use super::cursor::{self, Cursor, Saved};
use super::newest::{Search, Witness};
use super::page::Row;
use super::query::Selection;
use super::versions::{Superseded, newest_of_each};
use super::walk::{Slice, Walk};
use super::{Doubt, NAME};
use crate::aifi::http::{Event, Http};
use crate::clock;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;
use crate::terminal::Progress;
use crate::timestamp;

/// A state is written after this many records: often enough that a sync which is cut off repeats little, rarely enough
/// that a destination is not busy with states.
const RECORDS_PER_STATE: u64 = 1_000;

/// While requests are refused one after the other, the state is repeated this often, so that the platform's heartbeat
/// sees that we live.
const REPEAT_STATE: std::time::Duration = std::time::Duration::from_secs(30);

/// Everything a sync of the stream needs.
pub struct Reader<'a> {
    config: &'a Config,
    http: &'a Http,
    events: &'a mut UnboundedReceiver<Event>,
    output: &'a mut Output,
    progress: Progress,
    saved: Option<Saved>,
    cursor: Cursor,
    /// What the last state said.
    stated: DateTime<Utc>,
    last_repeated: Option<std::time::Instant>,
    superseded: Superseded,
    left_out: u64,
    records: u64,
    named: BTreeSet<String>,
}

/// What the walks of a sync are made of.
struct Plan {
    end: DateTime<Utc>,
    walks: Vec<Walk>,
}

impl<'a> Reader<'a> {
    /// Prepares a sync from a saved state.
    pub fn new(
        config: &'a Config,
        http: &'a Http,
        events: &'a mut UnboundedReceiver<Event>,
        output: &'a mut Output,
        mode: SyncMode,
        saved: Option<&serde_json::Value>,
    ) -> Result<Self, Failure> {
        let saved = saved.map(Saved::parse).transpose()?;
        let cursor = Cursor::new(mode, config.start_date, saved);
        Ok(Self {
            config,
            http,
            events,
            output,
            progress: Progress::new(NAME),
            saved,
            cursor,
            stated: cursor.start(),
            last_repeated: None,
            superseded: Superseded::default(),
            left_out: 0,
            records: 0,
            named: BTreeSet::new(),
        })
    }

    /// Reads everything that is due. On a failure, what was written before it has its state.
    pub async fn read(mut self) -> Result<(), Failure> {
        self.output.status(NAME, Status::Running)?;
        let mut plan = Plan { end: self.cursor.start(), walks: Vec::new() };
        let result = self.walk(&mut plan).await;
        self.progress.finish();
        match result {
            Ok(()) => {
                self.output.state(NAME, &self.cursor.state(plan.end, true))?;
                self.receipt(plan.end)
            }
            Err(failure) => {
                // Nothing is closed: the state covers what every walk has handed out, and no more. If even that cannot
                // be written, the first failure is the one to tell.
                if !plan.walks.is_empty() {
                    _ = self.checkpoint(&plan.walks);
                }
                Err(failure)
            }
        }
    }

    async fn walk(&mut self, plan: &mut Plan) -> Result<(), Failure> {
        let http = self.http;
        let mut asker = Asker::new(http);
        self.plan(&mut asker, plan).await?;
        // The walk that is furthest behind goes on, so that the state, which is the lowest position, gets on too.
        while let Some(walk) =
            plan.walks.iter_mut().filter(|walk| walk.question().is_some()).min_by_key(|walk| walk.position())
        {
            let Some(question) = walk.question() else { break };
            let (rows, _) = self.attend(asker.ask(&question, |rows| walk.accept(rows))).await?;
            self.write(rows)?;
            self.name_unknown_fields(&asker)?;
            if self.output.records_since_state(NAME) >= RECORDS_PER_STATE {
                self.checkpoint(&plan.walks)?;
            }
            self.progress.show(self.records, http.asks().requests, lowest(&plan.walks));
        }
        Ok(())
    }

    /// Fixes the horizon and finds the witness of each selection.
    async fn plan(&mut self, asker: &mut Asker<'_>, plan: &mut Plan) -> Result<(), Failure> {
        let selections = Selection::all_of(&self.config.store_ids, &self.config.customer_roles);
        let first = Search::first_question(selections[0].clone());
        let (newest, date) = self
            .attend(asker.ask(&first, |rows| {
                first.verify(&rows)?;
                Ok(rows)
            }))
            .await?;
        if date.is_none() {
            let text = "orders: the server does not tell its time (no Date header), so this machine's clock is used. If it is ahead, orders that surface late could be passed over.";
            self.output.log(Level::Warn, text)?;
        }
        plan.end = cursor::horizon(date.unwrap_or_else(clock::now), self.config.end_date);
        let Some(slice) = self.cursor.slice(plan.end, self.saved) else {
            let (start, end) = (timestamp::write(self.cursor.start()), timestamp::write(plan.end));
            return self.output.log(Level::Info, &format!("orders: nothing to read: everything before {start} is read, and this sync would end at {end}"));
        };
        self.announce(slice)?;
        // Handed over only when every selection is planned: a failure before that must not take the walks that are known
        // for all there are.
        let (mut walks, mut any) = (Vec::new(), false);
        let mut of_role: Option<(Selection, Witness)> = None;
        for (position, selection) in selections.into_iter().enumerate() {
            let mut search = Search::new(slice.end, selection.clone());
            if position == 0 {
                // The first question's answer was verified as an answer to it; it may hold the witness already.
                _ = search.accept_first(&newest);
            }
            while search.found().is_none() {
                self.attend(asker.ask(&search.question(), |rows| search.accept(&rows))).await?;
            }
            let witness = search.found().flatten().cloned();
            if let Some(witness) = &witness {
                any = true;
                roles_are_told_apart(of_role.as_ref(), &selection, witness)?;
                of_role = Some((selection.clone(), witness.clone()));
            }
            walks.push(Walk::new(slice, selection, witness));
        }
        if any {
            plan.walks = walks;
        } else {
            // An empty list is no order's word: the cursor stays, and the next sync looks again.
            plan.end = slice.start;
        }
        Ok(())
    }

    /// Runs `work`, and meanwhile tells what happens below it.
    async fn attend<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.tell(event)?,
                done = &mut work => return done,
            }
        }
    }

    fn tell(&mut self, event: Event) -> Result<(), Failure> {
        let (wait, rate_limited, what, attempt) = match event {
            Event::Fetched(token) => {
                self.output.keep_secret(token.expose());
                return Ok(());
            }
            Event::Waiting { wait, rate_limited, what, attempt } => (wait, rate_limited, what, attempt),
        };
        // A single repetition is everyday life; from the third on somebody may want to know.
        if attempt == 3 || (attempt > 3 && wait.as_secs() >= 1) {
            let text =
                format!("orders: {what}; attempt {attempt}, asking again in {:.1} s", wait.as_secs_f64());
            self.output.log(Level::Warn, &text)?;
        }
        let now = clock::instant();
        if self.last_repeated.is_none_or(|last| now - last >= REPEAT_STATE) {
            self.last_repeated = Some(now);
            if rate_limited {
                let until = clock::now() + wait;
                self.output.rate_limited(NAME, until.timestamp_millis())?;
            }
            self.output.state(NAME, &self.cursor.state(self.stated, false))?;
        }
        Ok(())
    }

    fn write(&mut self, rows: Vec<Row>) -> Result<(), Failure> {
        let statuses = &self.config.statuses;
        for row in newest_of_each(rows, &mut self.superseded) {
            let wanted =
                statuses.is_empty() || statuses.iter().any(|status| row.status.as_deref() == Some(status));
            if wanted {
                self.output.record(NAME, &row.data, &row.changes)?;
                self.records += 1;
            } else {
                self.left_out += 1;
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, walks: &[Walk]) -> Result<(), Failure> {
        if let Some(position) = lowest(walks) {
            // A state is a proof: everything before the lowest position has been handed out and written above, and
            // writing the state flushes it. Positions hold still while there is a doubt, so the mark is never ahead.
            self.stated = position;
            self.output.state(NAME, &self.cursor.state(position, false))?;
        }
        Ok(())
    }

    fn announce(&mut self, slice: Slice) -> Result<(), Failure> {
        let why = if self.saved.is_none() { "from the start date" } else { "from where the state ends" };
        let (start, end) = (timestamp::write(slice.start), timestamp::write(slice.end));
        self.output.log(
            Level::Info,
            &format!("orders: reading what was drafted from {start} ({why}) until {end} (the server's clock less the settle delay of 2 minutes, or the end date), at up to {} requests a second", self.config.requests_per_second),
        )
    }

    fn receipt(&mut self, end: DateTime<Utc>) -> Result<(), Failure> {
        let asks = self.http.asks();
        let mut text = format!(
            "orders: complete up to {}: {} records, {} requests, of which {} were refused by the rate limit and {} repeated for other reasons",
            timestamp::write(end.max(self.cursor.start())),
            self.records,
            asks.requests,
            asks.refused,
            asks.repeated
        );
        if self.left_out > 0 {
            text.push_str(&format!("; {} orders of other statuses left out", self.left_out));
        }
        if self.superseded.versions > 0 {
            text.push_str(&format!("; {} superseded versions left out", self.superseded.versions));
        }
        self.output.log(Level::Info, &text)?;
        if self.superseded.alone > 0 {
            let text = format!(
                "orders: {} of the versions left out say that they are superseded (isLatest), but no newer version was listed beside them. If orders are missing in your warehouse, please report this.",
                self.superseded.alone
            );
            self.output.log(Level::Warn, &text)?;
        }
        Ok(())
    }

    fn name_unknown_fields(&mut self, asker: &Asker<'_>) -> Result<(), Failure> {
        if asker.unknown_fields().count() == self.named.len() {
            return Ok(());
        }
        let new: Vec<String> =
            asker.unknown_fields().filter(|name| !self.named.contains(*name)).map(str::to_owned).collect();
        self.output.log(
            Level::Info,
            &format!("orders: the API sends fields that this version's schema does not know; they are kept (at the top level in additionalFields): {}", new.join(", ")),
        )?;
        self.named.extend(new);
        Ok(())
    }
}

/// An order belongs to a customer of one role. If it is the newest of two roles, the filter is ignored, and every order
/// would come once for each role.
fn roles_are_told_apart(
    before: Option<&(Selection, Witness)>,
    selection: &Selection,
    witness: &Witness,
) -> Result<(), Failure> {
    match before {
        Some((other, same)) if other.store_id == selection.store_id && same == witness => {
            let text =
                "order filters by customer role are ignored: the same order is the newest of two roles";
            Err(Doubt::new(FailureKind::OutOfRange, text).into_failure(2))
        }
        _ => Ok(()),
    }
}

fn lowest(walks: &[Walk]) -> Option<DateTime<Utc>> {
    walks.iter().map(Walk::position).min()
}
