//! The declaration of a list: all that the model knows of an endpoint.

use serde::Serialize;
use serde_json::Value;

use crate::endpoint::{Problem, Reader, Recent, Reply, Spelling};
use crate::settings::Behaviour;
use crate::shop::Shop;

/// A list of the API.
pub(crate) struct List {
    /// Its path below that of the API, and its name in [`resources`](crate::resources).
    pub(crate) name: &'static str,
    /// The key of the rows in a page.
    pub(crate) rows: &'static str,
    /// Understands the parameters of a request, and makes the page.
    pub(crate) page: fn(&Request, &mut Recent) -> Result<Reply, Vec<Problem>>,
    /// What there is below the list's path and the id of an order.
    pub(crate) detail: Option<&'static Detail>,
    /// All rows as a copy should hold them, for `/_sandbox/expected/…`.
    pub(crate) expected: fn(&Shop) -> Vec<Value>,
}

/// A single object, which is found by the id of an order.
pub(crate) struct Detail {
    /// Its name in [`resources`](crate::resources).
    pub(crate) name: &'static str,
    /// The key of the array in it.
    pub(crate) rows: &'static str,
    /// The object, if there is one.
    pub(crate) reply: fn(&Shop, u64) -> Option<Reply>,
}

/// What a page is made of.
pub(crate) struct Request<'m> {
    pub(crate) shop: Shop<'m>,
    /// The decoded pairs of the query.
    pub(crate) pairs: &'m [(String, String)],
    /// A fault: the dates asked for are ignored.
    pub(crate) out_of_range: bool,
}

impl<'m> Request<'m> {
    pub(crate) fn behaviour(&self) -> &'m Behaviour {
        &self.shop.options.behaviour
    }

    pub(crate) fn spelling(&self) -> Spelling<'m> {
        Spelling::new(self.behaviour())
    }

    /// Reads the parameters.
    pub(crate) fn reader(&self) -> Reader<'m> {
        Reader::new(self.behaviour()).out_of_range(self.out_of_range)
    }
}

/// Expected rows as JSON.
pub(crate) fn values<T: Serialize>(rows: Vec<T>) -> Vec<Value> {
    rows.into_iter().map(|row| serde_json::json!(row)).collect()
}
