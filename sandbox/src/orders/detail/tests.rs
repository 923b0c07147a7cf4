use std::collections::BTreeSet;

use serde_json::Value;

use crate::orders::ExpectedDetail;
use crate::settings::{Behaviour, Options, UnknownParameters, VersionIds, Versions};
use crate::shop::Filter;
use crate::testing::{BEARER, body, cents, get, keys, model, orders, rows, words};

#[test]
fn a_detail_says_what_the_list_says_and_more() {
    let mut model = model(Behaviour::default());
    for order in orders(&mut model).iter().step_by(7) {
        let detail = body(&mut model, &format!("/orders/{}", order["id"]));
        for (name, value) in order.as_object().unwrap() {
            if !matches!(name.as_str(), "products" | "contest") {
                assert_eq!(value, &detail[name], "{name}");
            }
        }
        assert_eq!(keys(&detail).len(), keys(order).len(), "two keys less, two more");
        assert_eq!(detail["session"]["sessionId"], order["sessionId"]);
        assert_eq!(detail["session"]["id"], order["customerShoppingSessionId"]);
    }
}

#[test]
fn lines_add_up_and_tell_where_they_come_from() {
    let mut model = model(Behaviour::default());
    let mut seen = BTreeSet::new();
    for order in orders(&mut model) {
        let detail = body(&mut model, &format!("/orders/{}", order["id"]));
        let lines = detail["lineItems"].as_array().unwrap();
        let (mut subtotal, mut pieces, mut total) = (0, 0, 0);
        let kept: Vec<_> = lines.iter().filter(|line| line["status"] != "REMOVED").collect();
        for line in &kept {
            let quantity = line["quantity"].as_u64().unwrap();
            pieces += cents(&line["productSnapshot"]["price"]) * quantity;
            subtotal += cents(&line["subtotalPrice"]);
            total += cents(&line["totalPrice"]);
        }
        assert_eq!((subtotal, pieces), (cents(&order["subtotalPrice"]), cents(&order["subtotalPrice"])));
        assert_eq!(total, cents(&order["totalPrice"]));
        let products = order["products"].as_array().unwrap();
        assert_eq!(kept.len(), products.len());
        for (line, product) in kept.iter().zip(products) {
            for name in ["id", "quantity", "isExternallyAdded", "taxRates", "totalPrice"] {
                assert_eq!(line[name], product[name], "{name}");
            }
            assert_eq!(
                line["productSnapshot"]["productId"].to_string(),
                product["productId"].as_str().unwrap()
            );
        }
        let changed = lines.iter().filter(|line| line["status"] != "ORIGINAL").count();
        assert_eq!(changed, usize::from(order["version"] == 2));
        seen.extend(lines.iter().map(|line| line["status"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["ADDED", "ORIGINAL", "REMOVED"]);
}

#[test]
fn a_line_has_the_known_fields() {
    let mut model = model(Behaviour::default());
    let id = model.expected(&Filter::default())[0].id.clone();
    let line = body(&mut model, &format!("/orders/{id}"))["lineItems"][0].clone();
    let names =
        "id productSnapshot quantity status isExternallyAdded taxRates subtotalPrice totalPrice totalTax";
    assert_eq!(keys(&line), words(names));
    let names = "name price barcode category thumbnail weight sku externalId taxCode id productId createdAt updatedAt";
    assert_eq!(keys(&line["productSnapshot"]), words(names));
    assert!(line["productSnapshot"]["price"].is_string() && line["productSnapshot"]["productId"].is_u64());
}

#[test]
fn the_newest_version_is_shown_or_that_with_the_id() {
    let mut model = model(Behaviour::default());
    let id = model.expected(&Filter::default())[0].id.parse().unwrap();
    model.contest(id);
    let version =
        |model: &mut crate::Model, id: u64| body(model, &format!("/orders/{id}"))["version"].clone();
    assert_eq!(version(&mut model, id), model.expected(&Filter::default())[0].version);
    model.set_behaviour(Behaviour { version_ids: VersionIds::New, ..Behaviour::default() });
    assert_eq!(version(&mut model, id), 1);
    let second = model.contest(id).unwrap();
    assert!(version(&mut model, second).as_u64() > Some(1));
}

#[test]
fn unknown_orders_and_wrong_requests_are_told_apart() {
    let mut model =
        model(Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() });
    let id = model.expected(&Filter::default())[0].id.clone();
    let answer = model.answer("/api/admin/v2/orders/7", BEARER);
    assert_eq!((answer.status, answer.body.len()), (404, 0));
    for (target, status) in [
        (format!("/orders/{id}"), 200),
        (format!("/orders/{id}?version=1"), 422),
        ("/orders/x".to_owned(), 422),
        ("/orders/".to_owned(), 422),
        (format!("/orders/{id}/lines"), 404),
    ] {
        assert_eq!(get(&mut model, &target).0, status, "{target}");
    }
    model.set_behaviour(Behaviour::default());
    assert_eq!(get(&mut model, &format!("/orders/{id}?version=1")).0, 200);
    model.remove_order(id.parse().unwrap());
    assert_eq!(get(&mut model, &format!("/orders/{id}")), (404, Value::Null));
}

#[test]
fn the_detail_of_an_order_can_be_missing_while_the_list_has_it() {
    let mut model = model(Behaviour::default());
    let listed = model.expected(&Filter::default());
    model.set_vanished(vec![listed[1].id.parse().unwrap()]);
    let statuses: Vec<u16> =
        listed[..3].iter().map(|order| get(&mut model, &format!("/orders/{}", order.id)).0).collect();
    assert_eq!(statuses, [200, 404, 200]);
    assert_eq!(model.expected(&Filter::default()), listed);
}

#[test]
fn the_detail_of_an_order_can_lag_behind_the_list() {
    let mut model = model(Behaviour::default());
    let id = model.expected(&Filter::default())[1].id.parse().unwrap();
    model.contest(id);
    let version = |model: &mut crate::Model| body(model, &format!("/orders/{id}"))["version"].clone();
    assert!(version(&mut model).as_u64() > Some(1));
    model.set_lagging(vec![id]);
    assert_eq!(version(&mut model), 1);
}

#[test]
fn odd_values_are_in_the_detail_too() {
    let mut model = model(Behaviour { odd_values: true, ..Behaviour::default() });
    let (mut heavy, mut texts, mut arrays) = (0, 0, 0);
    for order in model.expected(&Filter::default()) {
        let detail = body(&mut model, &format!("/orders/{}", order.id));
        assert_eq!(detail["totalPrice"], order.total_price);
        let line = &detail["lineItems"][0];
        heavy += usize::from(line["productSnapshot"]["weight"] == "heavy");
        texts += usize::from(line["quantity"].is_string());
        arrays += usize::from(line["taxRates"].is_array());
    }
    assert!(heavy > 0 && texts > 0 && arrays > 0);
}

#[test]
fn expected_details_agree_with_the_details() {
    let mut model = model(Behaviour::default());
    let filter = Filter { store_ids: vec![2], ..Filter::default() };
    let details = model.expected_details(&filter);
    assert!(details.iter().map(|detail| &detail.order).eq(&model.expected(&filter)));
    for ExpectedDetail { order, line_items } in details {
        let detail = body(&mut model, &format!("/orders/{}", order.id));
        let mut expected = line_items.into_iter();
        for line in detail["lineItems"].as_array().unwrap() {
            let expected = expected.next().unwrap();
            assert_eq!((line["id"].to_string(), &order.id), (expected.id, &expected.order_id));
            assert_eq!(order.version, expected.order_version);
            assert_eq!(line["productSnapshot"]["productId"].to_string(), expected.product_id);
            assert_eq!(line["quantity"], expected.quantity);
            assert_eq!(line["status"], expected.status);
            assert_eq!(line["productSnapshot"]["price"], expected.price);
            assert_eq!(line["subtotalPrice"], expected.subtotal_price);
            assert_eq!(line["totalTax"], expected.total_tax);
            assert_eq!(line["totalPrice"], expected.total_price);
            assert_eq!(order.updated_at, expected.updated_at);
        }
        assert_eq!(expected.next(), None);
    }
}

#[test]
fn expected_versions_are_those_of_the_list() {
    for versions in [Versions::All, Versions::LatestOnly] {
        let mut model = model(Behaviour { versions, ..Behaviour::default() });
        let filter = Filter { store_ids: vec![2], ..Filter::default() };
        let mut shown = Vec::new();
        for page in 0.. {
            let target = format!("/orders?orderBy=draftCreatedAt&storeId=2&pageSize=200&page={page}");
            let listed = rows(&body(&mut model, &target), "data");
            shown.extend(listed.iter().map(|row| (row["id"].to_string(), row["version"].to_string())));
            if listed.len() < 200 {
                break;
            }
        }
        let expected = model.expected_versions(&filter);
        assert_eq!(expected.len() > model.expected(&filter).len(), versions == Versions::All);
        let expected = expected.into_iter().map(|row| (row.id, row.version.to_string()));
        assert_eq!(expected.collect::<Vec<_>>(), shown);
    }
}

#[test]
fn expected_lines_are_those_of_the_list() {
    let mut model = model(Behaviour { odd_values: true, ..Behaviour::default() });
    let mut shown = Vec::new();
    let mut without = 0;
    for order in model.expected(&Filter::default()) {
        let listed = body(&mut model, &format!("/orders?id={}&includeProducts=true", order.id));
        let row = rows(&listed, "data").into_iter().find(|row| row["version"] == order.version).unwrap();
        without += usize::from(row["products"].is_null());
        let lines = row["products"].as_array().into_iter().flatten();
        shown.extend(lines.map(|line| (order.id.clone(), line["id"].to_string())));
    }
    let expected = model.expected_lines(&Filter::default()).into_iter();
    assert_eq!(expected.map(|line| (line.order_id, line.id)).collect::<Vec<_>>(), shown);
    assert!(without > 0);
}

#[test]
fn an_order_without_lines_has_none() {
    let mut model = crate::Model::new(Options { orders: 5, products: false, ..Options::default() });
    let id = model.expected(&Filter::default())[0].id.parse().unwrap();
    model.contest(id);
    assert_eq!(body(&mut model, &format!("/orders/{id}"))["lineItems"], serde_json::json!([]));
    assert_eq!(body(&mut model, &format!("/contests/{id}"))["items"], serde_json::json!([]));
    assert!(model.expected_lines(&Filter::default()).is_empty());
}
