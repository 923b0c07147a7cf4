//! Syncs in virtual time: the connector's own decisions (what to ask, when, what to believe, when to ask again) against
//! the sandbox's model of the API, without sockets. A month of syncs passes in seconds.

mod life;
mod warehouse;
mod world;

pub use life::Life;
pub use warehouse::Warehouse;
pub use world::{Weather, World};
