//! What there is under the path of the API.

use crate::endpoint::{Detail, List, Problem};
use crate::lists;
use crate::orders::ORDER;

/// The names of what is served, in [`Stats::pages`](crate::Stats::pages) and
/// [`Options::forbidden`](crate::Options::forbidden): `orders` and `order` (a single one, `/orders/{orderId}`), then each
/// other list by its path, followed by its single object, if it has one.
pub fn resources() -> Vec<&'static str> {
    let mut names = vec![Resource::Orders.name(), ORDER.name];
    for list in lists::ALL {
        names.push(list.name);
        names.extend(list.detail.map(|detail| detail.name));
    }
    names
}

/// What a path names.
#[derive(Clone, Copy)]
pub(crate) enum Resource<'p> {
    Orders,
    List(&'static List),
    /// The single object of an order, with the id in the path.
    Detail(&'static Detail, &'p str),
}

impl Resource<'_> {
    /// What a path below that of the API names.
    pub(crate) fn of(path: &str) -> Option<Resource<'_>> {
        let path = path.strip_prefix('/')?;
        let list = |name: &str| lists::ALL.iter().copied().find(|list| list.name == name);
        match path.split_once('/') {
            None if path == "orders" => Some(Resource::Orders),
            None => list(path).map(Resource::List),
            Some((_, id)) if id.contains('/') => None,
            Some(("orders", id)) => Some(Resource::Detail(&ORDER, id)),
            Some((name, id)) => list(name)?.detail.map(|detail| Resource::Detail(detail, id)),
        }
    }

    /// One of [`resources`].
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Resource::Orders => "orders",
            Resource::List(list) => list.name,
            Resource::Detail(detail, _) => detail.name,
        }
    }

    /// The key of the array in an answer.
    pub(crate) fn rows(&self) -> &'static str {
        match self {
            Resource::Orders => "data",
            Resource::List(list) => list.rows,
            Resource::Detail(detail, _) => detail.rows,
        }
    }
}

/// The id in a path. That anything but a number is answered with 422 is INFERRED.
pub(crate) fn order_id(text: &str) -> Result<u64, Vec<Problem>> {
    text.parse().map_err(|_| vec![Problem::new("orderId", "number.base", "must be a number")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        let named = |path: &str| Resource::of(path).map(|resource| resource.name());
        assert_eq!(named("/orders"), Some("orders"));
        assert_eq!(named("/orders/17"), Some("order"));
        assert_eq!(named("/orders/"), Some("order"));
        assert_eq!(named("/contests/17"), Some("contest"));
        assert_eq!(named("/products"), Some("products"));
        for path in
            ["", "/", "orders", "/orders/1/2", "/stores/1", "/sessions/1", "/products/1", "/customers"]
        {
            assert_eq!(named(path), None, "{path}");
        }
        assert!(order_id("").is_err() && order_id("7") == Ok(7));
    }

    #[test]
    fn every_resource_has_a_name_of_its_own() {
        let mut names = resources();
        assert_eq!(names[..4], ["orders", "order", "contests", "contest"]);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
