//! Streams that are one list endpoint each: declared in [`declared`], read by one loop.
//!
//! A further list needs a schema file and a declaration. How a list is read completely:
//!
//! 1. `pass` says which part to ask for next. Every part after the first is asked for so that it brings rows back that
//!    are known. So neither a gap, nor an empty response, nor a parameter that the API ignores can be taken for the end.
//!    `keyed` and `numbered` are the two kinds of `position`s in a list.
//! 2. `query` spells the request, `page` reads the response.
//! 3. `sync` decides what of it is written, and what the state says; `state` is its form. `recent` names the newest rows,
//!    so that one that was overlooked is found. `passes` decides how many passes it takes.
//!    `leads` says what is asked for ahead; `stride` is how far the ids of one page are from those of the next.
//! 4. `reading` is all of this as one machine; `log` is what people read. `check` proves that a list can be read.
//!
//! All of it but `check` is without network.

pub(crate) mod check;
pub mod declared;
mod keyed;
mod leads;
mod log;
mod numbered;
pub(crate) mod page;
pub(crate) mod pass;
pub(crate) mod passes;
mod position;
pub(crate) mod query;
pub(crate) mod reading;
pub(crate) mod recent;
pub(crate) mod state;
mod stride;
pub(crate) mod sync;
