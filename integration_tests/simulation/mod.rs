//! Syncs in virtual time: the connector as it ships, from the selection of streams to the last line of its output, against the
//! sandbox's model of the API. It replaces the network below HTTP, and waiting takes no time, so a month of syncs passes in
//! seconds. All that is random comes from a seed.

mod api;
mod destination;
mod life;
mod rows;
mod world;

pub use destination::Destination;
pub use rows::{Bound, Filter, Gone, Moves, Readings, RowServer};
pub use world::{End, Run, World};
