//! From the record of an order to the records of its product lines. Pure.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use crate::failure::{Failure, FailureKind, why_not_json};
use crate::orders::api::lines::LineIds;
use crate::orders::api::page::Row;
use crate::orders::streams::OrderStream;
use crate::protocol::output::Change;
use crate::record::personal::Personal;
use crate::record::shape::{Property, Shape};
use crate::record::transcode::Transcoder;

/// The columns that come from the order. Should the API send a field of such a name within a line, it is kept as one that
/// the schema does not know.
const OF_THE_ORDER: [&str; 5] =
    ["orderId", "orderVersion", "orderDraftCreatedAt", "orderUpdatedAt", "storeId"];

/// What a line takes from its order, as it is in the order's record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    draft_created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    updated_at: Option<&'a RawValue>,
    #[serde(borrow)]
    store_id: Option<&'a RawValue>,
    #[serde(borrow)]
    products: Option<Vec<&'a RawValue>>,
}

/// A record of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// One line of JSON.
    pub(crate) data: Bytes,
    /// What could not be what the schema says.
    pub(crate) changes: Vec<Change>,
}

/// Writes product lines as records.
pub(crate) struct Lines {
    transcoder: Transcoder<'static>,
    /// Where `id` is in the shape.
    id: usize,
    /// Lines without an id of their own.
    pub(crate) unnumbered: u64,
}

impl Lines {
    /// For the stream `order_line_items`. `shape` is [`Self::shape`].
    pub(crate) fn new(shape: &'static Shape) -> Self {
        // The order was read with the setting: what is personal in its lines is hidden by now.
        Self {
            transcoder: Transcoder::new(shape, Personal::Keep),
            id: shape.position_of("id"),
            unnumbered: 0,
        }
    }

    /// The lines of an order, in its order.
    pub(crate) fn of(&mut self, order: &Row) -> Result<Vec<Line>, Failure> {
        let internal = |error: serde_json::Error| {
            Failure::new(FailureKind::Internal, "The product lines of an order could not be written.")
                .because(anyhow::Error::msg(why_not_json(&error)))
        };
        let Order { id, version, draft_created_at, updated_at, store_id, products } =
            serde_json::from_slice(&order.data).map_err(internal)?;
        let or_null = |value: Option<&RawValue>| value.map_or("null", RawValue::get).to_owned();
        let head = format!(
            r#"{{"orderId":{id},"orderVersion":{},"orderDraftCreatedAt":{},"orderUpdatedAt":{},"storeId":{}"#,
            or_null(version),
            or_null(draft_created_at),
            or_null(updated_at),
            or_null(store_id),
        );
        let mut ids = LineIds::default();
        let mut lines = Vec::new();
        for (position, product) in products.unwrap_or_default().into_iter().enumerate() {
            let mut out = Vec::with_capacity(head.len() + product.get().len() + 16);
            let mut deserializer = serde_json::Deserializer::from_str(product.get());
            let seed = self.transcoder.seed(&mut out);
            // A null in the list is not a line; anything else that is not an object was nulled when the order was read.
            let Some(written) = seed.deserialize(&mut deserializer).map_err(internal)? else { continue };
            let own = written.fields[self.id].clone();
            let number = std::str::from_utf8(&out[own.clone()]).ok().and_then(|text| ids.own(text));
            if number.is_none() {
                self.unnumbered += 1;
                let instead = LineIds::instead(position).to_string();
                if own.is_empty() {
                    let comma = if out.len() > 2 { "," } else { "" };
                    out.splice(1..1, format!(r#""id":{instead}{comma}"#).into_bytes());
                } else {
                    out.splice(own, instead.into_bytes());
                }
            }
            // The record is the line with the order's columns before its own.
            out.splice(0..1, format!("{head},").into_bytes());
            let of_line = format!("products[{position}].");
            let changes = order.changes.iter().filter_map(|change| change.field.strip_prefix(&of_line));
            lines.push(Line {
                data: out.into(),
                changes: changes.map(|field| Change::nulled(field.into())).collect(),
            });
        }
        Ok(lines)
    }
}

/// The shape of a line as the API sends it: without the columns of the order.
pub(crate) fn shape() -> &'static Shape {
    static SHAPE: std::sync::LazyLock<Shape> = std::sync::LazyLock::new(|| {
        let own = |property: &&Property| !OF_THE_ORDER.contains(&property.name.as_str());
        Shape::Object(OrderStream::LineItems.schema().shape.fields().iter().filter(own).cloned().collect())
    });
    &SHAPE
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::orders::api::page::PageReader;

    fn lines(order: &Value) -> (Vec<Value>, u64) {
        let body = json!({"data": [order]}).to_string();
        let rows = PageReader::of_orders(&Personal::Keep).read(body.as_bytes()).unwrap().rows;
        let mut lines = Lines::new(shape());
        let of_order = lines.of(&rows[0]).unwrap();
        let read = of_order.iter().map(|line| serde_json::from_slice(&line.data).unwrap());
        (read.collect(), lines.unnumbered)
    }

    fn order(products: Value) -> Value {
        json!({"id": 7, "version": 2, "draftCreatedAt": "2025-11-01T08:00:00.123456Z", "updatedAt": "2025-11-02T08:00:00Z",
            "storeId": "3", "products": products})
    }

    #[test]
    fn a_line_carries_its_order_and_its_own_fields() {
        let product = json!({"id": "12", "productId": 5, "totalPrice": "1.10", "weight": 0.250});
        let (lines, unnumbered) = lines(&order(json!([product, {"id": 13}])));
        assert_eq!(
            lines[0],
            json!({"orderId": 7, "orderVersion": 2, "orderDraftCreatedAt": "2025-11-01T08:00:00.123456Z",
                "orderUpdatedAt": "2025-11-02T08:00:00Z", "storeId": 3, "id": 12, "productId": "5", "totalPrice": "1.10", "weight": 0.250})
        );
        assert_eq!((lines.len(), &lines[1]["id"], unnumbered), (2, &json!(13), 0));
    }

    #[test]
    fn a_line_without_an_id_of_its_own_has_the_negative_of_its_position() {
        let products = json!([{}, {"id": 4}, {"id": null, "name": "x"}, {"id": 4, "name": "y"}, {"id": "z"}]);
        let (lines, unnumbered) = lines(&order(products));
        let ids: Vec<i64> = lines.iter().map(|line| line["id"].as_i64().unwrap()).collect();
        assert_eq!((ids.as_slice(), unnumbered), (&[-1, 4, -3, -4, -5][..], 4));
        assert_eq!((&lines[2]["name"], &lines[3]["name"]), (&json!("x"), &json!("y")));
    }

    #[test]
    fn a_negative_id_is_none_of_the_lines_own() {
        let (lines, unnumbered) = lines(&order(json!([{"name": "x"}, {"id": -1}, {"id": -4}, {}])));
        let ids: Vec<i64> = lines.iter().map(|line| line["id"].as_i64().unwrap()).collect();
        assert_eq!((ids.as_slice(), unnumbered), (&[-1, -2, -3, -4][..], 4));
    }

    #[test]
    fn an_order_without_lines_has_none() {
        for products in [json!([]), Value::Null, json!([null, 3]), json!({})] {
            assert_eq!(lines(&order(products)), (vec![], 0));
        }
        assert_eq!(lines(&json!({"id": 7, "draftCreatedAt": "2025-11-01T08:00:00Z"})).0, [Value::Null; 0]);
    }

    #[test]
    fn what_the_schema_does_not_know_is_kept_also_under_a_name_of_ours() {
        let (lines, _) = lines(&order(json!([{"id": 1, "orderId": "x", "shelf": {"bin": 2}}])));
        assert_eq!(lines[0]["orderId"], 7);
        assert_eq!(lines[0]["additionalFields"], json!({"orderId": "x", "shelf": {"bin": 2}}));
    }

    #[test]
    fn what_was_nulled_in_the_order_is_told_of_the_line() {
        let body = json!({"data": [order(json!([{"id": 1}, {"id": 2, "weight": "heavy"}]))]}).to_string();
        let rows = PageReader::of_orders(&Personal::Keep).read(body.as_bytes()).unwrap().rows;
        let lines = Lines::new(shape()).of(&rows[0]).unwrap();
        assert_eq!(lines[0].changes, []);
        assert_eq!(lines[1].changes, [Change::nulled("weight".into())]);
    }
}
