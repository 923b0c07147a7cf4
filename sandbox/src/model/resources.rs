//! What there is under the path of the API.

use crate::endpoint::params::Problem;

/// The names of what is served: in [`Stats::pages`](crate::Stats::pages) and [`Options::forbidden`](crate::Options::forbidden).
///
/// | name | path below `/api/admin/v2` |
/// | --- | --- |
/// | `orders` | `/orders` |
/// | `order` | `/orders/{orderId}` |
/// | `contests` | `/contests` |
/// | `contest` | `/contests/{orderId}` |
/// | `stores` | `/stores` |
/// | `sessions` | `/sessions` |
/// | `products` | `/products` |
pub const RESOURCES: [&str; 7] = ["orders", "order", "contests", "contest", "stores", "sessions", "products"];

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Orders,
    Order(String),
    Contests,
    Contest(String),
    Stores,
    Sessions,
    Products,
}

impl Resource {
    /// What a path below that of the API names.
    pub(crate) fn of(path: &str) -> Option<Resource> {
        let (list, id) = match path.strip_prefix('/')?.split_once('/') {
            Some((list, id)) => (list, Some(id.to_owned())),
            None => (&path[1..], None),
        };
        Some(match (list, id) {
            ("orders", None) => Resource::Orders,
            ("orders", Some(id)) if !id.contains('/') => Resource::Order(id),
            ("contests", None) => Resource::Contests,
            ("contests", Some(id)) if !id.contains('/') => Resource::Contest(id),
            ("stores", None) => Resource::Stores,
            ("sessions", None) => Resource::Sessions,
            ("products", None) => Resource::Products,
            _ => return None,
        })
    }

    fn place(&self) -> usize {
        match self {
            Resource::Orders => 0,
            Resource::Order(_) => 1,
            Resource::Contests => 2,
            Resource::Contest(_) => 3,
            Resource::Stores => 4,
            Resource::Sessions => 5,
            Resource::Products => 6,
        }
    }

    /// One of [`RESOURCES`].
    pub(crate) fn name(&self) -> &'static str {
        RESOURCES[self.place()]
    }

    /// The key of the array in an answer.
    pub(crate) fn array(&self) -> &'static str {
        ["data", "lineItems", "contestedOrders", "items", "stores", "data", "products"][self.place()]
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
        assert_eq!(named("/contests/17"), Some("contest"));
        assert_eq!(named("/products"), Some("products"));
        for path in
            ["", "/", "orders", "/orders/1/2", "/stores/1", "/sessions/1", "/products/1", "/customers"]
        {
            assert_eq!(named(path), None, "{path}");
        }
        assert_eq!(Resource::of("/orders/"), Some(Resource::Order(String::new())));
        assert!(order_id("").is_err() && order_id("7") == Ok(7));
    }
}
