//! From an object of the API to a record that keeps what the stream's schema promises.
//!
//! The schema file is the only declaration: `shape` compiles it, `transcode` walks the API's JSON once and
//! writes the record as it goes (what is nearly JSON is made into JSON before, by `repair`); `list` does so for a whole
//! response, `object` for a single one, [`schema`] keeps both forms of the file, and [`personal`] says what leaves of
//! personal data. No number passes through a float, no text is re-encoded, unknown fields are kept.

pub(crate) mod compact;
pub(crate) mod digest;
pub(crate) mod findings;
mod key;
pub(crate) mod list;
pub(crate) mod object;
pub mod personal;
mod repair;
mod scalar;
pub mod schema;
pub(crate) mod shape;
pub(crate) mod transcode;
