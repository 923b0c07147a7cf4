//! The stores that orders name.

use crate::random::mix;
use crate::settings::Options;

/// Names of the states (KNOWN).
pub(crate) const STATUSES: [&str; 3] = ["OPEN", "CLOSED", "CLOSED_FOR_MAINTENANCE"];
pub(crate) const DEPLOYMENTS: [&str; 4] = ["LIVE", "TESTING", "DEPLOYMENT", "DECOMMISSIONED"];
const CITIES: [(&str, &str, &str, &str); 5] = [
    ("München", "Bayern", "DE", "80331"),
    ("San José", "California", "US", "95110"),
    ("Kraków", "Małopolska", "PL", "31-042"),
    ("Saint-Étienne", "Loire", "FR", "42000"),
    ("京都", "京都府", "JP", "600-8216"),
];

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) id: u64,
    pub(crate) draw: u64,
}

impl Store {
    /// All of them; their ids count from 1.
    pub(crate) fn every(options: &Options) -> impl Iterator<Item = Store> + use<> {
        let seed = options.seed;
        (1..=u64::from(options.stores.max(1))).map(move |id| Store::new(id, seed))
    }

    pub(crate) fn new(id: u64, seed: u64) -> Store {
        Store { id, draw: mix(mix(seed ^ 0x57_0AE5) ^ id) }
    }

    pub(crate) fn status(self) -> &'static str {
        STATUSES[[0, 0, 0, 0, 0, 0, 1, 2][self.draw as usize % 8]]
    }

    pub(crate) fn deployment(self) -> &'static str {
        DEPLOYMENTS[[0, 0, 0, 0, 0, 1, 2, 3][(self.draw >> 8) as usize % 8]]
    }

    pub(crate) fn city(self) -> (&'static str, &'static str, &'static str, &'static str) {
        CITIES[(self.draw >> 16) as usize % CITIES.len()]
    }

    pub(crate) fn name(self) -> String {
        format!("{} \"{}\"", self.city().0, self.id)
    }

    pub(crate) fn external_id(self) -> String {
        format!("shop-{:03}", self.id)
    }

    pub(crate) fn unique_id(self) -> String {
        format!("{}-{:04}", self.city().2.to_lowercase(), self.id)
    }
}
