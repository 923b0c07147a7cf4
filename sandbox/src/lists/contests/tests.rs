use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::model::Model;
use crate::settings::{
    Behaviour, Bounds, FirstPage, Ids, UnknownParameters, UpdatedAt, UpdatedFilter, VersionIds,
};
use crate::testing::{agree, body, get, keys, model, orders, rows, words};

const ALL: &str = "/contests?pageSize=200";

fn contests(model: &mut Model) -> Vec<Value> {
    rows(&body(model, ALL), "contestedOrders")
}

#[test]
fn each_contested_order_has_its_contest() {
    let mut model = model(Behaviour::default());
    let (contests, orders) = (contests(&mut model), orders(&mut model));
    let contested: Vec<_> = orders.iter().filter(|order| order["version"] != 1).collect();
    assert_eq!((contests.len(), orders.len()), (contested.len(), 300));
    assert!((60..130).contains(&contests.len()));
    let ids: BTreeSet<_> = contests.iter().map(|contest| contest["id"].as_u64()).collect();
    assert_eq!(ids.len(), contests.len());
    for order in contested {
        let id = order["id"].to_string();
        let contest = contests.iter().find(|contest| contest["orderId"] == id.as_str()).unwrap();
        assert_eq!(contest["orderVersion"], 2);
        assert_eq!(contest["sessionId"], order["sessionId"]);
        assert_eq!(contest["contestedTotalPrice"], order["totalPrice"]);
        assert_ne!(contest["originalTotalPrice"], order["totalPrice"]);
        let reviewed = order["status"] == "reviewed";
        assert_eq!(contest["status"], if reviewed { "reviewed" } else { "contested" });
        assert_eq!(
            contest["reviewedTotalPrice"],
            if reviewed { order["totalPrice"].clone() } else { Value::Null }
        );
        assert_eq!(
            (&contest["createdAt"], &contest["updatedAt"]),
            (&order["createdAt"], &order["updatedAt"])
        );
        for (name, value) in contest["order"].as_object().unwrap() {
            assert_eq!(value, &order[name], "{name}");
        }
        for (name, value) in order["contest"].as_object().unwrap() {
            assert_eq!(value, &contest[name], "{name}");
        }
    }
}

#[test]
fn a_contest_has_the_known_fields() {
    let contest = contests(&mut model(Behaviour::default()))[0].clone();
    let names = "createdAt updatedAt deletedAt id orderId orderVersion sessionId message fromOperator status \
        contestedTotalPrice reviewedTotalPrice originalTotalPrice order";
    assert_eq!(keys(&contest), words(names));
    assert!(contest["id"].is_u64() && contest["orderId"].is_string() && contest["deletedAt"].is_null());
    let order = keys(&contest["order"]);
    assert!(order.contains(&"customerShoppingSessionId") && !order.contains(&"sessionId"));
    assert!(!order.contains(&"transaction") && !order.contains(&"paymentTransaction"));
    let turned = Behaviour { ids: Ids::String, ..Behaviour::default() };
    let contest = contests(&mut model(turned))[0].clone();
    assert!(contest["id"].is_string() && contest["orderId"].is_u64());
}

#[test]
fn pages_add_up() {
    for first_page in [FirstPage::Zero, FirstPage::One] {
        let mut model = model(Behaviour { first_page, ..Behaviour::default() });
        let whole = contests(&mut model);
        let start = usize::from(first_page == FirstPage::One);
        assert_eq!(rows(&body(&mut model, "/contests"), "contestedOrders"), whole[..10]);
        let mut added = Vec::new();
        for page in start.. {
            let answer = body(&mut model, &format!("/contests?pageSize=25&page={page}"));
            added.extend(rows(&answer, "contestedOrders"));
            let offset = 25 * (page - start);
            let previous =
                if offset == 0 { Value::Null } else { json!({"offset": offset - 25, "count": 25}) };
            assert_eq!(answer["pagination"]["previous"], previous);
            if answer["pagination"]["next"].is_null() {
                break;
            }
            assert_eq!(answer["pagination"]["next"]["offset"], offset + 25);
        }
        assert_eq!(added, whole);
        assert!(whole.is_sorted_by_key(|contest| contest["id"].as_u64()));
        let beyond = body(&mut model, "/contests?page=99");
        assert_eq!(
            (beyond["contestedOrders"].clone(), &beyond["pagination"]["next"]),
            (json!([]), &Value::Null)
        );
    }
}

#[test]
fn filters_find_what_they_name() {
    let mut model = model(Behaviour::default());
    let all = contests(&mut model);
    let mut agree = |query: String, wanted: &dyn Fn(&Value) -> bool| {
        agree(&mut model, &format!("{ALL}&{query}"), "contestedOrders", &all, wanted);
    };
    agree("status=reviewed".into(), &|row| row["status"] == "reviewed");
    agree("storeId=2".into(), &|row| row["order"]["storeId"] == 2);
    agree(format!("orderId={}", all[7]["orderId"].as_str().unwrap()), &|row| row["id"] == all[7]["id"]);
    let moment = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    for (min, max, name) in [
        ("minCreatedAt", "maxCreatedAt", "createdAt"),
        ("startTime", "endTime", "createdAt"),
        ("minUpdatedAt", "maxUpdatedAt", "updatedAt"),
    ] {
        let (low, high) = (moment(&all[3], name), moment(&all[40], name));
        let (low, high) = (low.clone().min(high.clone()), low.max(high));
        agree(format!("{min}={low}&{max}={high}"), &|row| {
            (low.clone()..=high.clone()).contains(&moment(row, name))
        });
    }
}

#[test]
fn bounds_and_the_updated_filter_are_read_as_for_orders() {
    let mut model = model(Behaviour::default());
    let all = contests(&mut model);
    let at = all[5]["updatedAt"].as_str().unwrap();
    let target = format!("{ALL}&minUpdatedAt={at}&maxUpdatedAt={at}");
    let mut found = |behaviour: Behaviour| {
        model.set_behaviour(behaviour);
        let (status, body) = get(&mut model, &target);
        (status, body["contestedOrders"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(found(Behaviour::default()), (200, 1));
    assert_eq!(found(Behaviour { bounds: Bounds::Exclusive, ..Behaviour::default() }), (200, 0));
    let ignored = Behaviour { updated_filter: UpdatedFilter::Ignored, ..Behaviour::default() };
    assert_eq!(found(ignored), (200, all.len()));
    assert_eq!(found(Behaviour { updated_filter: UpdatedFilter::Refused, ..Behaviour::default() }), (422, 0));
}

#[test]
fn wrong_requests_are_refused() {
    let mut model =
        model(Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() });
    for query in [
        "pageSize=201",
        "pageSize=0",
        "page=x",
        "status=paid",
        "storeId=0",
        "orderId=x",
        "minCreatedAt=now",
        "storeId=1&storeId=2",
        "orderBy=id",
    ] {
        let (status, body) = get(&mut model, &format!("/contests?{query}"));
        assert_eq!((status, &body["type"]), (422, &"E_INVALID_QUERY".into()), "{query}");
    }
    assert_eq!(model.stats().invalid, 9);
}

#[test]
fn a_contest_lives_with_its_order() {
    let mut model = model(Behaviour { updated_at: UpdatedAt::StandsStill, ..Behaviour::default() });
    let order = model.add_order_at(model.now());
    let target = format!("/contests?orderId={order}");
    let look = |model: &mut Model| rows(&body(model, &target), "contestedOrders");
    assert_eq!(look(&mut model), Vec::<Value>::new());
    assert_eq!(get(&mut model, &format!("/contests/{order}")), (404, Value::Null));
    let mut step = |change: fn(&mut Model, u64) -> Option<u64>| {
        model.advance(TimeDelta::hours(1));
        change(&mut model, order).unwrap();
        look(&mut model)[0].clone()
    };
    let first = step(Model::contest);
    assert_eq!(
        (&first["status"], &first["updatedAt"]),
        (&"contested".into(), &"2025-12-01T01:00:00.000Z".into())
    );
    let second = step(Model::review);
    assert_eq!(
        (&second["status"], &second["updatedAt"]),
        (&"reviewed".into(), &"2025-12-01T02:00:00.000Z".into())
    );
    assert_eq!((&second["id"], &second["createdAt"]), (&first["id"], &first["createdAt"]));
    assert_eq!(step(Model::pay)["status"], "reviewed", "a payment does not undo a review");
    let again = step(Model::contest);
    assert_eq!((&again["id"], &again["orderVersion"]), (&first["id"], &3.into()));
    assert_eq!((&again["status"], &again["reviewedTotalPrice"]), (&"contested".into(), &Value::Null));
    assert_eq!(again["originalTotalPrice"], first["originalTotalPrice"]);
    assert!(model.remove_order(order));
    assert_eq!(look(&mut model), Vec::<Value>::new());
}

#[test]
fn the_detail_has_quantities_that_explain_the_totals() {
    let mut model = model(Behaviour::default());
    let mut changed = BTreeSet::new();
    for contest in contests(&mut model) {
        let detail = body(&mut model, &format!("/contests/{}", contest["orderId"].as_str().unwrap()));
        for (name, value) in contest.as_object().unwrap().iter().filter(|(name, _)| *name != "order") {
            assert_eq!(value, &detail[name], "{name}");
        }
        assert!(detail["transaction"]["refunded"].is_boolean() && detail.get("order").is_none());
        for item in detail["items"].as_array().unwrap() {
            let names = "id productId name price thumbnail productSnapshot originalQuantity contestedQuantity \
                reviewedQuantity";
            assert_eq!(keys(item), words(names));
            assert!(item["productId"].is_u64());
            assert_eq!(item["name"], item["productSnapshot"]["name"]);
            assert_eq!(item["thumbnail"], item["productSnapshot"]["thumbnail"]);
            let quantity = |name: &str| item[name].as_u64();
            let reviewed = quantity("contestedQuantity").filter(|_| contest["status"] == "reviewed");
            assert_eq!(quantity("reviewedQuantity"), reviewed);
            changed.insert(quantity("originalQuantity").cmp(&quantity("contestedQuantity")));
        }
    }
    assert_eq!(changed.len(), 3, "lines are taken off, added, and kept");
}

#[test]
fn a_contest_is_found_by_the_original_id_only() {
    let mut model = model(Behaviour { version_ids: VersionIds::New, ..Behaviour::default() });
    let contest = contests(&mut model)[0].clone();
    let (original, own) = (contest["orderId"].as_str().unwrap(), contest["order"]["id"].to_string());
    assert_ne!(original, own);
    assert_eq!(get(&mut model, &format!("/contests/{original}")).0, 200);
    assert_eq!(get(&mut model, &format!("/contests/{own}")).0, 404);
    assert_eq!(get(&mut model, "/contests/x").0, 422);
}

#[test]
fn expected_contests_agree_with_the_list() {
    let mut model = model(Behaviour::default());
    let (expected, listed) = (model.expected_contests(), contests(&mut model));
    assert_eq!(expected.len(), listed.len());
    for (expected, row) in expected.iter().zip(&listed) {
        assert_eq!(row["id"].to_string(), expected.id);
        assert_eq!(row["orderId"], expected.order_id);
        assert_eq!(row["orderVersion"], expected.order_version);
        assert_eq!(row["sessionId"], expected.session_id);
        assert_eq!(row["order"]["storeId"], expected.store_id);
        assert_eq!(row["status"], expected.status);
        assert_eq!(row["originalTotalPrice"], expected.original_total_price);
        assert_eq!(row["contestedTotalPrice"], expected.contested_total_price);
        assert_eq!(row["reviewedTotalPrice"].as_str(), expected.reviewed_total_price.as_deref());
        assert_eq!(row["createdAt"], expected.created_at);
        assert_eq!(row["updatedAt"], expected.updated_at);
    }
}
