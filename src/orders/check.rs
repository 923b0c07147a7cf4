//! Whether the stream can really be read: the requests of a sync, made small.

use std::cell::RefCell;

use chrono::{DateTime, TimeDelta, Utc};

use crate::aifi::http::Http;
use crate::clock;
use crate::config::{Changes, Config};
use crate::doubt::Doubt;
use crate::failure::{Failure, FailureKind};
use crate::findings::counted;
use crate::horizon::{self, SETTLE_DELAY};
use crate::orders::api::detail::DetailReader;
use crate::orders::api::detail::Due;
use crate::orders::api::query::{Query, Selection, Sort, lower_bound};
use crate::orders::diagnose;
use crate::orders::page_client::{self, PageClient};
use crate::orders::slice::newest::NewestSearch;
use crate::orders::sync::filter_probe::UpdatedFilter;
use crate::timestamp;

/// So far after now that no order can be drafted there.
const FAR: TimeDelta = TimeDelta::days(3650);

/// How many orders a request asks for; one would do, a few show whether the response is sorted.
const FEW: usize = 10;

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Of the orders, in a few sentences.
    pub orders: String,
    /// How changes of them are followed.
    pub changes: ChangesFound,
    /// The newest order.
    pub newest: Option<Due>,
}

/// How changes of orders are followed.
#[derive(Debug)]
pub(crate) struct ChangesFound {
    /// In sentences, with what is wrong with the clocks.
    pub text: String,
    /// Changes are found by their update time, and the clocks agree.
    pub all_well: bool,
}

/// Proves that the stream can be read, and says in a sentence what was found.
///
/// Beyond token, permission and envelope it asks what the reader relies on: that responses are sorted both ways, and
/// that the bounds are honoured, by a request whose response must be empty.
pub(crate) async fn check(config: &Config, http: &Http) -> Result<Found, Failure> {
    let client = PageClient::new(config, http);
    let selection = Selection::all_of(&config.store_ids, &config.customer_roles).swap_remove(0);
    let newest =
        Query { page_size: FEW, products: false, ..NewestSearch::first_request(selection.clone(), 1) };
    let verified = |query: &Query| {
        let query = query.clone();
        move |rows: Vec<crate::orders::api::page::Row>| query.verify(&rows).map(|()| rows)
    };
    let (rows, date) = client.get(&newest, verified(&newest)).await?;
    let now = date.unwrap_or_else(clock::now);

    let oldest =
        Query { min: Some(lower_bound(config.start_date)), sort: Sort::OldestFirst, ..newest.clone() };
    let (first, _) = client.get(&oldest, verified(&oldest)).await?;

    let future = Query { min: Some(now + FAR), ..oldest.clone() };
    client
        .get(&future, |rows| {
            future.verify(&rows)?;
            if rows.is_empty() {
                Ok(())
            } else {
                Err(Doubt::new(FailureKind::OutOfRange, "minDraftCreatedAt is not honoured"))
            }
        })
        .await?;

    let end = horizon::horizon(now, config.end_date);
    let orders = match (rows.first(), first.first()) {
        (Some(newest), Some(oldest)) => format!(
            "Orders can be read. The oldest since the start date was drafted at {}, the newest at {}. A sync would now read up to {}.",
            timestamp::write(oldest.at),
            timestamp::write(newest.at),
            timestamp::write(end)
        ),
        (Some(newest), None) => format!(
            "Orders can be read. None was drafted at or after the start date yet; the newest of all was drafted at {}.",
            timestamp::write(newest.at)
        ),
        (None, _) => {
            "Orders can be read, but the list is empty: no order matches the configuration yet.".to_owned()
        }
    };
    let misfits = counted(&client.findings().misfits).map(|columns| {
        format!(" Values of these orders do not fit their columns, which are null then: {columns}. They are kept in additionalFields.")
    });
    let orders = orders + &misfits.unwrap_or_default();
    let mut changes = changes(config, &client, selection, now).await?;
    if let Some(text) = clock_difference(date) {
        changes = ChangesFound { text: format!("{} {text}", changes.text), all_well: false };
    }
    Ok(Found { orders, changes, newest: rows.first().map(|row| Due::new(0, row)) })
}

/// Proves that the details of an order can be read.
pub(crate) async fn details(config: &Config, http: &Http, due: &Due) -> Result<(), Failure> {
    let pages = RefCell::new(DetailReader::of_details(&config.personal));
    page_client::detail(http, &pages, due).await?.map(|_| ()).ok_or_else(|| {
        let text =
            format!("The newest order, {}, has no details (404), so order_details cannot be read.", due.id);
        Failure::new(FailureKind::NotFound, text)
    })
}

/// How changes of orders are followed; proven, where it depends on the API.
async fn changes(
    config: &Config,
    client: &PageClient<'_>,
    selection: Selection,
    now: DateTime<Utc>,
) -> Result<ChangesFound, Failure> {
    let days = config.changes_days;
    let otherwise = |text: String| Ok(ChangesFound { text, all_well: false });
    match config.changes {
        Changes::Off => {
            return otherwise("Changed orders are not followed: Changed orders (changes) is off.".to_owned());
        }
        Changes::Window => {
            return otherwise(format!(
                "Changes are found by reading the last {days} days again in each sync; a change of an older order is not found (changes_days)."
            ));
        }
        Changes::Updated => (),
    }
    let what = match diagnose::filter(client, selection, now).await? {
        UpdatedFilter::Ignored => "ignores",
        UpdatedFilter::Refused => "refuses",
        UpdatedFilter::Honoured => {
            let text = "Changes are found by their update time.".to_owned();
            return Ok(ChangesFound { text, all_well: true });
        }
    };
    otherwise(format!(
        "The API {what} the filter by update time, so changes are found by reading the last {days} days again in each sync; a change of an older order is not found (changes_days)."
    ))
}

/// What is wrong with the clocks, in a sentence.
fn clock_difference(server: Option<DateTime<Utc>>) -> Option<String> {
    match server {
        Some(server) => horizon::clocks_differ(server, clock::now()),
        None => Some(format!(
            "The server sends no Date header, so a sync ends {} minutes before this machine's time.",
            SETTLE_DELAY.num_minutes()
        )),
    }
}
