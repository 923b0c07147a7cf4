//! The Airbyte protocol (version 0.x), as far as a source speaks it.
//!
//! The rules of the wire that this module keeps:
//!
//! * one message a line on stdout, and nothing else there; a line is written whole or not at all;
//! * a STATE is flushed together with everything before it, so whoever sees it has seen its records;
//! * `sourceStats.recordCount` is the number of records of that stream since its previous STATE. It is counted
//!   where records are written, so it cannot be wrong;
//! * `emitted_at` is in milliseconds and never goes back.

pub mod catalog;
pub(crate) mod generation;
pub(crate) mod message;
pub mod output;
pub(crate) mod personal_mark;
pub(crate) mod scrub;
pub(crate) mod start_date;
pub mod state;
