//! A response of the API, in the words of the machine.

use chrono::{DateTime, Utc};

use crate::doubt::Doubt;
use crate::orders::api::page::{Page, Row};
use crate::unreadable::Item;

/// What came for one request.
#[derive(Debug)]
pub(crate) struct Response {
    /// The rows, or why they cannot be believed.
    pub rows: Result<Vec<Row>, Doubt>,
    /// Orders without a draft date, which came along.
    pub undated: Vec<Row>,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
}

impl Response {
    /// A response whose orders are all dated.
    pub(crate) fn of(rows: Result<Vec<Row>, Doubt>, date: Option<DateTime<Utc>>) -> Self {
        Self { rows, undated: Vec::new(), date }
    }

    /// A response that was read, and its items that are not orders.
    pub(crate) fn read(page: Result<Page, Doubt>, date: Option<DateTime<Utc>>) -> (Self, Vec<Item>) {
        match page {
            Ok(page) => {
                let doubt = page.doubt();
                let Page { rows, undated, unreadable } = page;
                (Self { rows: doubt.map_or(Ok(rows), Err), undated, date }, unreadable)
            }
            Err(doubt) => (Self::of(Err(doubt), date), Vec::new()),
        }
    }
}
