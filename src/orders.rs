//! The `orders` stream: one record per order, from `GET /orders?includeProducts=true`.
//!
//! How it is read completely, in the order in which the modules do it:
//!
//! 1. The server's own clock, minus a settle delay, fixes the [`horizon`](crate::horizon::horizon) of the sync before
//!    anything is read. Nothing at or after it is emitted, and the cursor never passes it.
//! 2. [`tail`] asks for the newest orders before the horizon. As long as a walk has not arrived at them, an answer
//!    without further orders is known to be wrong. So an empty answer is never taken for the end, and a truly quiet
//!    API is told apart by one question.
//! 3. [`walk`] goes from the cursor to the newest orders by key: sorted by `draftCreatedAt`, each question starts at
//!    the last timestamp seen and must bring the order it continues from back. `ahead` says which pages to ask for
//!    before the walk needs them; [`reading`] hands them to it in order. A second in which one page cannot get on is
//!    [`dense`].
//! 4. `sweep` then finds the orders before the cursor that have changed since the last sync, if [`probe`] finds that
//!    the API can tell. [`window`] finds changes where it cannot: by reading the last days again.
//! 5. [`versions`] tells the newest version of each order from the older ones.
//! 6. [`sync`] is all of this as one machine (`lane` for each selection, `lanes` for all): questions out, answers in, records and
//!    states out. `plan` decides what is read, `writing` turns rows into records and states (`undated` those that no walk
//!    can place), [`cursor`] says what a state means, [`tally`] sums up what was written ([`audit`] makes receipts of it),
//!    `told` what people read.
//! 7. [`read`] drives the machine: against the API, at its pace.
//!
//! All of it but [`read`] and [`check`] is pure.

mod ahead;
mod ask;
pub mod audit;
pub mod check;
pub mod cursor;
pub mod dense;
pub mod detail;
pub mod details;
pub mod groups;
pub mod honours;
mod lane;
mod lanes;
mod late;
mod lines;
pub mod page;
mod page_size;
mod plan;
pub mod probe;
pub mod query;
pub mod read;
pub mod reading;
mod recent;
mod records;
pub mod streams;
mod sweep;
pub mod sync;
pub mod tail;
pub mod tally;
mod told;
mod undated;
pub mod versions;
pub mod walk;
pub mod window;
mod writing;

/// The stream's name.
pub const NAME: &str = "orders";
/// The primary key.
pub const PRIMARY_KEY: &str = "id";
/// The cursor field.
pub const CURSOR_FIELD: &str = "draftCreatedAt";
