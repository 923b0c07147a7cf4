//! An AiFi Admin API on loopback, for tests without an account.
//!
//! The sandbox serves seven resources of the API and an OAuth token address, all from generated orders. What AiFi's
//! documentation leaves open is a switch of [`Behaviour`]; what goes wrong between two machines is a [`Fault`].
//! It also calls the checkout webhook, if it is given one ([`Push`]).
//!
//! | below `/api/admin/v2` | paged by | rows |
//! | --- | --- | --- |
//! | `/orders` | `page`, `pageSize` (50, at most 200) | `data` |
//! | `/orders/{orderId}` | | one order with `lineItems` and `session` |
//! | `/contests` | `page`, `pageSize` (10) | `contestedOrders`, one for each order with a version 2 |
//! | `/contests/{orderId}` | | one contest with `items` |
//! | `/stores` | `count` (20, at most 200), `after`, `before` | `stores` |
//! | `/sessions` | the same | `data`, one for each order and some that nobody bought in |
//! | `/products` | `offset`, `count` (50, at most 200) | `products`, the sold ones and more |
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
//! | room | holds |
//! | --- | --- |
//! | `settings` | what can be set, and the small machines behind it |
//! | `shop` | orders, their life, and the book that keeps them in order |
//! | `endpoint` | what all requests have in common: parameters, parts of lists, how values are spelled |
//! | `orders` | from a request to a page of orders, or to one order |
//! | `lists` | the other lists, a file each |
//! | `webhook` | checkout events: their bodies, what waits and what was answered |
//! | `model` | the whole API in memory |
//! | `server` | the same over HTTP, and the calls of the webhook |

mod endpoint;
mod lists;
mod model;
mod orders;
mod sandbox;
mod server;
mod settings;
mod shop;
#[cfg(test)]
mod testing;
mod time;
mod webhook;

pub use model::Model;
pub use model::answer::{Answer, Delivery};
pub use model::resources::RESOURCES;
pub use model::stats::{RequestLog, Stats};
pub use orders::expected::{
    Expected, ExpectedContest, ExpectedDetail, ExpectedLine, ExpectedProduct, ExpectedSession, ExpectedStore,
    Filter,
};
pub use sandbox::Sandbox;
pub use settings::auth::Auth;
pub use settings::behaviour::{
    Behaviour, Bounds, Envelope, FirstPage, Ids, IsLatest, Stamps, Superseded, Ties, UnknownParameters,
    UpdatedAt, UpdatedFilter, VersionIds, Versions,
};
pub use settings::faults::{Fault, Faults};
pub use settings::options::Options;
pub use settings::rate_limit::{Limit, Limiter, RetryAfter};
pub use webhook::queue::{Call, Push, Pushed, Trouble};
