//! How the sandbox reads what the documentation of AiFi leaves open.

use clap::{Args, ValueEnum};

/// How the `min…` and `max…` dates of a query are read. UNKNOWN; inclusive is INFERRED from the names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Bounds {
    /// A row exactly at a bound belongs to the answer.
    #[default]
    Inclusive,
    /// A row exactly at a bound does not belong to the answer.
    Exclusive,
    /// The asked dates are cut to whole seconds, then taken as inclusive.
    TruncatedToSeconds,
}

/// The number of the first page, of orders and contests. INFERRED: 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FirstPage {
    /// Pages count from 0.
    #[default]
    Zero,
    /// Pages count from 1; `page=0` is answered with 422.
    One,
}

/// The order of orders whose sort keys are equal. UNKNOWN; the other lists are stable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ties {
    /// By id, then version.
    #[default]
    Stable,
    /// Another random order at each request.
    Unstable,
}

/// What `minUpdatedAt` and `maxUpdatedAt` do, of every list. KNOWN to be documented; UNKNOWN whether they work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UpdatedFilter {
    /// They filter.
    #[default]
    Honoured,
    /// They are accepted and do nothing.
    Ignored,
    /// They are answered with 422.
    Refused,
}

/// Which versions of an order the list holds. UNKNOWN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Versions {
    /// One row for each version.
    #[default]
    All,
    /// The newest version only.
    LatestOnly,
}

/// The id of a new version. INFERRED: the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VersionIds {
    /// All versions share the id of the order.
    #[default]
    Same,
    /// A new version gets a new id; `draftCreatedAt` and `sessionId` stay.
    New,
}

/// What becomes of the row that a new version replaces. UNKNOWN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Superseded {
    /// Its `isLatest` becomes 0 and its `updatedAt` moves.
    #[default]
    Updated,
    /// It stays as it was, `isLatest` 1 included.
    Stale,
}

/// Whether a change of an order moves its `updatedAt`. INFERRED: it does. That of a contest moves always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UpdatedAt {
    /// Each change moves it.
    #[default]
    Moves,
    /// It stays at the draft, in every version.
    StandsStill,
}

/// How `isLatest` is spelled. The only sample known is a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IsLatest {
    /// `0` or `1`.
    #[default]
    Number,
    /// `false` or `true`.
    Boolean,
}

/// How ids are spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// As in the samples: numbers, but `customerId` and `productId` are strings.
    #[default]
    Number,
    /// The other way round: strings (`version` too), but `customerId` and `productId` are numbers.
    String,
}

/// What stands beside `data`, of orders and sessions. UNKNOWN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Envelope {
    /// Nothing.
    #[default]
    DataOnly,
    /// `total` and `pagination`; before `data` on pages with an odd number, else behind it. Of sessions
    /// `pagination` with the two cursors.
    WithPagination,
}

/// What happens to a parameter that is not documented. UNKNOWN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownParameters {
    /// Nothing.
    #[default]
    Ignored,
    /// It is answered with 422.
    Refused,
}

/// The precision of dates on the wire. The samples show milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Stamps {
    /// Three digits of a second.
    #[default]
    Millis,
    /// Six digits of a second; generated orders use all six.
    Micros,
}

/// All the readings. The default is what the documentation says or suggests.
///
/// A change at run time holds for orders that exist already, too; only [`Stamps::Micros`] does not give finer
/// dates to orders made before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Behaviour {
    /// How the `min…` and `max…` dates are read
    #[arg(long, value_enum, default_value_t)]
    pub bounds: Bounds,
    /// Number of the first page
    #[arg(long, value_enum, default_value_t)]
    pub first_page: FirstPage,
    /// Order of rows with equal sort keys
    #[arg(long, value_enum, default_value_t)]
    pub ties: Ties,
    /// What minUpdatedAt and maxUpdatedAt do
    #[arg(long, value_enum, default_value_t)]
    pub updated_filter: UpdatedFilter,
    /// Which versions of an order are listed
    #[arg(long, value_enum, default_value_t)]
    pub versions: Versions,
    /// Id of a new version
    #[arg(long, value_enum, default_value_t)]
    pub version_ids: VersionIds,
    /// What becomes of a replaced version
    #[arg(long, value_enum, default_value_t)]
    pub superseded: Superseded,
    /// Whether a change moves updatedAt
    #[arg(long, value_enum, default_value_t)]
    pub updated_at: UpdatedAt,
    /// Spelling of isLatest
    #[arg(long, value_enum, default_value_t)]
    pub is_latest: IsLatest,
    /// Spelling of ids
    #[arg(long, value_enum, default_value_t)]
    pub ids: Ids,
    /// What stands beside `data`
    #[arg(long, value_enum, default_value_t)]
    pub envelope: Envelope,
    /// What happens to undocumented parameters
    #[arg(long, value_enum, default_value_t)]
    pub unknown_parameters: UnknownParameters,
    /// Clamp pageSize and count to this without a word (above 200 is refused always)
    #[arg(long, value_name = "ROWS")]
    pub page_cap: Option<usize>,
    /// Precision of dates
    #[arg(long, value_enum, default_value_t)]
    pub stamps: Stamps,
    /// Pretty-printed JSON
    #[arg(long)]
    pub pretty: bool,
    /// Orders, their lines and transactions, and all other rows carry fields nobody documented
    #[arg(long)]
    pub extra_fields: bool,
    /// Some orders carry values of the wrong type
    #[arg(long)]
    pub odd_values: bool,
}
