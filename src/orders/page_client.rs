//! Asks for pages until they can be believed.

use std::cell::RefCell;

use chrono::{DateTime, Utc};

use crate::aifi::http::{ApiRequest, Http};
use crate::config::Config;
use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::Failure;
use crate::orders::api::detail::{self, Detail, DetailReader, DetailResponse, Due, Verdict};
use crate::orders::api::page::{PageReader, Row};
use crate::orders::api::query::Query;
use crate::orders::api::query::Request;
use crate::orders::sync::Response;
use crate::orders::{DETAILS, NAME, PATH};
use crate::record::findings::Findings;

/// The request for a page with this query.
fn page(query: &str) -> ApiRequest<'_> {
    ApiRequest { what: NAME, path: PATH, query, guess: false }
}

/// The API, together with what reads its pages.
pub(crate) struct PageClient<'a> {
    http: &'a Http,
    pages: RefCell<PageReader>,
}

impl<'a> PageClient<'a> {
    /// Asks through `http`.
    pub(crate) fn new(config: &Config, http: &'a Http) -> Self {
        Self { http, pages: RefCell::new(PageReader::of_orders(&config.personal)) }
    }

    /// Requests `query` until `accept` takes the response; with it comes the server's clock.
    pub(crate) async fn get<T>(
        &self,
        query: &Query,
        mut accept: impl FnMut(Vec<Row>) -> Result<T, Doubt>,
    ) -> Result<(T, Option<DateTime<Utc>>), Failure> {
        let encoded = query.encode();
        let mut attempt = 1;
        loop {
            let answer =
                self.http.get(page(&encoded), None, |body| self.pages.borrow_mut().read(body)).await?;
            match answer.value.map(|page| page.rows).and_then(&mut accept) {
                Ok(accepted) => {
                    self.http.progressed();
                    return Ok((accepted, answer.date));
                }
                Err(doubt) if attempt >= MAX_ATTEMPTS => {
                    return Err(doubt.into_failure(NAME, attempt).at(format!("GET {PATH}?{encoded}")));
                }
                Err(doubt) => self.http.wait_before_look(NAME, attempt, &doubt.what).await?,
            }
            attempt += 1;
        }
    }

    /// What the schema does not expect, in the responses so far.
    pub(crate) fn findings(&self) -> Findings {
        self.pages.borrow().findings().clone()
    }

    /// Requests it once; the response may be doubtful. Before a request is made again, it waits.
    pub(crate) async fn get_once(&self, request: &Request) -> Result<Response, Failure> {
        if request.attempt > 1 {
            let doubted = "a response does not fit what is known";
            self.http.wait_before_look(NAME, request.attempt - 1, doubted).await?;
        }
        let query = request.query.encode();
        let answer = self.http.get(page(&query), None, |body| self.pages.borrow_mut().read(body)).await?;
        if answer.value.is_ok() {
            self.http.progressed();
        }
        Ok(Response::read(answer.value, answer.date).0)
    }
}

/// Asks for the page of an order; none, if it has none.
pub(crate) async fn detail(
    http: &Http,
    pages: &RefCell<DetailReader>,
    due: &Due,
) -> Result<Option<Detail>, Failure> {
    let path = format!("{PATH}/{}", due.id);
    let request = ApiRequest { what: DETAILS, path: &path, query: "", guess: false };
    let mut attempt = 1;
    loop {
        let answer = match http.get(request, None, |body| pages.borrow_mut().read(body, due)).await {
            Ok(answer) => answer.value.into(),
            Err(failure) => DetailResponse::Failed(failure),
        };
        let page = match detail::judge(due, attempt, answer)? {
            Verdict::Page(page) => Some(page),
            Verdict::NoPage => None,
            Verdict::Again(doubted) => {
                http.wait_before_look(DETAILS, attempt, &doubted).await?;
                attempt += 1;
                continue;
            }
        };
        http.progressed();
        return Ok(page);
    }
}
