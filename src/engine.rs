//! One driver for all streams: what a family of streams is to it, and what it gives to one.
//!
//! A [`Family`] is one stream, or several that are read from the same responses. It is a machine: it says what to ask next, takes
//! what comes, and writes what is due. It knows neither network nor time. [`driver`] asks for all families at once, at the one
//! pace that the API allows; [`ending`] says how each stream ended.

pub(crate) mod driver;
pub(crate) mod ending;

use std::cell::Cell;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::aifi::attempt::Rows;
use crate::aifi::counts::Counts;
use crate::doubt::{Doubt, Unusable};
use crate::failure::Failure;
use crate::protocol::output::Output;
use crate::unreadable::UnreadableRows;
use ending::Endings;

/// What a family writes to, and asks of the driver.
pub(crate) struct Doors<'a> {
    /// Where messages go.
    pub output: &'a mut Output,
    /// Where items go that no record can be made of.
    pub unreadable: &'a mut UnreadableRows,
    /// How much was asked so far.
    pub counts: &'a Counts,
    /// How streams ended.
    pub endings: &'a mut Endings,
}

/// Reads a body, and keeps what it holds for the family. Comes back with how much that is.
pub(crate) type BodyReader = Box<dyn FnMut(&[u8]) -> Result<RowCount, Unusable>>;

/// How many items a body held; none where what it held cannot be believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowCount(Option<usize>);

impl Rows for RowCount {
    fn rows(&self) -> Option<usize> {
        self.0
    }
}

/// Where the content of a call's body is kept until the family takes it.
pub(crate) struct Slot<T>(Rc<Cell<Option<Result<T, Doubt>>>>);

impl<T: Rows + 'static> Slot<T> {
    /// An empty slot, and what reads a body into it by `read`.
    pub(crate) fn new(mut read: impl FnMut(&[u8]) -> Result<T, Unusable> + 'static) -> (Self, BodyReader) {
        let content = Rc::new(Cell::new(None));
        let slot = Self(content.clone());
        let reader = move |body: &[u8]| {
            let held = match read(body) {
                Ok(held) => Ok(held),
                Err(Unusable::Doubtful(doubt)) => Err(doubt),
                Err(unreadable) => return Err(unreadable),
            };
            let count = RowCount(held.as_ref().ok().and_then(Rows::rows));
            content.set(Some(held));
            Ok(count)
        };
        (slot, Box::new(reader))
    }

    /// What was read, if something was.
    pub(crate) fn take(&self) -> Option<Result<T, Doubt>> {
        self.0.take()
    }
}

/// A request that is to be made.
pub(crate) struct Call {
    /// Names the response: see [`Family::answered`].
    pub ticket: u64,
    /// What is asked for, as people call it. One of [`Family::kinds`].
    pub what: &'static str,
    /// The path below the base URL.
    pub path: String,
    /// The query, encoded.
    pub query: String,
    /// How often it has been made, this time included. It waits before it is made again.
    pub attempt: u32,
    /// What was wrong with the response before, as a clause.
    pub doubted: String,
    /// It is asked for ahead, on a guess: a refusal is not argued with.
    pub guess: bool,
    /// Reads the body. An error says that it is not whole, so that the request is made again.
    pub read: BodyReader,
}

/// What a response was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It brought the reading on.
    Progress,
    /// It could not be believed.
    None,
}

/// Streams that are read from the same responses.
pub(crate) trait Family {
    /// The stream that stands for all of them, in the log and in the heartbeat.
    fn name(&self) -> &'static str;

    /// What it asks for: the [`Call::what`] of its calls.
    fn kinds(&self) -> &'static [&'static str];

    /// What the last state of [`Self::name`] said, to say it again while nothing gets on.
    fn last_state(&self) -> Value;

    /// How many records were written, and up to when everything is.
    fn progress(&self) -> (u64, Option<DateTime<Utc>>);

    /// Whether it can make use of any number of turns in a row, so that it catches up later what it is passed over now. Others
    /// have to wait for responses: a turn that they do not get makes the sync longer.
    fn catches_up(&self) -> bool {
        false
    }

    /// Whether it waits until it is alone.
    fn waits(&self) -> bool {
        false
    }

    /// What is most worth asking now. None, while only responses bring it on.
    fn next(&mut self) -> Result<Option<Call>, Failure>;

    /// What may be asked with a turn that no family needs: a guess.
    fn spare(&mut self) -> Option<Call> {
        None
    }

    /// The call with this ticket was answered, and its body read. `date` is the server's clock.
    fn answered(
        &mut self,
        ticket: u64,
        date: Option<DateTime<Utc>>,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure>;

    /// The call with this ticket failed. The failure comes back where the reading cannot do without.
    fn refused(&mut self, ticket: u64, failure: Failure, doors: &mut Doors<'_>) -> Result<(), Failure>;

    /// Writes what is due.
    fn write(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure>;

    /// Whether everything is read and written.
    fn is_done(&self) -> bool;

    /// The reading has ended, complete or with its failure: says so of its streams. Whether another part follows, whose responses
    /// are to be told apart from those of this one.
    fn end(&mut self, result: Result<(), Failure>, doors: &mut Doors<'_>) -> Result<bool, Failure>;

    /// The sync ends for another reason: states what was written, and says that the streams are not complete.
    fn leave(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure>;
}
