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
//! | module | holds |
//! | --- | --- |
//! | `options`, `behaviour`, `faults`, `limiter`, `auth` | what can be set, and the small machines behind it |
//! | `order`, `catalogue`, `generate`, `book` | orders, their life, and the book that keeps them in order |
//! | `params`, `paging`, `resources` | what all requests have in common: parameters, parts of lists, paths |
//! | `query`, `list`, `render`, `lines`, `texts`, `odd`, `stamp` | from a request to a page of orders |
//! | `detail`, `contests`, `stores`, `sessions`, `visit`, `products` | the other resources, one each; a visit is a session |
//! | `look`, `envelope`, `expected` | how values look, in rows and bodies; what a faithful copy holds |
//! | `model`, `serve`, `answer`, `stats` | the whole API in memory |
//! | `checkout`, `push`, `pusher` | the webhook: its bodies, what waits and what was answered, the calls |
//! | `server`, `body`, `sandbox`, `control` | the same over HTTP |

mod answer;
mod auth;
mod behaviour;
mod body;
mod book;
mod catalogue;
mod checkout;
mod contests;
mod control;
mod detail;
mod envelope;
mod expected;
mod faults;
mod generate;
mod limiter;
mod lines;
mod list;
mod look;
mod model;
mod odd;
mod options;
mod order;
mod paging;
mod params;
mod products;
mod push;
mod pusher;
mod query;
mod render;
mod resources;
mod sandbox;
mod serve;
mod server;
mod sessions;
mod stamp;
mod stats;
mod stores;
#[cfg(test)]
mod testing;
mod texts;
mod visit;

pub use answer::{Answer, Delivery};
pub use auth::Auth;
pub use behaviour::{
    Behaviour, Bounds, Envelope, FirstPage, Ids, IsLatest, Stamps, Superseded, Ties, UnknownParameters,
    UpdatedAt, UpdatedFilter, VersionIds, Versions,
};
pub use expected::{
    Expected, ExpectedContest, ExpectedDetail, ExpectedLine, ExpectedProduct, ExpectedSession, ExpectedStore,
    Filter,
};
pub use faults::{Fault, Faults};
pub use limiter::{Limit, Limiter, RetryAfter};
pub use model::Model;
pub use options::Options;
pub use push::{Call, Push, Pushed, Trouble};
pub use resources::RESOURCES;
pub use sandbox::Sandbox;
pub use stats::{RequestLog, Stats};
