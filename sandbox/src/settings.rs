//! What can be set, and the small machines behind it.

pub(crate) mod auth;
pub(crate) mod behaviour;
pub(crate) mod faults;
pub(crate) mod options;
pub(crate) mod rate_limit;
