use serde_json::Value;

use crate::model::Model;
use crate::settings::{Behaviour, Ids, Options, UnknownParameters};
use crate::testing::{agree, body, get, keys, orders, rows, words};

fn model(stores: u32, behaviour: Behaviour) -> Model {
    Model::new(Options { orders: 400, stores, behaviour, ..Options::default() })
}

fn stores(model: &mut Model, query: &str) -> Vec<Value> {
    rows(&body(model, &format!("/stores?{query}")), "stores")
}

#[test]
fn every_order_names_a_store() {
    let mut model = model(7, Behaviour::default());
    let all = stores(&mut model, "");
    assert_eq!(all.len(), 7);
    for order in orders(&mut model) {
        let id = order["storeId"].to_string();
        assert!(all.iter().any(|store| store["id"] == id.as_str()));
    }
}

#[test]
fn a_store_has_the_known_fields() {
    let mut model = model(3, Behaviour::default());
    let page = body(&mut model, "/stores");
    assert_eq!(keys(&page), ["count", "stores"]);
    let names = "aifiUniqueStoreId status deploymentStatus addressLine1 addressCity addressRegion addressCountry \
        addressPostalCode id store name displayableName thirdPartyId storeUrl maxPeople";
    let store = &page["stores"][0];
    assert_eq!(keys(store), words(names));
    assert!(store["id"].is_string() && store["store"]["oasisApiStoreId"].is_u64());
    assert_eq!(store["store"]["aifiUniqueStoreId"], store["aifiUniqueStoreId"]);
    model.set_behaviour(Behaviour { ids: Ids::String, ..Behaviour::default() });
    assert!(stores(&mut model, "")[0]["id"].is_u64());
}

#[test]
fn cursors_lead_through_all_stores() {
    let mut model = model(45, Behaviour::default());
    let all = stores(&mut model, "count=200");
    assert_eq!((all.len(), stores(&mut model, "").len()), (45, 20));
    assert_eq!(all.iter().map(|store| store["id"].as_str().unwrap()).collect::<Vec<_>>(), {
        let numbers: Vec<String> = (1..=45).map(|id: u32| id.to_string()).collect();
        let leaked: &'static [String] = numbers.leak();
        leaked.iter().map(String::as_str).collect::<Vec<_>>()
    });
    let mut walked = stores(&mut model, "count=20");
    loop {
        let after = walked.last().unwrap()["id"].as_str().unwrap().to_owned();
        let page = stores(&mut model, &format!("count=20&after={after}"));
        if page.is_empty() {
            break;
        }
        walked.extend(page);
    }
    assert_eq!(walked, all);
    assert_eq!(stores(&mut model, "before=10&count=3"), all[6..9]);
    let down = stores(&mut model, "direction=desc&count=2&after=10&orderBy=anything");
    assert_eq!(down, [all[8].clone(), all[7].clone()]);
}

#[test]
fn filters_find_what_they_name() {
    let mut model = model(60, Behaviour::default());
    let all = stores(&mut model, "count=200");
    let mut agree = |query: String, wanted: &dyn Fn(&Value) -> bool| {
        agree(&mut model, &format!("/stores?count=200&{query}"), "stores", &all, wanted);
    };
    agree("id=17".into(), &|row| row["id"] == "17");
    agree("status=OPEN".into(), &|row| row["status"] == "OPEN");
    agree("status=CLOSED&status=CLOSED_FOR_MAINTENANCE".into(), &|row| row["status"] != "OPEN");
    agree("deploymentStatus=LIVE".into(), &|row| row["deploymentStatus"] == "LIVE");
    for (parameter, name) in [("externalId", "thirdPartyId"), ("aifiUniqueStoreId", "aifiUniqueStoreId")] {
        let value = all[9][name].as_str().unwrap();
        agree(format!("{parameter}={value}"), &|row| row[name] == value);
    }
}

#[test]
fn wrong_requests_are_refused() {
    let mut model =
        model(3, Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() });
    for query in ["count=201", "count=0", "after=x", "status=open", "minUpdatedAt=2025-11-01", "id=1&id=2"] {
        assert_eq!(get(&mut model, &format!("/stores?{query}")).0, 422, "{query}");
    }
    assert_eq!(get(&mut model, "/stores/1").0, 404);
}

#[test]
fn expected_stores_agree_with_the_list() {
    let mut model = model(30, Behaviour::default());
    let (expected, listed) = (model.expected_stores(), stores(&mut model, "count=200"));
    assert_eq!(expected.len(), listed.len());
    for (expected, row) in expected.iter().zip(&listed) {
        assert_eq!(row["id"], expected.id);
        assert_eq!(row["name"], expected.name);
        assert_eq!(row["status"], expected.status);
        assert_eq!(row["deploymentStatus"], expected.deployment_status);
        assert_eq!(row["thirdPartyId"], expected.third_party_id);
    }
}
