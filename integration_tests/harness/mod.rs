//! Runs the binary and reads what it says.

mod api;
mod family;
pub mod inbox;
mod outcome;
mod run;
mod server;
mod side_by_side;
mod table;
mod tls;
mod truth;

pub use api::{Nulls, api, without};
pub use family::{FAMILY, OF_THE_API, Warehouse, key};
pub use outcome::{Outcome, Rules};
pub use run::{Run, TOKEN, application, config, configured_catalog, sandbox};
pub use server::{JSON, Said, Server};
pub use side_by_side::side_by_side;
pub use table::{assert_holds, ids, total};
pub use tls::TlsFront;
pub use truth::Truth;
