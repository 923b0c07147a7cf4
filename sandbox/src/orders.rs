//! Orders: from a request to a page of them, or to a single one; what an order shows of its contest and its session.

mod body;
mod contest;
mod detail;
mod expected;
mod lines;
mod list;
mod query;
mod render;
mod session;

pub(crate) use body::body;
pub(crate) use contest::{CONTEST_STATUSES, Contest};
pub(crate) use detail::ORDER;
pub use expected::{Expected, ExpectedDetail, ExpectedLine};
pub(crate) use expected::{expected, expected_details, expected_lines, expected_versions};
pub(crate) use lines::Placed;
pub(crate) use list::page;
pub(crate) use query::parse;
pub(crate) use render::Part;
