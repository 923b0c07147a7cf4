use serde_json::{Value, json};

use crate::model::Model;
use crate::settings::{Behaviour, UnknownParameters};
use crate::testing::{agree, body, cents, get, keys, model, orders, rows, words};

fn products(model: &mut Model, query: &str) -> Vec<Value> {
    rows(&body(model, &format!("/products?{query}")), "products")
}

fn all(model: &mut Model, query: &str) -> Vec<Value> {
    let mut all = products(model, &format!("{query}&count=200"));
    all.extend(products(model, &format!("{query}&count=200&offset=200")));
    all
}

#[test]
fn every_line_names_a_product_as_it_is() {
    let mut model = model(Behaviour::default());
    let all = all(&mut model, "");
    for order in orders(&mut model) {
        for line in order["products"].as_array().unwrap() {
            let product = all.iter().find(|product| product["id"] == line["productId"]).unwrap();
            for name in [
                "name",
                "price",
                "barcode",
                "category",
                "thumbnail",
                "sku",
                "externalId",
                "taxCode",
                "weight",
            ] {
                assert_eq!(product[name], line[name], "{name}");
            }
        }
    }
}

#[test]
fn a_product_has_the_known_fields() {
    let product = products(&mut model(Behaviour::default()), "")[0].clone();
    let names = "createdAt updatedAt id productId name price barcode category thumbnail invalidThumbnail quantity \
        weight inventoryItemId sku externalId restricted taxCode storePrices variants";
    assert_eq!(keys(&product), words(names));
    assert_eq!(product["id"], product["productId"].to_string());
    assert_eq!(keys(&product["storePrices"][0]), words("storeId productId price createdAt"));
    assert!(product["storePrices"][0]["storeId"].is_string());
    assert_eq!(product["storePrices"].as_array().unwrap().len(), 3);
}

#[test]
fn offsets_lead_through_all_products() {
    let mut model = model(Behaviour::default());
    let whole = all(&mut model, "");
    assert_eq!((whole.len(), products(&mut model, "").len()), (240, 50));
    let (mut walked, mut offset) = (Vec::new(), 0);
    loop {
        let page = body(&mut model, &format!("/products?count=70&offset={offset}"));
        walked.extend(rows(&page, "products"));
        let next = &page["pagination"]["next"];
        match next["offset"].as_u64() {
            Some(next) => offset = next,
            None => break assert_eq!(next, &Value::Null),
        }
    }
    assert_eq!(walked, whole);
    let last = body(&mut model, "/products?count=200&offset=200");
    assert_eq!(last["pagination"], json!({"previous": {"offset": 0, "count": 200}, "next": null}));
    let beyond = body(&mut model, "/products?offset=240");
    assert_eq!((&beyond["products"], &beyond["pagination"]["next"]), (&json!([]), &Value::Null));
}

#[test]
fn every_key_sorts() {
    let mut model = model(Behaviour::default());
    type Key = fn(&Value) -> (u64, String);
    let keys: [(&str, Key); 5] = [
        ("id", |row| (row["productId"].as_u64().unwrap(), String::new())),
        ("createdAt", |row| (0, row["createdAt"].to_string())),
        ("name", |row| (0, row["name"].as_str().unwrap().to_owned())),
        ("price", |row| (cents(&row["price"]), String::new())),
        ("quantity", |row| (row["quantity"].as_u64().unwrap(), String::new())),
    ];
    for (name, key) in keys {
        let mut rising = all(&mut model, &format!("sort={name}"));
        assert!(rising.is_sorted_by_key(key), "{name}");
        rising.reverse();
        assert_eq!(all(&mut model, &format!("sort={name}&direction=desc")), rising);
    }
}

#[test]
fn filters_find_what_they_name() {
    let mut model = model(Behaviour::default());
    let all = all(&mut model, "");
    let mut agree = |query: &str, wanted: &dyn Fn(&Value) -> bool| {
        agree(&mut model, &format!("/products?count=200&{query}"), "products", &all, wanted);
    };
    agree("id=1003&id=1017", &|row| row["id"] == "1003" || row["id"] == "1017");
    agree("name=Zeitung&name=Banane+%232", &|row| row["name"] == "Zeitung" || row["name"] == "Banane #2");
    agree("barcode=4000000000004", &|row| row["productId"] == 1_004);
    agree("externalId=ext-5", &|row| row["productId"] == 1_005);
    agree("sku=SKU-0006&sku=SKU-0007", &|row| row["productId"] == 1_006 || row["productId"] == 1_007);
    agree("category=Fruit", &|row| row["category"] == "Fruit");
    agree("invalidThumbnail=true", &|row| row["invalidThumbnail"] == true);
    agree("priceMin=1.5&priceMax=3.29", &|row| (150..=329).contains(&cents(&row["price"])));
    agree("quantityMin=100&quantityMax=200", &|row| (100..=200).contains(&row["quantity"].as_u64().unwrap()));
    for (parameter, name) in [("CreatedAt", "createdAt"), ("UpdatedAt", "updatedAt")] {
        let mut moments: Vec<_> = all.iter().map(|row| row[name].as_str().unwrap()).collect();
        moments.sort_unstable();
        let at = moments[120];
        agree(&format!("min{parameter}={at}"), &|row| row[name].as_str().unwrap() >= at);
        agree(&format!("max{parameter}={at}"), &|row| row[name].as_str().unwrap() <= at);
    }
}

#[test]
fn wrong_requests_are_refused() {
    let mut model =
        model(Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() });
    for query in
        ["count=201", "count=0", "offset=-1", "sort=sku", "id=x", "page=0", "sort=id&sort=name", "id[]=1"]
    {
        assert_eq!(get(&mut model, &format!("/products?{query}")).0, 422, "{query}");
    }
    assert_eq!(get(&mut model, "/products?location=x&id=1001&id=1002").0, 200);
}

#[test]
fn expected_products_agree_with_the_list() {
    let mut model = model(Behaviour::default());
    let (expected, listed) = (model.expected_products(), all(&mut model, ""));
    assert_eq!(expected.len(), listed.len());
    for (expected, row) in expected.iter().zip(&listed) {
        assert_eq!(row["id"], expected.id);
        assert_eq!(row["name"], expected.name);
        assert_eq!(row["price"], expected.price);
        assert_eq!(row["quantity"], expected.quantity);
        assert_eq!(row["createdAt"], expected.created_at);
        assert_eq!(row["updatedAt"], expected.updated_at);
        assert!(expected.created_at < expected.updated_at && *expected.updated_at < *"2025-12-01");
    }
}
