//! The opt-in stream `sync_audit`: receipts that can be held against the table.

use aifi_sandbox::{Fault, Faults, Options};
use serde_json::{Value, json};

use crate::complete::settled;
use crate::harness::{Outcome, Run, config, configured_catalog, sandbox, total};

fn both(config: &Value, states: &[&Value]) -> Run {
    let mut catalog = configured_catalog("incremental");
    let mut audit = catalog["streams"][0].clone();
    audit["stream"]["name"] = json!("sync_audit");
    catalog["streams"].as_array_mut().unwrap().push(audit);
    let run = Run::of("read").file("config", &config.to_string()).file("catalog", &catalog.to_string());
    let states: Vec<&Value> = states.iter().map(|state| &state["state"]).collect();
    run.file("state", &json!(states).to_string())
}

fn receipts(outcome: &Outcome) -> Vec<&Value> {
    outcome.records_of("sync_audit")
}

fn sum(receipts: &[&Value], field: &str) -> u64 {
    receipts.iter().filter_map(|receipt| receipt[field].as_u64()).sum()
}

#[test]
fn receipts_add_up_to_what_was_written() {
    let sandbox =
        sandbox(Options { orders: 7_000, faults: Faults::rate(Fault::Cut, 0.1, 3), ..Options::default() });
    let config = config(&sandbox);
    let outcome = both(&config, &[]).finish().succeeded();
    let (orders, receipts) = (outcome.records_of("orders"), receipts(&outcome));
    assert!(receipts.len() >= 4, "{} receipts", receipts.len());
    assert_eq!(sum(&receipts, "ordersWritten"), orders.len() as u64);
    let expected = sandbox.expected(&settled(&sandbox));
    let totals = receipts.iter().map(|receipt| receipt["totalPrice"].as_str().unwrap());
    assert_eq!(total(totals), total(expected.iter().map(|order| order.total_price.as_str())));
    let ids: u128 = orders.iter().map(|order| u128::from(order["id"].as_u64().unwrap())).sum();
    let of_receipts = receipts
        .iter()
        .map(|receipt| receipt["idSum"].as_str().unwrap().parse::<u128>().unwrap())
        .sum::<u128>();
    assert_eq!(of_receipts, ids);
    assert_eq!(sum(&receipts, "requests"), sandbox.stats().requests);
    assert_eq!(sum(&receipts, "repeated"), sandbox.stats().fault("cut"));
    assert_eq!(sum(&receipts, "ordersWhoseAmountsDoNotAddUp"), 0);
    for pair in receipts.windows(2) {
        assert_eq!(
            pair[0]["untilDraftCreatedAt"], pair[1]["fromDraftCreatedAt"],
            "no gap between two pieces"
        );
        assert_eq!(pair[0]["slice"].as_u64().unwrap() + 1, pair[1]["slice"].as_u64().unwrap());
    }
}

#[test]
fn equal_content_has_equal_digests_and_each_sync_has_receipts_of_its_own() {
    let sandbox = sandbox(Options { orders: 900, ..Options::default() });
    let config = config(&sandbox);
    let first = both(&config, &[]).finish().succeeded();
    let again = both(&config, &[]).finish().succeeded();
    assert_eq!(receipts(&first)[0]["digest"], receipts(&again)[0]["digest"]);
    assert_ne!(receipts(&first)[0]["startedAt"], receipts(&again)[0]["startedAt"]);
    let order = sandbox.expected(&settled(&sandbox))[7].id.parse().unwrap();
    sandbox.contest(order);
    let changed = both(&config, &[]).finish().succeeded();
    assert_ne!(receipts(&first)[0]["digest"], receipts(&changed)[0]["digest"]);
}

#[test]
fn a_failed_sync_has_receipts_for_what_it_wrote() {
    let sandbox = sandbox(Options {
        orders: 4_000,
        faults: Faults::at(12..=u64::MAX, Fault::Expired401),
        ..Options::default()
    });
    let outcome = both(&config(&sandbox), &[]).finish().failed("transient_error");
    let written = outcome.records_of("orders").len() as u64;
    assert!(written > 500);
    assert_eq!(sum(&receipts(&outcome), "ordersWritten"), written);
}

#[test]
fn amounts_that_do_not_add_up_are_counted_and_written() {
    let sandbox = sandbox(Options {
        behaviour: aifi_sandbox::Behaviour { odd_values: true, ..Default::default() },
        ..Options::default()
    });
    let outcome = both(&config(&sandbox), &[]).finish().succeeded();
    let off = sum(&receipts(&outcome), "ordersWhoseAmountsDoNotAddUp");
    let without = sum(&receipts(&outcome), "ordersWithoutTotalPrice");
    let of_records = |wrong: &dyn Fn(&Value) -> bool| {
        outcome.records_of("orders").into_iter().filter(|order| wrong(order)).count() as u64
    };
    let cents = |order: &Value, field: &str| order[field].as_str().map(|text| total([text].into_iter()));
    assert_eq!(without, of_records(&|order| order["totalPrice"].is_null()));
    assert_eq!(
        off,
        of_records(&|order| {
            let amounts = ["subtotalPrice", "totalTax", "totalPrice"].map(|field| cents(order, field));
            matches!(amounts, [Some(subtotal), Some(tax), Some(total)] if subtotal + tax != total)
        })
    );
}
