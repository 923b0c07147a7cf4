//! What the API makes of a request for orders, for a diagnosis: what is not documented, asked.
//!
//! A sync is right under each reading; this tells people which one it is.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::aifi::http::Http;
use crate::clock;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::orders::api::page::Row;
use crate::orders::api::query::{PAGE_SIZE, Query, Selection, Sort, lower_bound};
use crate::orders::page_client::PageClient;
use crate::orders::sync::filter_probe::{FilterProbe, UpdatedFilter};

/// Pages that are timed.
const TIMED: usize = 3;

/// What the API honours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiBehaviour {
    /// The number of the first page; none, if it is not known.
    pub first_page: Option<u32>,
    /// Whether an order at `minDraftCreatedAt` belongs to the response.
    pub min_included: bool,
    /// Whether an order at `maxDraftCreatedAt` does.
    pub max_included: bool,
    /// How many orders came of 200 that were asked for.
    pub page: usize,
    /// Whether `minUpdatedAt` filters.
    pub updated: UpdatedFilter,
    /// How long pages of 200 orders with product lines took, shortest first.
    pub took: Vec<Duration>,
    /// How far this machine's clock is ahead of the server's, in seconds; none, if that sends no Date header.
    pub clock_ahead: Option<i64>,
}

/// Asks. None, if there is no order to find it out from.
pub(crate) async fn behaviour(config: &Config, http: &Http) -> Result<Option<ApiBehaviour>, Failure> {
    let client = PageClient::new(config, http);
    let selection = Selection::all_of(&config.store_ids, &config.customer_roles).swap_remove(0);
    let one = Query {
        min: None,
        max: None,
        sort: Sort::NewestFirst,
        page: None,
        page_size: 1,
        products: false,
        selection: selection.clone(),
    };
    let (newest, date) = get(&client, &one).await?;
    let Some(newest) = newest.first() else { return Ok(None) };
    let oldest = Query { min: Some(lower_bound(config.start_date)), sort: Sort::OldestFirst, ..one.clone() };
    let (first, _) = get(&client, &oldest).await?;
    let first_page = match first.first() {
        Some(first) => first_page(&client, &oldest, first.id).await?,
        None => None,
    };
    let few = Query { page_size: 10, ..one.clone() };
    let holds = |rows: Vec<Row>| rows.iter().any(|row| row.id == newest.id);
    let from = Query { min: Some(newest.at), sort: Sort::OldestFirst, ..few.clone() };
    let min_included = holds(get(&client, &from).await?.0);
    let max_included = holds(get(&client, &Query { max: Some(newest.at), ..few }).await?.0);
    let (took, page) =
        timed(http, &client, &Query { page_size: PAGE_SIZE, products: true, ..oldest }).await?;
    Ok(Some(ApiBehaviour {
        first_page,
        min_included,
        max_included,
        page,
        updated: filter(&client, selection, date.unwrap_or_else(clock::now)).await?,
        took,
        clock_ahead: date.map(|date| (clock::now() - date).num_seconds()),
    }))
}

async fn get(client: &PageClient<'_>, query: &Query) -> Result<(Vec<Row>, Option<DateTime<Utc>>), Failure> {
    client.get(query, Ok).await
}

/// The number of the page that begins with the first order.
async fn first_page(client: &PageClient<'_>, query: &Query, first: u64) -> Result<Option<u32>, Failure> {
    let mut found = None;
    for page in [0, 1] {
        let rows = match get(client, &Query { page: Some(page), ..query.clone() }).await {
            Ok((rows, _)) => rows,
            Err(failure) if failure.kind == FailureKind::Rejected => continue,
            Err(failure) => return Err(failure),
        };
        if found.is_none() && rows.first().is_some_and(|row| row.id == first) {
            found = Some(page);
        }
    }
    Ok(found)
}

async fn timed(
    http: &Http,
    client: &PageClient<'_>,
    query: &Query,
) -> Result<(Vec<Duration>, usize), Failure> {
    let (mut took, mut rows) = (Vec::new(), 0);
    for _ in 0..TIMED {
        // What is waited for the pace is not the API's time.
        drop(http.turn().await);
        let started: Instant = clock::instant();
        rows = get(client, query).await?.0.len();
        took.push(clock::instant() - started);
    }
    took.sort_unstable();
    Ok((took, rows))
}

/// Whether `minUpdatedAt` filters: the request of a sync.
pub(crate) async fn filter(
    client: &PageClient<'_>,
    selection: Selection,
    now: DateTime<Utc>,
) -> Result<UpdatedFilter, Failure> {
    let mut probe = FilterProbe::new(selection, now);
    while let Some(request) = probe.request() {
        match client.get_once(&request).await {
            Ok(answer) => probe.answer(answer.rows)?,
            Err(failure) if failure.kind == FailureKind::Rejected => probe.refused(),
            Err(failure) => return Err(failure),
        }
    }
    Ok(probe.verdict().unwrap_or(UpdatedFilter::Honoured))
}
