//! What a test in another language can do with a running sandbox: `/_sandbox/…`.

use std::str::FromStr;

use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};

use crate::model::{Answer, Model};
use crate::shop::Filter;
use crate::time;

/// Carries out a command.
pub(crate) fn answer(model: &mut Model, method: &Method, command: &str, query: &str) -> Answer {
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let done = match (method, command) {
        (&Method::GET, "stats") => Ok(json!(model.stats())),
        (&Method::GET, "expected") => filter(&pairs).map(|filter| json!(model.expected(&filter))),
        (&Method::GET, "expected/lines") => filter(&pairs).map(|filter| json!(model.expected_lines(&filter))),
        (&Method::GET, "expected/versions") => {
            filter(&pairs).map(|filter| json!(model.expected_versions(&filter)))
        }
        (&Method::GET, "expected/details") => {
            filter(&pairs).map(|filter| json!(model.expected_details(&filter)))
        }
        (&Method::GET, "pushed") => Ok(json!(model.pushed())),
        (&Method::POST, "advance") => seconds(&pairs).map(|by| {
            model.advance(by);
            json!({"now": model.now()})
        }),
        (&Method::POST, "orders") => {
            number(&pairs, "count").map(|count| json!({"ids": model.add_orders(count)}))
        }
        (&Method::POST, "pay" | "contest" | "review" | "remove") => match number(&pairs, "id") {
            Ok(id) => match change(model, command, id) {
                Some(done) => Ok(done),
                None => return Answer::json(404, json!({"message": "there is no such order"}).to_string()),
            },
            Err(message) => Err(message),
        },
        (&Method::POST, "reset") => {
            model.reset_stats();
            Ok(json!({}))
        }
        (&Method::GET, command) => {
            match command.strip_prefix("expected/").and_then(|list| model.expected_rows(list)) {
                Some(rows) => Ok(json!(rows)),
                None => return Answer::new(404),
            }
        }
        _ => return Answer::new(404),
    };
    match done {
        Ok(body) => Answer::json(200, body.to_string()),
        Err(message) => Answer::json(400, json!({"message": message}).to_string()),
    }
}

/// A step in the life of an order; `None` when there is no such order.
fn change(model: &mut Model, command: &str, id: u64) -> Option<Value> {
    let id = match command {
        "pay" => model.pay(id),
        "contest" => model.contest(id),
        "review" => model.review(id),
        _ => return model.remove_order(id).then(|| json!({"removed": true})),
    };
    id.map(|id| json!({"id": id}))
}

fn number<T: FromStr>(pairs: &[(String, String)], name: &str) -> Result<T, String> {
    let value = pairs.iter().find(|(key, _)| key == name).ok_or_else(|| format!("`{name}` is missing"))?;
    value.1.parse().map_err(|_| format!("`{name}` is not a number"))
}

fn seconds(pairs: &[(String, String)]) -> Result<TimeDelta, String> {
    let seconds: f64 = number(pairs, "seconds")?;
    if seconds.abs() > 1e9 || seconds.is_nan() {
        return Err("`seconds` is too large".to_owned());
    }
    Ok(TimeDelta::milliseconds((seconds * 1_000.0).round() as i64))
}

/// A filter from pairs named like its fields; lists repeat their name.
fn filter(pairs: &[(String, String)]) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for (name, value) in pairs {
        let date = || time::parse(value).ok_or_else(|| format!("`{value}` is not a date"));
        match name.as_str() {
            "from" => filter.from = Some(date()?),
            "until" => filter.until = Some(date()?),
            "store_ids" => {
                filter.store_ids.push(value.parse().map_err(|_| format!("`{value}` is not a store"))?);
            }
            "statuses" => filter.statuses.push(value.clone()),
            "customer_roles" => filter.customer_roles.push(value.clone()),
            _ => return Err(format!("`{name}` is not a field of the filter")),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lists;
    use crate::settings::Options;

    fn call(model: &mut Model, method: Method, command: &str, query: &str) -> (u16, serde_json::Value) {
        let answer = answer(model, &method, command, query);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    #[test]
    fn commands_do_what_the_methods_do() {
        let mut model = Model::new(Options { orders: 20, ..Options::default() });
        assert_eq!(call(&mut model, Method::POST, "advance", "seconds=90.5").0, 200);
        assert_eq!(model.now() - Options::default().now, TimeDelta::milliseconds(90_500));
        let (_, added) = call(&mut model, Method::POST, "orders", "count=3");
        let id = added["ids"][2].as_u64().unwrap();
        assert_eq!(call(&mut model, Method::POST, "contest", &format!("id={id}")).1["id"], id);
        let (_, expected) = call(&mut model, Method::GET, "expected", "");
        assert_eq!(expected.as_array().unwrap().len(), 23);
        for (list, least) in
            [("lines", 23), ("versions", 24), ("details", 23), ("sessions", 23), ("products", 240)]
        {
            let (_, expected) = call(&mut model, Method::GET, &format!("expected/{list}"), "");
            assert!(expected.as_array().unwrap().len() >= least, "{list}");
        }
        for list in lists::ALL {
            let (_, expected) = call(&mut model, Method::GET, &format!("expected/{}", list.name), "");
            assert!(!expected.as_array().unwrap().is_empty(), "{}", list.name);
        }
        assert_eq!(call(&mut model, Method::GET, "expected/customers", "").0, 404);
        let query =
            "from=2025-11-01T00:00:00Z&until=2025-11-10&statuses=paid&customer_roles=customer&store_ids=1";
        assert!(call(&mut model, Method::GET, "expected", query).1.as_array().unwrap().len() < 20);
        assert_eq!(call(&mut model, Method::GET, "stats", "").1["requests"], 0);
        assert_eq!(call(&mut model, Method::GET, "pushed", "").1, json!({"waiting": 0, "calls": []}));
        assert_eq!(call(&mut model, Method::GET, "expected", "status=paid").0, 400);
        assert_eq!(call(&mut model, Method::POST, "orders", "count=x").0, 400);
        assert_eq!(call(&mut model, Method::GET, "orders", "count=1").0, 404);
    }

    #[test]
    fn an_order_that_is_not_there_is_told() {
        let mut model = Model::new(Options { orders: 20, ..Options::default() });
        let before = model.expected(&Filter::default());
        for command in ["pay", "contest", "review", "remove"] {
            let (status, body) = call(&mut model, Method::POST, command, "id=1");
            assert_eq!((status, body), (404, json!({"message": "there is no such order"})), "{command}");
            assert_eq!(call(&mut model, Method::POST, command, "id=x").0, 400, "{command}");
        }
        assert_eq!(json!(model.expected(&Filter::default())), json!(before));
        let id = &before[0].id;
        assert_eq!(call(&mut model, Method::POST, "remove", &format!("id={id}")).1, json!({"removed": true}));
        assert_eq!(call(&mut model, Method::POST, "remove", &format!("id={id}")).0, 404);
    }
}
