//! An AiFi Admin API on loopback, for tests without an account.
//!
//! The sandbox serves lists of the API and an OAuth token address, all from generated orders. What AiFi's
//! documentation leaves open is a switch of [`Behaviour`]; what goes wrong between two machines is a [`Fault`].
//! It also calls the checkout webhook, if it is given one ([`Push`]).
//!
//! Below `/api/admin/v2` there are `/orders` and `/orders/{orderId}`, and each list of `lists` by its name; its file says
//! how it is paged, and whether there is a single object below it. [`resources`] names them all.
//!
//! Where the words KNOWN, INFERRED and UNKNOWN are in capitals, they say what is documented.
//!
//! ```
//! use aifi_sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options { orders: 10, ..Options::default() }).expect("a free port");
//! let answer = sandbox.answer("/api/admin/v2/orders?pageSize=200", Some("sandbox-token-0123456789"));
//! assert_eq!(answer.status, 200);
//! ```
//!
//! Each room may use those above it, which a test checks:
//!
//! | room | holds |
//! | --- | --- |
//! | `random` | numbers drawn from a seed |
//! | `settings` | what can be set, and the small machines behind it |
//! | `time` | moments, and how they are spelled |
//! | `shop` | what a retailer has: stores, products, orders and their life, sessions |
//! | `endpoint` | what all endpoints have in common: declaration, parameters, parts of lists, how values are spelled |
//! | `orders` | from a request to a page of orders, or to one order |
//! | `lists` | the other lists, a file and a line each |
//! | `webhook` | checkout events: their bodies, what waits and what was answered |
//! | `model` | the whole API in memory |
//! | `server` | the same over HTTP, and the calls of the webhook |
//! | `sandbox` | a running one |

mod endpoint;
mod lists;
mod model;
mod orders;
mod random;
mod sandbox;
mod server;
mod settings;
mod shop;
#[cfg(test)]
mod testing;
mod time;
mod webhook;

pub use lists::contests::ExpectedContest;
pub use lists::products::ExpectedProduct;
pub use lists::sessions::ExpectedSession;
pub use lists::stores::ExpectedStore;
pub use model::{Answer, Delivery, Model, RequestLog, Stats, resources};
pub use orders::{Expected, ExpectedDetail, ExpectedLine};
pub use sandbox::Sandbox;
pub use settings::{
    Auth, Behaviour, Bounds, Envelope, Fault, Faults, FirstPage, Ids, IsLatest, Limit, Limiter, Options,
    Push, RetryAfter, Stamps, Superseded, Ties, Trouble, UnknownParameters, UpdatedAt, UpdatedFilter,
    VersionIds, Versions,
};
pub use shop::Filter;
pub use webhook::{Call, Pushed};
