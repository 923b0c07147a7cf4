//! What all endpoints have in common: their declaration, parameters, parts of lists, how values are spelled.

mod list;
pub(crate) mod paging;
mod params;
mod recent;
mod reply;
mod spelling;

pub(crate) use list::{Detail, List, Request, values};
pub(crate) use params::{PRICE_SCALE, Problem, Reader, Span, problems_body};
pub(crate) use recent::Recent;
pub(crate) use reply::{Reply, finished};
pub(crate) use spelling::{Spelling, boolean, escaped, price, quoted};
