//! A checkout event: what the webhook is called with.

use chrono::{DateTime, Utc};

use crate::endpoint::{Spelling, price, quoted};
use crate::shop::texts::{self, money, number};
use crate::shop::{Book, Draw, ROLES, Row, Session, Status, Store};
use crate::time;

/// An event, in two parts between which the time of its issue belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) order: u64,
    pub(crate) status: &'static str,
    pub(crate) origin: String,
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Event {
    /// The event of an order's newest version, that arose at `now`. Keys as documented; what is inside the cart, and
    /// which payment goes with which status, is a guess.
    pub(crate) fn new(
        book: &Book,
        id: u64,
        status: &'static str,
        now: DateTime<Utc>,
        spelling: &Spelling,
        seed: u64,
    ) -> Option<Event> {
        let row = &book.rows[book.newest(id)?];
        let first = book.first(row);
        let origin = time::text(now.timestamp_micros(), spelling.behaviour.stamps);
        let (mut before, mut behind) = (Vec::with_capacity(3_000), Vec::with_capacity(200));
        before.extend_from_slice(b"{\"sessionId\":\"");
        texts::session_id(row, &mut before);
        before.extend_from_slice(b"\",\"session\":");
        spelling.session(&mut before, &Session::of_order(first));
        customer(&mut before, row);
        spelling.place(&mut before, row, seed);
        before.extend_from_slice(b",\"timeOfOrigin\":");
        quoted(&mut before, &origin);
        before.extend_from_slice(b",\"timeOfIssue\":");
        behind.extend_from_slice(b",\"orderId\":");
        spelling.id(&mut behind, row.shown_id(spelling.behaviour.version_ids));
        behind.extend_from_slice(b",\"status\":");
        quoted(&mut behind, status);
        spelling.cart(&mut behind, row, first);
        amounts(&mut behind, row);
        payment(&mut behind, row, status);
        behind.push(b'}');
        Some(Event { order: row.shown_id(spelling.behaviour.version_ids), status, origin, before, behind })
    }

    /// The body, issued at this time.
    pub(crate) fn body(&self, issue: &str) -> Vec<u8> {
        let mut body = self.before.clone();
        quoted(&mut body, issue);
        body.extend_from_slice(&self.behind);
        body
    }
}

fn customer(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(b",\"customer\":{\"externalId\":null,\"metadata\":{},\"id\":\"");
    number(out, u64::from(row.customer));
    out.extend_from_slice(b"\",\"role\":");
    quoted(out, ROLES[usize::from(row.role)]);
    out.push(b'}');
}

fn amounts(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(b",\"amount\":");
    money(out, row.total());
    for (name, cents) in [("totalPrice", row.total()), ("totalTax", row.tax), ("subtotalPrice", row.subtotal)]
    {
        out.push(b',');
        quoted(out, name);
        out.push(b':');
        price(out, cents);
    }
}

fn payment(out: &mut Vec<u8>, row: &Row, status: &str) {
    let paid = match (status, row.status) {
        ("draft", _) | (_, Status::PaymentProcessing) => "processing",
        (_, Status::Unpaid) => "failure",
        _ => "success",
    };
    out.extend_from_slice(b",\"payment\":{\"status\":");
    quoted(out, paid);
    let none = row.draw(Draw::Payment).is_multiple_of(4);
    out.extend_from_slice(b",\"paymentProvider\":");
    quoted(out, if none { "NONE" } else { "external" });
    out.push(b'}');
}

impl Spelling<'_> {
    fn place(&self, out: &mut Vec<u8>, row: &Row, seed: u64) {
        let store = Store::new(u64::from(row.store), seed);
        out.extend_from_slice(b",\"storeId\":");
        self.id(out, u64::from(row.store));
        out.extend_from_slice(b",\"store\":{\"oasisApiStoreId\":");
        self.id(out, u64::from(row.store));
        out.extend_from_slice(b",\"aifiUniqueStoreId\":");
        quoted(out, &store.unique_id());
        out.extend_from_slice(b"},\"storeExternalId\":");
        quoted(out, &store.external_id());
    }

    /// The lines that the order has now.
    fn cart(&self, out: &mut Vec<u8>, row: &Row, first: &Row) {
        out.extend_from_slice(b",\"cart\":[");
        for placed in row.placed(first).filter(|placed| placed.place < row.lines) {
            if placed.place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&self.line_item(row, &placed));
        }
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::model::Model;
    use crate::settings::{Options, Push};
    use crate::testing::{BEARER, cents, keys, words};

    fn model() -> Model {
        let push = Some(Push::to("http://127.0.0.1:1/checkout").unwrap());
        Model::new(Options { orders: 20, push, ..Options::default() })
    }

    fn body(model: &mut Model) -> Value {
        let event = model.queue.next().unwrap();
        serde_json::from_slice(&event.body("2025-12-01T00:00:01.000Z")).unwrap()
    }

    #[test]
    fn an_order_is_pushed_when_drafted_completed_and_reviewed() {
        let mut model = model();
        let id = model.add_order_at(model.now());
        let draft = body(&mut model);
        assert_eq!((&draft["orderId"], &draft["status"]), (&Value::from(id), &Value::from("draft")));
        assert_eq!(draft["payment"]["status"], "processing");
        model.pay(id).unwrap();
        assert_eq!(body(&mut model)["payment"]["status"], "success");
        model.contest(id).unwrap();
        assert!(model.queue.next().is_none(), "a contest is not pushed, its review is");
        model.review(id).unwrap();
        let reviewed = body(&mut model);
        assert_eq!(reviewed["status"], "reviewed");
        assert_ne!(reviewed["totalPrice"], draft["totalPrice"]);
        assert_eq!(reviewed["sessionId"], draft["sessionId"]);
        for second in [draft, reviewed] {
            let lines = second["cart"].as_array().unwrap();
            let total: u64 = lines.iter().map(|line| cents(&line["totalPrice"])).sum();
            assert_eq!(total, cents(&second["totalPrice"]));
            assert!(lines.iter().all(|line| line["productSnapshot"]["name"].is_string()));
        }
    }

    #[test]
    fn orders_that_come_with_a_past_are_pushed_with_it() {
        let mut model = model();
        let ids = model.add_orders(50);
        let mut told: Vec<(u64, String)> = Vec::new();
        while let Some(event) = model.queue.next() {
            told.push((event.order, event.status.to_owned()));
        }
        assert!(ids.iter().all(|id| told.contains(&(*id, "draft".to_owned()))));
        assert!((51..=100).contains(&told.len()), "{} events", told.len());
    }

    #[test]
    fn the_keys_are_those_of_the_reference_and_the_session_that_of_the_api() {
        let mut model = model();
        let id = model.add_order_at(model.now());
        let pushed = body(&mut model);
        let documented = "sessionId session customer storeId store storeExternalId timeOfOrigin timeOfIssue \
            orderId status cart amount totalPrice totalTax subtotalPrice payment";
        assert_eq!(keys(&pushed), words(documented));
        let answer = model.answer(&format!("/api/admin/v2/orders/{id}"), BEARER);
        let order: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(pushed["session"], order["session"]);
        assert_eq!(pushed["cart"], order["lineItems"]);
    }

    #[test]
    fn without_a_webhook_nothing_waits() {
        let mut model = Model::new(Options { orders: 20, ..Options::default() });
        model.add_orders(3);
        assert!(model.queue.next().is_none());
    }
}
