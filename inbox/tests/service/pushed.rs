//! The sandbox pushes, as AiFi does: what the service said is kept is what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aifi_sandbox::{Call, Trouble};

use crate::harness::{Service, Store, on_both};
use crate::shop::{calls, live, sandbox};

on_both!(what_was_acknowledged_comes_out, a_sender_that_retries_gets_everything_in);

/// Order, status and time of origin name an event.
type Name = (String, String, String);

fn name(call: &Call) -> Name {
    (call.order_id.to_string(), call.status.to_owned(), call.time_of_origin.clone())
}

fn acknowledged(call: &&Call) -> bool {
    call.answer == Some(200)
}

/// How often each event came in, as the inbox says.
async fn kept(service: &Service) -> BTreeMap<Name, u64> {
    let text = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap().to_owned();
    let events = service.events().await;
    let kept: BTreeMap<Name, u64> = events
        .iter()
        .map(|event| {
            let payload: serde_json::Value = serde_json::from_str(&text(event, "payload")).unwrap();
            assert_eq!(payload["orderId"].to_string(), text(event, "orderId"));
            let name = (text(event, "orderId"), text(event, "status"), text(event, "timeOfOrigin"));
            (name, event["deliveryCount"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(kept.len(), events.len(), "an event is there twice");
    kept
}

async fn what_was_acknowledged_comes_out(store: Store) {
    let service = store.start(&[]);
    let (late, slow) = (Duration::from_millis(100), Duration::from_millis(300));
    let troubles = vec![
        (Trouble::Repeat, 0.15),
        (Trouble::Reissue, 0.15),
        (Trouble::Late(late), 0.15),
        (Trouble::Slow(slow), 0.15),
        (Trouble::Cut, 0.15),
    ];
    let sandbox = sandbox(&service, troubles, 0, false);
    live(&sandbox, 120);
    let calls = calls(&sandbox, 1200).await;
    let mut deliveries: BTreeMap<Name, u64> = BTreeMap::new();
    for call in calls.iter().filter(acknowledged) {
        *deliveries.entry(name(call)).or_default() += 1;
    }
    let sent: BTreeSet<Name> = calls.iter().map(name).collect();
    println!("{} events in {} calls, {} acknowledged", sent.len(), calls.len(), deliveries.len());
    assert_eq!(kept(&service).await, deliveries);
    assert!(deliveries.len() < sent.len(), "no call was cut for good");
    assert!(deliveries.values().any(|count| *count == 2), "no call was repeated");
    let origins: Vec<_> = calls.iter().map(|call| &call.time_of_origin).collect();
    assert!(!origins.is_sorted(), "no call was overtaken");
}

async fn a_sender_that_retries_gets_everything_in(store: Store) {
    let mut service = store.start(&[]);
    let late = Duration::from_millis(200);
    let troubles = vec![
        (Trouble::Repeat, 0.1),
        (Trouble::Reissue, 0.1),
        (Trouble::Late(late), 0.2),
        (Trouble::Cut, 0.2),
        (Trouble::Gone, 0.2),
    ];
    let sandbox = sandbox(&service, troubles, 100, false);
    for _ in 0..3 {
        let before = sandbox.pushed().calls.len();
        live(&sandbox, 39);
        // In the middle of it.
        while sandbox.pushed().calls.len() < before + 30 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let address = service.address.clone();
        service.kill();
        service = store.start_at(&address);
    }
    let calls = calls(&sandbox, 1200).await;
    let sent: BTreeSet<Name> = calls.iter().map(name).collect();
    let told: BTreeSet<Name> = calls.iter().filter(acknowledged).map(name).collect();
    let failed = calls.iter().filter(|call| !acknowledged(call)).count();
    println!("{} events in {} calls, {failed} of which failed", sent.len(), calls.len());
    assert_eq!(sent.len(), 3 * (39 * 2 + 13), "one order in three was reviewed, too");
    assert_eq!(told, sent);
    assert!(failed > 0, "no call failed");
    let kept: BTreeSet<Name> = kept(&service).await.into_keys().collect();
    assert_eq!(kept, sent);
}
