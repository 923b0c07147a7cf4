//! An event of the inbox becomes a record: its own columns, and those of the body that AiFi sent. Pure.
//!
//! The two are put together as one object of JSON, token by token, which then takes the same walk as the rows of all other
//! streams. So ids, moments and amounts are read as elsewhere, and what does not fit is kept and counted as elsewhere.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::record::object::Fields;

/// An event as the inbox sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    pub(super) recognised: bool,
    pub(super) delivery_count: u64,
    #[serde(borrow)]
    pub(super) relay: Cow<'a, str>,
    #[serde(borrow)]
    order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    time_of_origin: Option<&'a RawValue>,
    #[serde(borrow)]
    first_received_at: Option<&'a RawValue>,
    #[serde(borrow)]
    last_received_at: Option<&'a RawValue>,
    answer_status: Option<u64>,
    answer_millis: Option<u64>,
    #[serde(borrow)]
    answer_body: Option<&'a RawValue>,
    #[serde(borrow)]
    answer_body_base64: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    payload_base64: Option<&'a RawValue>,
}

impl Event<'_> {
    /// Its columns, as one object.
    pub(super) fn columns(&self) -> String {
        let payload = self.payload.map(text).unwrap_or_default();
        let mut columns = Object::default();
        columns.put("eventId", &Value::from(&*self.event).to_string());
        columns.put("seq", &self.seq.to_string());
        columns.put("recognised", &self.recognised.to_string());
        columns.put("relay", &Value::from(&*self.relay).to_string());
        columns.put("deliveryCount", &self.delivery_count.to_string());
        columns.put_some("firstReceivedAt", self.first_received_at);
        columns.put_some("lastReceivedAt", self.last_received_at);
        columns.put("relayAnswer", &self.relay_answer());
        columns.put_some("payload", self.payload);
        columns.put_some("payloadBase64", self.payload_base64);
        if self.recognised {
            // The inbox has read these three already, and knows the event by them.
            columns.put_some("orderId", self.order_id);
            columns.put_some("status", self.status);
            columns.put_some("timeOfOrigin", self.time_of_origin);
            if let Ok(Fields(fields)) = serde_json::from_str(&payload) {
                columns.put_payload(&fields);
            }
        }
        columns.end()
    }

    /// What the relay's target answered: its fields, or the response as it is, if it is not an object.
    fn relay_answer(&self) -> String {
        if self.answer_status.is_none() && self.answer_millis.is_none() {
            return "null".to_owned();
        }
        let mut answer = Object::default();
        let number = |number: Option<u64>| number.map_or("null".to_owned(), |number| number.to_string());
        answer.put("statusCode", &number(self.answer_status));
        answer.put("milliseconds", &number(self.answer_millis));
        let body = self.answer_body.filter(|body| body.get() != "null");
        let said = body.map(text).unwrap_or_default();
        match serde_json::from_str(&said) {
            Ok(Fields(fields)) => fields.iter().for_each(|(name, value)| answer.put(name, value.get())),
            Err(_) => answer.put_some("body", body.or(self.answer_body_base64)),
        }
        answer.end()
    }
}

/// The text that a token means; nothing, if it is not a text.
fn text(token: &RawValue) -> Cow<'_, str> {
    serde_json::from_str(token.get()).unwrap_or_default()
}

/// An object of JSON that is being written. Of a name that comes again the first value stays.
#[derive(Default)]
struct Object {
    json: String,
    names: HashSet<String>,
}

impl Object {
    fn put(&mut self, name: &str, value: &str) {
        if !self.names.insert(name.to_owned()) {
            return;
        }
        self.json.push(if self.json.is_empty() { '{' } else { ',' });
        self.json.push_str(&Value::from(name).to_string());
        self.json.push(':');
        self.json.push_str(value);
    }

    fn put_some(&mut self, name: &str, value: Option<&RawValue>) {
        if let Some(value) = value {
            self.put(name, value.get());
        }
    }

    /// The fields of the body, and the columns that are lifted out of them.
    fn put_payload(&mut self, fields: &[(String, &RawValue)]) {
        // What is beside the session is deprecated.
        self.lift(fields, "session", &[("sessionId", "sessionId")]);
        self.lift(fields, "customer", &[("id", "customerId"), ("role", "customerRole")]);
        for (name, value) in fields {
            self.put(name, value.get());
        }
    }

    /// Puts values of the object `name` under names of their own, but for nulls.
    fn lift(&mut self, fields: &[(String, &RawValue)], name: &str, columns: &[(&str, &str)]) {
        let object = fields.iter().find(|(field, _)| field == name);
        let Some(Fields(inner)) = object.and_then(|(_, object)| serde_json::from_str(object.get()).ok())
        else {
            return;
        };
        for (within, column) in columns {
            let value = inner.iter().find(|(field, _)| field == within).map(|(_, value)| *value);
            self.put_some(column, value.filter(|value| value.get() != "null"));
        }
    }

    fn end(mut self) -> String {
        self.json.push('}');
        self.json
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The columns of an event with this body.
    fn columns(payload: &str, changes: Value) -> Value {
        let mut event = json!({"seq": 7, "event": "e7", "recognised": true, "orderId": "12", "status": "draft",
            "timeOfOrigin": "2025-11-30T12:00:00Z", "firstReceivedAt": "2025-11-30T12:00:01.5Z",
            "lastReceivedAt": "2025-11-30T12:00:02Z", "deliveryCount": 2, "relay": "none", "answerStatus": null,
            "answerBody": null, "payload": payload});
        for (name, value) in changes.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        let text = event.to_string();
        let event: Event = serde_json::from_str(&text).unwrap();
        serde_json::from_str(&event.columns()).unwrap()
    }

    #[test]
    fn the_body_is_beside_what_the_inbox_knows() {
        let payload = r#"{"orderId": 12, "status": "draft", "amount": 1.10, "storeId": 3, "sessionId": "old",
            "session": {"sessionId": "s1"}, "customer": {"id": "5", "role": "employee"}, "seq": 99, "new": [1]}"#;
        let columns = columns(payload, json!({}));
        for (name, value) in [
            ("eventId", json!("e7")),
            ("seq", json!(7)),
            ("orderId", json!("12")),
            ("deliveryCount", json!(2)),
            ("sessionId", json!("s1")),
            ("customerId", json!("5")),
            ("customerRole", json!("employee")),
            ("storeId", json!(3)),
            ("new", json!([1])),
            ("relayAnswer", Value::Null),
            ("payload", json!(payload)),
        ] {
            assert_eq!(columns[name], value, "{name}");
        }
        assert!(columns.to_string().contains("\"amount\":1.1"));
    }

    #[test]
    fn the_deprecated_session_counts_where_there_is_no_other() {
        for session in ["null", "{}", r#"{"sessionId": null}"#, "3"] {
            let payload = format!(r#"{{"sessionId": "old", "session": {session}}}"#);
            assert_eq!(columns(&payload, json!({}))["sessionId"], "old", "{session}");
        }
    }

    #[test]
    fn of_what_is_not_recognised_only_the_body_is_there() {
        for (payload, field) in
            [("not json", "payload"), ("bm8=", "payloadBase64"), (r#"{"orderId": 1}"#, "payload")]
        {
            let columns =
                columns("", json!({"recognised": false, "payload": null, "orderId": null, field: payload}));
            assert_eq!((&columns[field], &columns["orderId"]), (&json!(payload), &Value::Null));
            assert_eq!(columns["recognised"], false);
        }
    }

    #[test]
    fn an_answer_is_its_fields_or_itself() {
        let answer = |status: Value, millis: Value, body: Value| {
            let changes = json!({"relay": "answered", "answerStatus": status, "answerMillis": millis, "answerBody": body});
            columns("{}", changes)["relayAnswer"].clone()
        };
        let body = r#"{"paymentStatus":"success","paymentTransactionIds":["a"],"statusCode":1}"#;
        assert_eq!(
            answer(json!(200), json!(31), json!(body)),
            json!({"statusCode": 200, "milliseconds": 31, "paymentStatus": "success", "paymentTransactionIds": ["a"]})
        );
        assert_eq!(answer(json!(500), json!(2), json!("no"))["body"], "no");
        assert_eq!(answer(Value::Null, json!(30_000), Value::Null)["body"], Value::Null);
        assert_eq!(answer(Value::Null, Value::Null, Value::Null), Value::Null);
    }
}
