//! Asking for pages until they can be believed.

use std::cell::RefCell;

use chrono::{DateTime, Utc};

use super::NAME;
use super::detail::{Detail, DetailReader};
use super::details::Due;
use super::page::{PageReader, Row};
use super::query::Query;
use super::reading::Ask;
use super::sync::Answer;
use crate::aifi::http::{Http, Question, Turn};
use crate::doubt::{Doubt, LOOKS};
use crate::failure::{Failure, FailureKind};
use crate::record::findings::Findings;
use crate::unreadable::Item;

/// The path of the orders list.
const PATH: &str = "/orders";

/// The question with this query.
fn question(query: &str) -> Question<'_> {
    Question { what: NAME, path: PATH, query }
}

/// The API, together with what reads its pages.
pub(super) struct Asker<'a> {
    http: &'a Http,
    pages: RefCell<PageReader>,
}

impl<'a> Asker<'a> {
    /// Asks through `http`.
    pub(super) fn new(http: &'a Http) -> Self {
        Self { http, pages: RefCell::new(PageReader::of_orders()) }
    }

    /// Asks `query` until `accept` takes the answer; with it comes the server's clock.
    pub(super) async fn ask<T>(
        &self,
        query: &Query,
        mut accept: impl FnMut(Vec<Row>) -> Result<T, Doubt>,
    ) -> Result<(T, Option<DateTime<Utc>>), Failure> {
        let encoded = query.encode();
        let mut look = 1;
        loop {
            let answer =
                self.http.get(question(&encoded), None, |body| self.pages.borrow_mut().read(body)).await?;
            match answer.value.map(|page| page.rows).and_then(&mut accept) {
                Ok(accepted) => {
                    self.http.progressed();
                    return Ok((accepted, answer.date));
                }
                Err(doubt) if look >= LOOKS => {
                    return Err(doubt.into_failure(NAME, look).at(format!("GET {PATH}?{encoded}")));
                }
                Err(doubt) => self.http.wait_before_look(look, &doubt.what).await?,
            }
            look += 1;
        }
    }

    /// What the schema does not expect, in the answers so far.
    pub(super) fn findings(&self) -> Findings {
        self.pages.borrow().findings().clone()
    }

    /// See [`look`].
    pub(super) async fn look(&self, ask: &Ask) -> Result<Answer, Failure> {
        look(self.http, &self.pages, ask, None).await.map(|(answer, ..)| answer)
    }
}

/// Asks once; the answer may be doubtful. With it come its request, and the items that are not orders. Before a question is
/// asked again, it waits. The first attempt takes `turn`, if there is one.
pub(super) async fn look(
    http: &Http,
    pages: &RefCell<PageReader>,
    ask: &Ask,
    turn: Option<Turn<'_>>,
) -> Result<(Answer, String, Vec<Item>), Failure> {
    if ask.look > 1 {
        http.wait_before_look(ask.look - 1, "an answer does not fit what is known").await?;
    }
    let query = ask.query.encode();
    let answer = http.get(question(&query), turn, |body| pages.borrow_mut().read(body)).await?;
    let request = format!("GET {PATH}?{query}");
    if answer.value.is_ok() {
        http.progressed();
    }
    let (answer, unreadable) = Answer::read(answer.value, answer.date);
    Ok((answer, request, unreadable))
}

/// How often a page that is not there, or older than the list, is asked for before that is believed.
const LOOKS_AT_A_PAGE: u32 = 3;

/// Asks for the page of an order; none, if it has none. The first attempt takes `turn`.
pub(super) async fn detail(
    http: &Http,
    pages: &RefCell<DetailReader>,
    due: &Due,
    mut turn: Option<Turn<'_>>,
) -> Result<Option<Detail>, Failure> {
    let path = format!("{PATH}/{}", due.id);
    let mut look = 1;
    loop {
        let question = Question { what: "details of orders", path: &path, query: "" };
        let read = |body: &[u8]| pages.borrow_mut().read(body, due);
        let doubt = match http.get(question, turn.take(), read).await.map(|answer| answer.value) {
            Ok(Ok(detail)) if !detail.behind || look >= LOOKS_AT_A_PAGE => {
                http.progressed();
                return Ok(Some(detail));
            }
            Ok(Ok(_)) => "the page of an order is older than the list".to_owned(),
            Ok(Err(doubt)) if look >= LOOKS => {
                return Err(doubt.into_failure("order details", look).at(format!("GET {path}")));
            }
            Ok(Err(doubt)) => doubt.what,
            Err(failure) if failure.kind == FailureKind::NotFound && look >= LOOKS_AT_A_PAGE => {
                http.progressed();
                return Ok(None);
            }
            Err(failure) if failure.kind == FailureKind::NotFound => "a listed order has no page".to_owned(),
            Err(failure) => return Err(failure),
        };
        http.wait_before_look(look, &doubt).await?;
        look += 1;
    }
}
