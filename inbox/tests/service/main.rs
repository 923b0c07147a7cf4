//! The inbox over HTTP, on SQLite and on PostgreSQL.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that fails here says where"
)]

mod connector;
mod durable;
mod failing;
mod harness;
mod hostile;
mod load;
mod operation;
mod overload;
mod postgres;
mod pushed;
mod reading;
mod receiving;
mod recovery;
mod relay;
mod shop;
mod target;
