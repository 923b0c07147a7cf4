//! The other lists, a file each.

pub(crate) mod contests;
pub(crate) mod products;
pub(crate) mod sessions;
pub(crate) mod stores;
