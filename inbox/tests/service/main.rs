//! The inbox over HTTP, on SQLite and on PostgreSQL.

mod durable;
mod harness;
mod load;
mod postgres;
mod reading;
mod receiving;
mod relay;
mod target;
