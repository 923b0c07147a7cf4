//! What can be set, and the small machines behind it.

mod auth;
mod behaviour;
mod faults;
mod options;
mod rate_limit;
mod webhook;

pub use auth::Auth;
pub(crate) use auth::{Access, Tokens};
pub use behaviour::{
    Behaviour, Bounds, Envelope, FirstPage, Ids, IsLatest, Stamps, Superseded, Ties, UnknownParameters,
    UpdatedAt, UpdatedFilter, VersionIds, Versions,
};
pub(crate) use faults::Injector;
pub use faults::{Fault, Faults};
pub use options::Options;
pub use rate_limit::{Limit, Limiter, RetryAfter};
pub use webhook::{Push, Trouble};
