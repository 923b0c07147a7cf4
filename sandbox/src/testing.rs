//! What the tests of all resources share.

use serde_json::Value;

use crate::model::Model;
use crate::settings::{Behaviour, Options};

pub(crate) const BEARER: Option<&str> = Some("sandbox-token-0123456789");

/// 300 orders, a third of them contested.
pub(crate) fn model(behaviour: Behaviour) -> Model {
    Model::new(Options { orders: 300, contested_percent: 30, behaviour, ..Options::default() })
}

/// The status and the body of an answer; null if that is not JSON.
pub(crate) fn get(model: &mut Model, target: &str) -> (u16, Value) {
    let answer = model.answer(&format!("/api/admin/v2{target}"), BEARER);
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// A body that is answered with 200.
pub(crate) fn body(model: &mut Model, target: &str) -> Value {
    let (status, body) = get(model, target);
    assert_eq!(status, 200, "{target}: {body}");
    body
}

/// The rows of a body under a name.
pub(crate) fn rows(body: &Value, name: &str) -> Vec<Value> {
    body[name].as_array().unwrap().clone()
}

/// The newest version of each order, by draft.
pub(crate) fn orders(model: &mut Model) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = all.len() / 200;
        let target = format!(
            "/orders?orderBy=draftCreatedAt&pageSize=200&includeProducts=true&includeContest=true&page={page}"
        );
        let page = rows(&body(model, &target), "data");
        all.extend(page.iter().cloned());
        if page.len() < 200 {
            all.retain(|order| order["isLatest"] == 1);
            return all;
        }
    }
}

/// A price in cents.
pub(crate) fn cents(price: &Value) -> u64 {
    let text = price.as_str().unwrap();
    assert_eq!(text.split_once('.').unwrap().1.len(), 2, "{text}");
    text.replace('.', "").parse().unwrap()
}

/// The keys of an object.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Words in order.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

/// Asserts that a filter finds the rows it should, and neither none nor all.
pub(crate) fn agree(
    model: &mut Model,
    target: &str,
    name: &str,
    all: &[Value],
    wanted: impl Fn(&Value) -> bool,
) {
    let found = rows(&body(model, target), name);
    let should: Vec<_> = all.iter().filter(|row| wanted(row)).cloned().collect();
    assert_eq!(found, should, "{target}");
    assert!(!found.is_empty() && found.len() < all.len(), "{target} finds {}", found.len());
}
