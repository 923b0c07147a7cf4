//! `GET /stores`: the stores that orders name. Paged by `count` (20, at most 200), `after` and `before`.

use serde::Serialize;

use crate::endpoint::paging::{self, Between};
use crate::endpoint::{List, Problem, Recent, Reply, Request, Spelling, escaped, quoted, values};
use crate::shop::texts::number;
use crate::shop::{DEPLOYMENTS, STORE_STATUSES, Shop, Store};

/// All stores.
pub(crate) static LIST: List =
    List { name: "stores", rows: "stores", page, detail: None, expected: |shop| values(expected(shop)) };

/// A store. No moments are known of stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedStore {
    /// `id`, as digits.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `status`.
    pub status: &'static str,
    /// `deploymentStatus`.
    pub deployment_status: &'static str,
    /// `thirdPartyId`.
    pub third_party_id: String,
}

/// A request for a page, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Query {
    count: usize,
    between: Between,
    descending: bool,
    id: Option<u64>,
    statuses: u8,
    deployments: u8,
    external_id: Option<String>,
    unique_id: Option<String>,
}

impl Query {
    /// Understands the pairs of a query. `orderBy` is free (KNOWN) and changes nothing here: the cursors are ids.
    fn parse(request: &Request) -> Result<Query, Vec<Problem>> {
        let mut query = Query { count: 20, ..Query::default() };
        let mut reader = request.reader();
        reader.each(request.pairs, &["status", "deploymentStatus"], |reader, field, value| match field {
            "count" => query.count = reader.size(field, value).unwrap_or(query.count),
            "after" => query.between.after = paging::place(reader, field, value, "id"),
            "before" => query.between.before = paging::place(reader, field, value, "id"),
            "orderBy" => {}
            "direction" => query.descending = reader.descending(field, value),
            "id" => query.id = reader.number(field, value),
            "status" => query.statuses |= reader.bit(field, value, &STORE_STATUSES),
            "deploymentStatus" => query.deployments |= reader.bit(field, value, &DEPLOYMENTS),
            "externalId" => query.external_id = Some(value.to_owned()),
            "aifiUniqueStoreId" => query.unique_id = Some(value.to_owned()),
            _ => reader.undocumented(field),
        });
        query.count = reader.capped(query.count);
        reader.done(query)
    }

    fn wants(&self, store: Store) -> bool {
        let bit = |bits: u8, names: &[&str], name: &str| {
            bits == 0 || names.iter().position(|one| *one == name).is_some_and(|at| bits & (1 << at) != 0)
        };
        self.id.is_none_or(|id| id == store.id)
            && bit(self.statuses, &STORE_STATUSES, store.status())
            && bit(self.deployments, &DEPLOYMENTS, store.deployment())
            && self.external_id.as_ref().is_none_or(|id| *id == store.external_id())
            && self.unique_id.as_ref().is_none_or(|id| *id == store.unique_id())
    }
}

/// A page. Something stands beside `stores` (KNOWN); what is UNKNOWN.
fn page(request: &Request, _: &mut Recent) -> Result<Reply, Vec<Problem>> {
    let (query, spelling) = (Query::parse(request)?, request.spelling());
    let list: Vec<Store> = Store::every(request.shop.options).filter(|store| query.wants(*store)).collect();
    let part = query.between.part(&list, query.count, query.descending, |store| (store.id as i64, store.id));
    let mut rows: Vec<Vec<u8>> = list[part].iter().map(|store| spelling.store(*store)).collect();
    if query.descending {
        rows.reverse();
    }
    let behind = format!(",\"count\":{}", rows.len()).into_bytes();
    Ok(Reply { before: Vec::new(), rows, behind })
}

/// All stores as a copy should hold them.
pub(crate) fn expected(shop: &Shop) -> Vec<ExpectedStore> {
    Store::every(shop.options)
        .map(|store| ExpectedStore {
            id: store.id.to_string(),
            name: store.name(),
            status: store.status(),
            deployment_status: store.deployment(),
            third_party_id: store.external_id(),
        })
        .collect()
}

impl Spelling<'_> {
    fn store(&self, store: Store) -> Vec<u8> {
        let mut out = Vec::with_capacity(700);
        let (city, region, country, code) = store.city();
        out.extend_from_slice(b"{\"aifiUniqueStoreId\":");
        quoted(&mut out, &store.unique_id());
        out.extend_from_slice(b",\"status\":");
        quoted(&mut out, store.status());
        out.extend_from_slice(b",\"deploymentStatus\":");
        quoted(&mut out, store.deployment());
        for (name, value) in [
            ("addressLine1", format!("Street {}", 1 + store.draw % 90).as_str()),
            ("addressCity", city),
            ("addressRegion", region),
            ("addressCountry", country),
            ("addressPostalCode", code),
            ("name", &store.name()),
            ("displayableName", &format!("{city} {}", store.id)),
            ("thirdPartyId", &store.external_id()),
            ("storeUrl", &format!("https://shop.example/{}", store.id)),
        ] {
            out.push(b',');
            quoted(&mut out, name);
            out.push(b':');
            escaped(&mut out, value);
        }
        out.extend_from_slice(b",\"id\":");
        self.text_id(&mut out, store.id);
        out.extend_from_slice(b",\"store\":{\"oasisApiStoreId\":");
        self.id(&mut out, store.id);
        out.extend_from_slice(b",\"aifiUniqueStoreId\":");
        quoted(&mut out, &store.unique_id());
        out.extend_from_slice(b"},\"maxPeople\":");
        number(&mut out, 10 + (store.draw >> 24) % 90);
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"gondolas\":[1,2]");
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests;
