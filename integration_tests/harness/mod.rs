//! Runs the binary and reads what it says.

mod outcome;
mod run;
mod table;
mod tls;

pub use outcome::Outcome;
pub use run::{Run, TOKEN, config, configured_catalog, sandbox};
pub use table::{assert_holds, ids, total};
pub use tls::TlsFront;
