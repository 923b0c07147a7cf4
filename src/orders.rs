//! The `orders` stream: one record per order, from `GET /orders?includeProducts=true`.
//!
//! # Words
//!
//! * *Partition*: one store and customer role, as the API is asked for them ([`query::Selection`](api::query::Selection)).
//! * *Slice*: a range of draft dates of one partition, read completely.
//! * *Cursor*: the draft date up to which everything is written.
//! * *Horizon*: where a sync ends, fixed before anything is read.
//! * *Target*: the newest orders of a slice; a slice is read when it has arrived at them.
//! * *Sweep*: the search for orders before the cursor that have changed. Its *witness* is an order that it must bring back.
//! * *Window*: digests of the last days, which tell what has changed where no update time does.
//! * *Checkpoint*: the moment at which a state is written. *Effect*: what the machine wants written.
//! * *Attempt*: how often a request was made whose response could not be believed.
//!
//! # Rooms
//!
//! A row is handed down: from [`api`] through [`mod@slice`] and [`sync`] to [`records`]. Each room imports from those above it
//! only; a test holds that.
//!
//! | room | what it is for |
//! | --- | --- |
//! | [`streams`] | the streams of the family: names, keys, schemas |
//! | [`api`] | what is asked, and what comes |
//! | [`mod@slice`] | one slice of one partition, read completely |
//! | [`state`] | what a state says |
//! | [`sync`] | one sync as a machine: requests out, responses in, effects out |
//! | [`records`] | what leaves, by stream |
//! | `reading`, [`family`] | the machine that the driver runs |
//! | `page_client`, [`check`], [`diagnose`] | the only files that wait |
//!
//! # How the orders are read completely
//!
//! 1. The server's own clock, minus a settle delay, fixes the [`horizon`](crate::horizon::horizon) before anything is read.
//!    Nothing at or after it is emitted, and the cursor never passes it.
//! 2. [`slice::newest`] asks for the newest orders before the horizon. As long as a slice has not arrived at them, an empty
//!    response is known to be wrong.
//! 3. [`slice::keyset`] goes from the cursor to the newest orders by key: sorted by `draftCreatedAt`, each request starts at
//!    the last timestamp seen and must bring the order it continues from back. `read_ahead` says which pages to ask for before
//!    they are needed; [`slice::reader`] hands them over in order. A second in which one page cannot get on is
//!    [`slice::dense_second`].
//! 4. `sweep` then finds the orders before the cursor that have changed since the last sync, if [`sync::filter_probe`] finds
//!    that the API can tell. [`state::reread`] finds changes where it cannot: by reading the last days again.
//! 5. [`sync::versions`] tells the newest version of each order from the older ones.
//! 6. [`sync`] is all of this as one machine: `plan` decides what is read, `emitter` turns rows into effects,
//!    [`state::cursor`] says what a state means, [`records::audit`] makes receipts of what was written.
//! 7. `reading` is the machine together with the records that it feeds, and the pages of single orders; [`family`] takes one
//!    reading after the other, as the states of the streams need it. The [`driver`](crate::engine::driver) runs it.

pub(crate) mod api;
pub(crate) mod check;
pub(crate) mod diagnose;
pub(crate) mod family;
mod page_client;
pub(crate) mod reading;
pub(crate) mod records;
pub(crate) mod slice;
pub(crate) mod state;
pub(crate) mod streams;
pub(crate) mod sync;

/// The stream's name.
pub(crate) const NAME: &str = "orders";
/// The primary key.
pub(crate) const PRIMARY_KEY: &str = "id";
/// The cursor field.
pub(crate) const CURSOR_FIELD: &str = "draftCreatedAt";
/// The path of the list.
const PATH: &str = "/orders";
/// What pages of single orders are called, where requests are counted.
const DETAILS: &str = "details of orders";
/// What is asked for.
const KINDS: &[&str] = &[NAME, DETAILS];
