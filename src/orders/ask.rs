//! Asking for pages until they can be believed.

use chrono::{DateTime, Utc};

use super::Doubt;
use super::page::{PageReader, Row};
use super::query::Query;
use super::reading::{Ask, LOOKS};
use crate::aifi::http::Http;
use crate::failure::Failure;

/// The path of the orders list.
pub(super) const PATH: &str = "/orders";

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

    /// Asks `query` until `accept` takes the answer; with it comes the server's clock.
    pub(super) async fn ask<T>(
        &mut self,
        query: &Query,
        mut accept: impl FnMut(Vec<Row>) -> Result<T, Doubt>,
    ) -> Result<(T, Option<DateTime<Utc>>), Failure> {
        let encoded = query.encode();
        let mut look = 1;
        loop {
            let answer = self.http.get(PATH, &encoded, None, |body| self.pages.read(body)).await?;
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

    /// Asks once. The answer may be doubtful.
    pub(super) async fn look(&mut self, ask: &Ask) -> Result<Result<Vec<Row>, Doubt>, Failure> {
        if ask.look > 1 {
            self.http.wait_before_look(ask.look - 1, "an answer cannot be believed").await?;
        }
        let encoded = ask.query.encode();
        let answer = self.http.get(PATH, &encoded, None, |body| self.pages.read(body)).await?;
        Ok(answer.value.and_then(|rows| ask.query.verify(&rows).map(|()| rows)))
    }
}
