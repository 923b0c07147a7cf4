//! What the tables of the orders' family should hold, as the sandbox knows it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aifi_sandbox::{
    Behaviour, Expected, ExpectedDetail, ExpectedLine, Faults, Filter, FirstPage, Limit, Model, Sandbox,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::family::Key;
use super::{TOKEN, Warehouse, key, total};

/// The orders that a filter names, with their lines and versions.
#[derive(Debug)]
pub struct Truth {
    orders: Vec<Expected>,
    lines: Vec<ExpectedLine>,
    details: Vec<ExpectedDetail>,
    /// Every row that the list shows, as a record would have it.
    listed: BTreeMap<Key, Value>,
    /// Versions that the list showed once: they may be in the table.
    pub listed_before: BTreeSet<Key>,
}

impl Truth {
    /// What the sandbox holds now of the orders that `filter` names.
    pub fn of(sandbox: &Sandbox, filter: &Filter) -> Self {
        Self::of_model(&sandbox.model(), filter)
    }

    /// The same of its model.
    pub fn of_model(model: &Model, filter: &Filter) -> Self {
        let mut model = model.clone();
        model.set_limit(Limit::None);
        model.set_faults(Faults::default());
        let page = FirstPage::Zero;
        model.set_behaviour(Behaviour { first_page: page, ..model.options().behaviour.clone() });
        let model = &mut model;
        let listed = listed(model).into_iter().filter(|row| names(filter, row));
        let listed = listed.map(|row| (key("order_versions", &row), row)).collect();
        let (orders, lines) = (model.expected(filter), model.expected_lines(filter));
        let details = model.expected_details(filter);
        Self { orders, lines, details, listed, listed_before: BTreeSet::new() }
    }

    /// How many orders there are.
    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    /// The keys of the versions that the list shows.
    pub fn versions(&self) -> BTreeSet<Key> {
        self.listed.keys().copied().collect()
    }

    /// The keys of a stream's rows, of orders drafted before an instant.
    pub fn keys(&self, stream: &str, before: Option<DateTime<Utc>>) -> BTreeSet<Key> {
        let drafted = |at: &str| at.parse::<DateTime<Utc>>().unwrap();
        let is_before = |at: &str| before.is_none_or(|before| drafted(at) < before);
        let orders: HashMap<&str, &Expected> =
            self.orders.iter().map(|order| (order.id.as_str(), order)).collect();
        match stream {
            "order_line_items" => {
                let lines = self
                    .lines
                    .iter()
                    .filter(|line| is_before(&orders[line.order_id.as_str()].draft_created_at));
                lines.map(|line| (number(&line.order_id), number(&line.id).cast_signed())).collect()
            }
            "order_versions" => {
                let rows = self.listed.iter();
                let before = rows.filter(|(_, row)| is_before(row["draftCreatedAt"].as_str().unwrap()));
                before.map(|(key, _)| *key).collect()
            }
            _ => {
                let orders = self.orders.iter().filter(|order| is_before(&order.draft_created_at));
                orders.map(|order| (number(&order.id), 0)).collect()
            }
        }
    }

    /// A state that was just said of a stream speaks of nothing that is not written.
    #[track_caller]
    pub fn assert_proven(&self, message: &Value, warehouse: &Warehouse) {
        let stream = message["state"]["stream"]["stream_descriptor"]["name"].as_str().unwrap();
        let state = &message["state"]["stream"]["stream_state"];
        let field = if stream == "order_line_items" { "orderDraftCreatedAt" } else { "draftCreatedAt" };
        let until = state[field].as_str().and_then(|at| at.parse().ok()).expect("a cursor");
        let missing = |key: &Key| !warehouse.has(stream, key);
        let missing: Vec<Key> = self.keys(stream, Some(until)).into_iter().filter(missing).take(3).collect();
        assert!(missing.is_empty(), "{stream} is said to be written before {until}, but lacks {missing:?}");
    }

    /// Each table holds what it should: nothing missing, nothing more, nothing stale.
    #[track_caller]
    pub fn assert_holds(&self, warehouse: &Warehouse, streams: &[&str]) {
        for stream in streams {
            match *stream {
                "orders" => self.assert_orders(warehouse),
                "order_line_items" => self.assert_lines(warehouse),
                "order_versions" => self.assert_versions(warehouse),
                _ => self.assert_details(warehouse),
            }
        }
    }

    /// The same, but of versions that are not listed any more each may be in the table or not.
    #[track_caller]
    pub fn assert_shown(&self, warehouse: &Warehouse, streams: &[&str]) {
        let others: Vec<&str> =
            streams.iter().copied().filter(|stream| *stream != "order_versions").collect();
        self.assert_holds(warehouse, &others);
        if streams.len() > others.len() {
            let table = warehouse.table("order_versions");
            for (key, listed) in &self.listed {
                let row = table.get(key).unwrap_or_else(|| panic!("versions: missing {key:?}"));
                assert_eq!(of_version(row), of_version(listed), "{key:?}");
            }
        }
    }

    #[track_caller]
    fn assert_orders(&self, warehouse: &Warehouse) {
        let table = warehouse.current_orders();
        same_keys("orders", &table.keys().copied().collect(), &self.keys("orders", None));
        for order in &self.orders {
            let row = table[&(number(&order.id), 0)];
            assert_eq!(of_order(row), of_expected(order));
            assert_eq!(row["products"].as_array().map_or(0, Vec::len), order.products);
        }
    }

    #[track_caller]
    fn assert_lines(&self, warehouse: &Warehouse) {
        let table = warehouse.current_lines();
        same_keys("lines", &table.keys().copied().collect(), &self.keys("order_line_items", None));
        let mut sums: HashMap<&str, i128> = HashMap::new();
        for line in &self.lines {
            let row = table[&(number(&line.order_id), number(&line.id).cast_signed())];
            assert_eq!(row["orderVersion"], line.order_version);
            assert_eq!(row["productId"], line.product_id.as_str());
            assert_eq!(row["quantity"].as_f64(), Some(f64::from(line.quantity)), "{row}");
            let amounts = ["price", "subtotalPrice", "totalTax", "totalPrice"].map(|name| &row[name]);
            assert_eq!(amounts, [&line.price, &line.subtotal_price, &line.total_tax, &line.total_price]);
            assert_eq!(row["orderUpdatedAt"], line.updated_at.as_str());
            *sums.entry(&line.order_id).or_default() +=
                total([row["totalPrice"].as_str().unwrap()].into_iter());
        }
        // Of odd prices the lines know nothing.
        let plain = |price: &str| price.len() < 16 && price != "12.10";
        for order in self.orders.iter().filter(|order| order.products > 0 && plain(&order.total_price)) {
            assert_eq!(sums[order.id.as_str()], total([order.total_price.as_str()].into_iter()), "{order:?}");
        }
    }

    #[track_caller]
    fn assert_versions(&self, warehouse: &Warehouse) {
        let table = warehouse.table("order_versions");
        let now = self.versions();
        let only_before = |key: &&Key| self.listed_before.contains(key) && !now.contains(key);
        let expected = now.iter().chain(self.listed_before.iter().filter(only_before)).copied().collect();
        same_keys("versions", &table.keys().copied().collect(), &expected);
        for (key, listed) in &self.listed {
            assert_eq!(of_version(table[key]), of_version(listed), "{key:?}");
        }
    }

    #[track_caller]
    fn assert_details(&self, warehouse: &Warehouse) {
        let mut table = warehouse.table("order_details");
        // Under new ids an old version has a row of its own, as in the table of the orders.
        let (current, all) = (warehouse.current_orders(), warehouse.table("orders"));
        table.retain(|key, _| current.contains_key(key) || !all.contains_key(key));
        same_keys("details", &table.keys().copied().collect(), &self.keys("order_details", None));
        for ExpectedDetail { order, line_items } in &self.details {
            let row = table[&(number(&order.id), 0)];
            assert_eq!(of_order(row), of_expected(order));
            assert!(row["session"]["sessionId"].is_string(), "{row}");
            let of_row: Vec<Value> = row["lineItems"].as_array().unwrap().iter().map(of_item).collect();
            let expected: Vec<Value> = line_items.iter().map(of_expected_line).collect();
            assert_eq!(of_row, expected, "{}", order.id);
        }
    }
}

#[track_caller]
fn same_keys(what: &str, table: &BTreeSet<Key>, expected: &BTreeSet<Key>) {
    let missing: Vec<&Key> = expected.difference(table).take(5).collect();
    assert!(missing.is_empty(), "{what}: missing, of {} expected: {missing:?}", expected.len());
    let more: Vec<&Key> = table.difference(expected).take(5).collect();
    assert!(more.is_empty(), "{what}: not expected: {more:?}");
}

fn number(text: &str) -> u64 {
    text.parse().expect("digits")
}

fn of_order(row: &Value) -> [Value; 5] {
    ["version", "draftCreatedAt", "status", "updatedAt", "totalPrice"].map(|name| row[name].clone())
}

fn of_expected(order: &Expected) -> [Value; 5] {
    let Expected { version, draft_created_at, status, updated_at, total_price, .. } = order;
    [json!(version), json!(draft_created_at), json!(status), json!(updated_at), json!(total_price)]
}

fn of_version(row: &Value) -> Vec<Value> {
    let mut values = of_order(row).to_vec();
    values.push(row["isLatest"].clone());
    values.push(row["products"].as_array().map_or(0, Vec::len).into());
    values
}

fn of_item(item: &Value) -> Value {
    json!([
        item["id"].to_string(),
        item["status"],
        item["quantity"].as_f64(),
        item["subtotalPrice"],
        item["totalTax"],
        item["totalPrice"],
        item["productSnapshot"]["price"],
        item["productSnapshot"]["productId"].to_string()
    ])
}

fn of_expected_line(line: &ExpectedLine) -> Value {
    json!([
        line.id,
        line.status,
        f64::from(line.quantity),
        line.subtotal_price,
        line.total_tax,
        line.total_price,
        line.price,
        line.product_id
    ])
}

/// Every row that the list shows, page by page, with its values as a record has them.
fn listed(model: &mut Model) -> Vec<Value> {
    let mut rows = Vec::new();
    for page in 0..1_000 {
        let path = format!(
            "/api/admin/v2/orders?orderBy=id&direction=asc&pageSize=200&includeProducts=true&page={page}"
        );
        let answer = model.answer(&path, Some(TOKEN));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let came = body["data"].as_array().unwrap();
        if came.is_empty() {
            return rows;
        }
        rows.extend(came.iter().cloned().map(as_record));
    }
    panic!("the pages have no end")
}

fn as_record(mut row: Value) -> Value {
    for name in ["id", "version"] {
        let text = row[name].to_string();
        row[name] = number(text.trim_matches('"')).into();
    }
    row["isLatest"] = match &row["isLatest"] {
        Value::Number(number) => (number.as_u64() == Some(1)).into(),
        other => other.clone(),
    };
    if row["status"].is_number() {
        row["status"] = row["status"].to_string().into();
    }
    row
}

fn names(filter: &Filter, row: &Value) -> bool {
    let at: DateTime<Utc> = row["draftCreatedAt"].as_str().unwrap().parse().unwrap();
    let store = row["storeId"].to_string();
    filter.from.is_none_or(|from| from <= at)
        && filter.until.is_none_or(|until| at < until)
        && (filter.statuses.is_empty()
            || filter.statuses.iter().any(|status| row["status"] == status.as_str()))
        && (filter.store_ids.is_empty()
            || filter.store_ids.iter().any(|id| id.to_string() == store.trim_matches('"')))
}
