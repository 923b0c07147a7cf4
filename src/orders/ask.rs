//! Asking for pages until they can be believed.

use chrono::{DateTime, Utc};

use super::Doubt;
use super::page::{PageReader, Row};
use super::query::Query;
use crate::aifi::http::Http;
use crate::failure::Failure;

/// The path of the orders list.
const PATH: &str = "/orders";

/// How often a question is asked whose answer is doubtful, before the doubt becomes a failure.
const LOOKS: u32 = 6;

/// The API, together with what reads its pages.
pub(super) struct Asker<'a> {
    http: &'a Http,
    pages: PageReader,
}

impl<'a> Asker<'a> {
    /// Asks through `http`.
    pub(super) fn new(http: &'a Http) -> Self {
        Self { http, pages: PageReader::of_orders() }
    }

    /// Names of fields that the schema does not know, so far.
    pub(super) fn unknown_fields(&self) -> impl Iterator<Item = &str> {
        self.pages.unknown_fields()
    }

    /// Asks `query` until `accept` takes the answer; with it comes the server's clock.
    pub(super) async fn ask<T>(
        &mut self,
        query: &Query,
        mut accept: impl FnMut(Vec<Row>) -> Result<T, Doubt>,
    ) -> Result<(T, Option<DateTime<Utc>>), Failure> {
        let encoded = query.encode();
        let mut look = 1;
        loop {
            let answer = self.http.get(PATH, &encoded, |body| self.pages.read(body)).await?;
            match answer.value.and_then(&mut accept) {
                Ok(accepted) => {
                    self.http.progressed();
                    return Ok((accepted, answer.date));
                }
                Err(doubt) if look >= LOOKS => {
                    return Err(doubt.into_failure(look).at(format!("GET {PATH}?{encoded}")));
                }
                Err(doubt) => self.http.wait_before_look(look, &doubt.what).await?,
            }
            look += 1;
        }
    }
}
