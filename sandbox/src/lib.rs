//! An AiFi Admin API on loopback, for tests without an account.
//!
//! The sandbox serves `GET /api/admin/v2/orders` and an OAuth token address from generated orders. What AiFi's
//! documentation leaves open is a switch of [`Behaviour`]; what goes wrong between two machines is a [`Fault`].
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
//! | `query`, `list`, `envelope`, `render`, `texts`, `odd`, `stamp` | from a request to a page of JSON |
//! | `model`, `answer` | the whole API in memory |
//! | `server`, `body`, `sandbox`, `control` | the same over HTTP |

mod answer;
mod auth;
mod behaviour;
mod body;
mod book;
mod catalogue;
mod control;
mod envelope;
mod expected;
mod faults;
mod generate;
mod limiter;
mod list;
mod model;
mod odd;
mod options;
mod order;
mod params;
mod query;
mod render;
mod sandbox;
mod server;
mod stamp;
mod stats;
mod texts;

pub use answer::{Answer, Delivery};
pub use auth::Auth;
pub use behaviour::{
    Behaviour, Bounds, Envelope, FirstPage, Ids, IsLatest, Stamps, Superseded, Ties, UnknownParameters,
    UpdatedAt, UpdatedFilter, VersionIds, Versions,
};
pub use expected::{Expected, Filter};
pub use faults::{Fault, Faults};
pub use limiter::{Limit, Limiter, RetryAfter};
pub use model::Model;
pub use options::Options;
pub use sandbox::Sandbox;
pub use stats::{RequestLog, Stats};
