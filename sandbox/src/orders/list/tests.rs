use std::collections::BTreeSet;

use crate::model::Model;
use crate::settings::{Behaviour, Bounds, Options, Superseded, Ties, UpdatedFilter, VersionIds, Versions};
use crate::shop::Filter;
use crate::time;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

fn model(behaviour: Behaviour) -> Model {
    Model::new(Options { orders: 450, contested_percent: 10, behaviour, ..Options::default() })
}

fn get(model: &mut Model, query: &str) -> Vec<Value> {
    let target = format!("/api/admin/v2/orders?{query}");
    let answer = model.answer(&target, Some("sandbox-token-0123456789"));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["data"].as_array().unwrap().clone()
}

/// All pages, and their sizes.
fn list(model: &mut Model, query: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut rows, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = get(model, &format!("{query}&page={}", sizes.len()));
        sizes.push(page.len());
        if page.is_empty() {
            return (rows, sizes);
        }
        rows.extend(page);
    }
}

fn key(row: &Value) -> (u64, u64) {
    (row["id"].as_u64().unwrap(), row["version"].as_u64().unwrap())
}

fn draft(row: &Value) -> DateTime<Utc> {
    time::parse(row["draftCreatedAt"].as_str().unwrap()).unwrap()
}

const BY_DRAFT: &str = "orderBy=draftCreatedAt&direction=asc&pageSize=200";

#[test]
fn pages_add_up_to_all_rows_in_the_asked_order() {
    let mut model = model(Behaviour::default());
    let (rows, sizes) = list(&mut model, BY_DRAFT);
    let total = sizes.iter().sum::<usize>();
    assert_eq!((rows.len(), &sizes[..2], sizes.len()), (total, &[200, 200][..], 4));
    assert!(rows.is_sorted_by_key(|row| (draft(row), key(row))));
    let whole: BTreeSet<_> = rows.iter().map(key).collect();
    assert_eq!(whole.len(), total);

    let (mut descending, _) = list(&mut model, "orderBy=draftCreatedAt&direction=desc&pageSize=70");
    descending.reverse();
    assert_eq!(descending, rows);
    let (by_id, _) = list(&mut model, "");
    assert!(by_id.is_sorted_by_key(key));
    assert_eq!(by_id.iter().map(key).collect::<BTreeSet<_>>(), whole);
    let (by_store, _) = list(&mut model, "orderBy=storeId&pageSize=200");
    assert!(by_store.is_sorted_by_key(|row| (row["storeId"].as_u64(), key(row))));
    let (by_price, _) = list(&mut model, "orderBy=totalPrice&pageSize=200");
    let price = |row: &Value| row["totalPrice"].as_str().unwrap().replace('.', "").parse::<u32>().unwrap();
    assert!(by_price.is_sorted_by_key(price) && by_price.len() == total);
}

#[test]
fn the_bounds_have_three_readings() {
    let at = time::parse("2025-11-20T10:00:00.400Z").unwrap();
    let query = format!(
        "{BY_DRAFT}&minDraftCreatedAt=2025-11-20T10:00:00.400Z&maxDraftCreatedAt=2025-11-20T10:00:02.600Z"
    );
    let found = |bounds| {
        let mut model = Model::new(Options {
            orders: 0,
            behaviour: Behaviour { bounds, ..Behaviour::default() },
            ..Options::default()
        });
        for millis in [-400, -1, 0, 1, 1_600, 2_199, 2_200, 2_201] {
            model.add_order_at(at + TimeDelta::milliseconds(millis));
        }
        let rows = get(&mut model, &query);
        rows.iter().map(|row| (draft(row) - at).num_milliseconds()).collect::<Vec<_>>()
    };
    assert_eq!(found(Bounds::Inclusive), [0, 1, 1_600, 2_199, 2_200]);
    assert_eq!(found(Bounds::Exclusive), [1, 1_600, 2_199]);
    assert_eq!(found(Bounds::TruncatedToSeconds), [-400, -1, 0, 1, 1_600]);
}

#[test]
fn ties_are_stable_or_not() {
    let ties = |ties| {
        let behaviour = Behaviour { ties, ..Behaviour::default() };
        Model::new(Options { orders: 300, ties: vec![250], behaviour, ..Options::default() })
    };
    let page = format!("{BY_DRAFT}&page=0");
    let mut stable = ties(Ties::Stable);
    assert_eq!(get(&mut stable, &page), get(&mut stable, &page));
    let mut unstable = ties(Ties::Unstable);
    let (first, second) = (get(&mut unstable, &page), get(&mut unstable, &page));
    assert!(first.is_sorted_by_key(draft) && first.len() == 200);
    let keys = |rows: &[Value]| rows.iter().map(key).collect::<BTreeSet<_>>();
    assert_ne!(first.iter().map(key).collect::<Vec<_>>(), second.iter().map(key).collect::<Vec<_>>());
    assert_ne!(keys(&first), keys(&second), "a group that reaches beyond the page changes the page's rows");
    assert_eq!(keys(&first).len(), 200);
}

#[test]
fn versions_are_listed_all_or_the_latest() {
    let mut all = model(Behaviour::default());
    let second = list(&mut all, BY_DRAFT).0.iter().filter(|row| row["version"] == 2).count();
    assert!(second > 20);
    assert_eq!(list(&mut all, BY_DRAFT).0.len(), 450 + second);
    let mut latest = model(Behaviour { versions: Versions::LatestOnly, ..Behaviour::default() });
    let rows = list(&mut latest, BY_DRAFT).0;
    assert_eq!(rows.len(), 450);
    assert_eq!(rows.iter().filter(|row| row["version"] == 2).count(), second);
    assert_eq!(rows.iter().map(key).map(|(id, _)| id).collect::<BTreeSet<_>>().len(), 450);
}

#[test]
fn a_new_version_keeps_the_id_or_gets_a_new_one() {
    for (version_ids, distinct) in [(VersionIds::Same, 1), (VersionIds::New, 2)] {
        let behaviour = Behaviour { version_ids, ..Behaviour::default() };
        let mut model =
            Model::new(Options { orders: 10, contested_percent: 100, behaviour, ..Options::default() });
        let rows = list(&mut model, BY_DRAFT).0;
        for session in rows.iter().map(|row| &row["sessionId"]) {
            let versions: Vec<_> = rows.iter().filter(|row| row["sessionId"] == *session).collect();
            assert_eq!(versions.len(), 2);
            assert_eq!(versions[0]["draftCreatedAt"], versions[1]["draftCreatedAt"]);
            assert_ne!(versions[0]["totalPrice"], versions[1]["totalPrice"]);
            let ids: BTreeSet<_> = versions.iter().map(|row| row["id"].as_u64()).collect();
            assert_eq!(ids.len(), distinct);
        }
    }
}

#[test]
fn a_replaced_version_is_updated_or_stale() {
    for (superseded, latest, moved) in [(Superseded::Updated, 0, true), (Superseded::Stale, 1, false)] {
        let mut model = Model::new(Options {
            orders: 1,
            behaviour: Behaviour { superseded, ..Behaviour::default() },
            contested_percent: 0,
            ..Options::default()
        });
        let before = get(&mut model, "")[0].clone();
        model.contest(before["id"].as_u64().unwrap()).unwrap();
        let rows = get(&mut model, "");
        assert_eq!((rows.len(), &rows[0]["version"], &rows[1]["version"]), (2, &1.into(), &2.into()));
        assert_eq!((&rows[0]["isLatest"], &rows[1]["isLatest"]), (&latest.into(), &1.into()));
        assert_eq!(rows[0]["updatedAt"] != before["updatedAt"], moved);
        let since = get(&mut model, "minUpdatedAt=2025-12-01T00:00:00Z");
        assert_eq!(since.len(), if moved { 2 } else { 1 });
        model.set_behaviour(Behaviour { updated_filter: UpdatedFilter::Ignored, ..Behaviour::default() });
        assert_eq!(get(&mut model, "minUpdatedAt=2025-12-02T00:00:00Z").len(), 2);
    }
}

#[test]
fn expected_orders_agree_with_a_full_list() {
    for version_ids in [VersionIds::Same, VersionIds::New] {
        for odd_values in [false, true] {
            let mut model = model(Behaviour { version_ids, odd_values, ..Behaviour::default() });
            let id = model.add_order_at(Options::default().now);
            model.contest(id).unwrap();
            model.remove_order(model.expected(&Filter::default())[5].id.parse().unwrap());
            model.add_orders(5);
            let expected = model.expected(&Filter::default());
            let (mut rows, _) = list(&mut model, &format!("{BY_DRAFT}&includeProducts=true"));
            let newest = |row: &Value| {
                let sessions = rows.iter().filter(|other| other["transactionId"] == row["transactionId"]);
                sessions.map(|other| other["version"].as_u64()).max().unwrap() == row["version"].as_u64()
            };
            let kept: Vec<bool> = rows.iter().map(newest).collect();
            let mut keep = kept.into_iter();
            rows.retain(|_| keep.next().unwrap());
            assert_eq!((rows.len(), expected.len()), (455, 455));
            for (row, order) in rows.iter().zip(&expected) {
                assert_eq!(row["id"].to_string(), order.id);
                assert_eq!(row["version"], order.version);
                assert_eq!(row["draftCreatedAt"], order.draft_created_at);
                assert_eq!(row["status"].to_string().trim_matches('"'), order.status);
                assert_eq!(row["storeId"], order.store_id);
                assert_eq!(row["totalPrice"], order.total_price);
                assert_eq!(row["updatedAt"], order.updated_at);
                assert_eq!(row["products"].as_array().map_or(0, Vec::len), order.products);
            }
        }
    }
}

#[test]
fn filters_find_what_they_name() {
    let mut model = model(Behaviour::default());
    let (all, _) = list(&mut model, BY_DRAFT);
    let mut agree = |query: String, wanted: &dyn Fn(&Value) -> bool| {
        let (found, _) = list(&mut model, &format!("{BY_DRAFT}&{query}"));
        let should: Vec<_> = all.iter().filter(|row| wanted(row)).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), should, "{query}");
        assert!(!found.is_empty() && found.len() < all.len(), "{query} finds {}", found.len());
    };
    agree("status=unpaid&status=contested".into(), &|row| {
        row["status"] == "unpaid" || row["status"] == "contested"
    });
    agree("storeId=2".into(), &|row| row["storeId"] == 2);
    agree("externalStatus=ok".into(), &|row| row["externalStatus"] == "ok");
    agree(format!("id={}", all[9]["id"]), &|row| row["id"] == all[9]["id"]);
    let text = |name: &str| all[9][name].as_str().unwrap().to_owned();
    for (name, field) in
        [("sessionId", "sessionId"), ("customerId", "customerId"), ("externalId", "externalId")]
    {
        agree(format!("{name}={}", text(field)), &|row| row[field] == all[9][field]);
    }
    let payment = all[9]["transaction"]["paymentTransactionId"].as_str().unwrap();
    agree(format!("paymentTransactionId={payment}"), &|row| {
        row["transaction"]["paymentTransactionId"] == payment
    });
    let cents = |row: &Value| row["totalPrice"].as_str().unwrap().replace('.', "").parse::<u32>().unwrap();
    agree("minTotalPrice=5.00&maxTotalPrice=12.5".into(), &|row| (500..=1_250).contains(&cents(row)));
    agree("startTime=2025-11-10&endTime=2025-11-20".into(), &|row| {
        ("2025-11-10".."2025-11-20").contains(&row["createdAt"].as_str().unwrap())
    });
    agree("minCreatedAt=2025-11-10T00:00:00Z".into(), &|row| {
        row["createdAt"].as_str().unwrap() >= "2025-11-10"
    });
    let (customers, _) = list(&mut model, "customerRole=customer&pageSize=200");
    let (others, _) = list(
        &mut model,
        "customerRole=employee&customerRole=tester&customerRole=untracked&customerRole=unknown&pageSize=200",
    );
    assert_eq!(customers.len() + others.len(), all.len());
    assert!(customers.len() > 8 * others.len() / 2 && !others.is_empty());
}

#[test]
fn a_kept_list_does_not_outlive_a_change() {
    let mut model = model(Behaviour::default());
    let unpaid = |model: &mut Model| get(model, "status=draft&pageSize=200").len();
    let before = unpaid(&mut model);
    let id = model.add_order_at(Options::default().now);
    assert_eq!(unpaid(&mut model), before + 1);
    model.pay(id);
    assert_eq!(unpaid(&mut model), before);
}
