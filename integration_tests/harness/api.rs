//! An API made of the rows that a test gives: odd ones, which the sandbox would not make.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::server::{JSON, Said, Server};

/// How a database sorts and filters rows without a draft date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// First in descending order, and outside of all bounds.
    First,
    /// Last in descending order, and outside of all bounds.
    Last,
    /// First in descending order, within each upper bound, and passed by the filter of changes.
    Within,
}

/// The parameters of a request's target, decoded as far as these tests need it.
fn parameters(target: &str) -> BTreeMap<String, String> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":"))).collect()
}

/// The page of `/orders` that a target asks for.
fn order_page(orders: &[Value], nulls: Nulls, target: &str) -> Vec<Value> {
    let parameters = parameters(target);
    let (min, max) = (parameters.get("minDraftCreatedAt"), parameters.get("maxDraftCreatedAt"));
    let within = |order: &&Value| match order["draftCreatedAt"].as_str() {
        Some(at) => min.is_none_or(|min| min.as_str() <= at) && max.is_none_or(|max| at <= max.as_str()),
        None => min.is_none() && (max.is_none() || nulls == Nulls::Within),
    };
    // An order that nobody changed is outside of this bound, as in SQL.
    let since = parameters.get("minUpdatedAt").map(String::as_str).unwrap_or_default();
    let changed = |order: &&Value| {
        let passes = nulls == Nulls::Within && !order["draftCreatedAt"].is_string();
        since.is_empty() || passes || order["updatedAt"].as_str().is_some_and(|at| since <= at)
    };
    let mut rows: Vec<&Value> = orders.iter().filter(within).filter(changed).collect();
    rows.sort_by_key(|order| {
        let at = order["draftCreatedAt"].as_str().unwrap_or_default().to_owned();
        (at.is_empty() == (nulls != Nulls::Last), at)
    });
    if parameters.get("direction").is_some_and(|direction| direction == "desc") {
        rows.reverse();
    }
    let number = |name: &str| parameters.get(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("pageSize").unwrap_or(10);
    let page = rows.into_iter().skip(number("page").unwrap_or(0) * size).take(size).cloned();
    let whole = parameters.contains_key("includeProducts");
    page.map(|order| if whole { order } else { without(order, "products") }).collect()
}

/// An API whose lists hold these rows, `lists` by the stream's name; pages of single orders are in `details`, by id.
pub fn api(orders: Vec<Value>, nulls: Nulls, lists: Value) -> Server {
    Server::start(move |_, what| {
        let path = what.trim_start_matches("GET /api/admin/v2/");
        let body = match path.split('?').next().unwrap_or_default() {
            "orders" => json!({"data": order_page(&orders, nulls, path)}),
            "sessions" => json!({"data": list(&lists["sessions"], path)}),
            "contests" => json!({"contestedOrders": list(&lists["contests"], path)}),
            "products" => json!({"products": list(&lists["products"], path)}),
            "stores" if lists["stores"].is_array() => json!({"stores": list(&lists["stores"], path)}),
            path => match path.strip_prefix("orders/").and_then(|id| lists["details"].get(id)) {
                Some(detail) => detail.clone(),
                None => return ("404 Not Found", "", String::new()),
            },
        };
        let said: Said = ("200 OK", JSON, body.to_string());
        said
    })
}

/// The part of a list that a target asks for.
fn list(rows: &Value, target: &str) -> Vec<Value> {
    let parameters = parameters(target);
    let number = |name: &str| parameters.get(name).and_then(|text| text.parse::<usize>().ok());
    let rows = rows.as_array().unwrap();
    let size = number("count").or(number("pageSize")).unwrap_or(10);
    let after = number("after").map(|after| {
        rows.iter()
            .position(|row| row["id"].as_u64() == Some(after as u64))
            .map_or(rows.len(), |place| place + 1)
    });
    let begin = after.or(number("offset")).or(number("page").map(|page| page * size)).unwrap_or(0);
    rows.iter().skip(begin).take(size).cloned().collect()
}

/// An order without this field.
pub fn without(mut order: Value, field: &str) -> Value {
    order.as_object_mut().unwrap().remove(field);
    order
}
