//! The stores that orders name.

use crate::endpoint::paging::{self, Between};
use crate::endpoint::params::{Problem, Reader};
use crate::endpoint::reply::Reply;
use crate::endpoint::spelling::{Look, escaped, quoted};
use crate::orders::expected::ExpectedStore;
use crate::settings::behaviour::Behaviour;
use crate::settings::options::Options;
use crate::shop::order::mix;
use crate::shop::texts::number;

/// Names of the states (KNOWN).
const STATUSES: [&str; 3] = ["OPEN", "CLOSED", "CLOSED_FOR_MAINTENANCE"];
const DEPLOYMENTS: [&str; 4] = ["LIVE", "TESTING", "DEPLOYMENT", "DECOMMISSIONED"];
const CITIES: [(&str, &str, &str, &str); 5] = [
    ("München", "Bayern", "DE", "80331"),
    ("San José", "California", "US", "95110"),
    ("Kraków", "Małopolska", "PL", "31-042"),
    ("Saint-Étienne", "Loire", "FR", "42000"),
    ("京都", "京都府", "JP", "600-8216"),
];

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Store {
    id: u64,
    draw: u64,
}

/// How many stores there are; their ids count from 1.
fn count(options: &Options) -> u64 {
    u64::from(options.stores.max(1))
}

impl Store {
    fn new(id: u64, seed: u64) -> Store {
        Store { id, draw: mix(mix(seed ^ 0x57_0AE5) ^ id) }
    }

    fn status(self) -> &'static str {
        STATUSES[[0, 0, 0, 0, 0, 0, 1, 2][self.draw as usize % 8]]
    }

    fn deployment(self) -> &'static str {
        DEPLOYMENTS[[0, 0, 0, 0, 0, 1, 2, 3][(self.draw >> 8) as usize % 8]]
    }

    fn city(self) -> (&'static str, &'static str, &'static str, &'static str) {
        CITIES[(self.draw >> 16) as usize % CITIES.len()]
    }

    fn name(self) -> String {
        format!("{} \"{}\"", self.city().0, self.id)
    }

    fn external_id(self) -> String {
        format!("shop-{:03}", self.id)
    }

    fn unique_id(self) -> String {
        format!("{}-{:04}", self.city().2.to_lowercase(), self.id)
    }
}

/// The external and the unique id of a store, which a checkout event tells.
pub(crate) fn names(id: u64, seed: u64) -> (String, String) {
    let store = Store::new(id, seed);
    (store.external_id(), store.unique_id())
}

/// A request for a page, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
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
    pub(crate) fn parse(pairs: &[(String, String)], behaviour: &Behaviour) -> Result<Query, Vec<Problem>> {
        let mut query = Query { count: 20, ..Query::default() };
        let mut reader = Reader::new(behaviour);
        reader.each(pairs, &["status", "deploymentStatus"], |reader, field, value| match field {
            "count" => query.count = reader.size(field, value).unwrap_or(query.count),
            "after" => query.between.after = paging::place(reader, field, value, "id"),
            "before" => query.between.before = paging::place(reader, field, value, "id"),
            "orderBy" => {}
            "direction" => query.descending = reader.descending(field, value),
            "id" => query.id = reader.number(field, value),
            "status" => query.statuses |= reader.bit(field, value, &STATUSES),
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
            && bit(self.statuses, &STATUSES, store.status())
            && bit(self.deployments, &DEPLOYMENTS, store.deployment())
            && self.external_id.as_ref().is_none_or(|id| *id == store.external_id())
            && self.unique_id.as_ref().is_none_or(|id| *id == store.unique_id())
    }
}

/// A page. Something stands beside `stores` (KNOWN); what is UNKNOWN.
pub(crate) fn page(options: &Options, query: &Query, look: &Look) -> Reply {
    let stores = (1..=count(options)).map(|id| Store::new(id, options.seed));
    let list: Vec<Store> = stores.filter(|store| query.wants(*store)).collect();
    let part = query.between.part(&list, query.count, query.descending, |store| (store.id as i64, store.id));
    let mut rows: Vec<Vec<u8>> = list[part].iter().map(|store| look.store(*store)).collect();
    if query.descending {
        rows.reverse();
    }
    let behind = format!(",\"count\":{}", rows.len()).into_bytes();
    Reply { before: Vec::new(), name: "stores", rows, behind }
}

/// All stores as a copy should hold them.
pub(crate) fn expected(options: &Options) -> Vec<ExpectedStore> {
    let stores = (1..=count(options)).map(|id| Store::new(id, options.seed));
    stores
        .map(|store| ExpectedStore {
            id: store.id.to_string(),
            name: store.name(),
            status: store.status(),
            deployment_status: store.deployment(),
            third_party_id: store.external_id(),
        })
        .collect()
}

impl Look<'_> {
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
