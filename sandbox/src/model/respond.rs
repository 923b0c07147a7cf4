//! From a request to its answer.

use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;

use crate::endpoint::{Problem, Reader, Reply, Request, problems_body};
use crate::model::resources::{Resource, order_id};
use crate::model::{API, Answer, Delivery, Model};
use crate::orders;
use crate::settings::{Access, Fault, RetryAfter};
use crate::shop::Shop;
use crate::time;

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><form method=\"post\"><input name=\"user\"></form></body></html>\n";
const PROXY_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n\
    <body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

type Pairs = [(String, String)];

impl Model {
    /// Answers a `GET` request.
    pub fn answer(&mut self, path_and_query: &str, bearer: Option<&str>) -> Answer {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut answer = match path.strip_prefix(API).and_then(Resource::of) {
            Some(resource) => self.guarded(resource, &pairs, bearer),
            None => Answer::new(404),
        };
        answer.delay += self.options.latency;
        self.finish(answer, path, pairs)
    }

    /// The limit first, then the token and what it allows, then what goes wrong, then the query.
    fn guarded(&mut self, resource: Resource, pairs: &Pairs, bearer: Option<&str>) -> Answer {
        let fault = self.injector.next();
        if !self.limiter.accept(self.options.limit, self.started.elapsed()) {
            self.stats.refused += 1;
            return self.refusal(503);
        }
        match self.tokens.check(&self.options.auth, bearer, Instant::now()) {
            Access::Granted => {}
            Access::Unauthorized => {
                self.stats.unauthorized += 1;
                return unauthorized("Access token is missing or not valid");
            }
            Access::Forbidden => return forbidden(),
        }
        if self.options.forbidden.iter().any(|name| name == resource.name()) {
            return forbidden();
        }
        if let Some(fault) = fault {
            *self.stats.faults.entry(fault.name()).or_default() += 1;
        }
        match fault {
            None => self.page(resource, pairs, None),
            Some(fault) => self.faulty(fault, resource, pairs),
        }
    }

    /// An answer, with what a fault does to its rows.
    fn page(&mut self, resource: Resource, pairs: &Pairs, fault: Option<Fault>) -> Answer {
        let answered = match resource {
            Resource::Orders => self.orders(pairs, fault).map(Some),
            resource => self.reply(resource, pairs, fault == Some(Fault::OutOfRange)).map(|reply| {
                let mut reply = reply?;
                self.change(&mut reply.rows, fault);
                Some(reply.body(resource.rows(), &self.options.behaviour))
            }),
        };
        match answered {
            Ok(Some(body)) => {
                if matches!(fault, None | Some(Fault::Slow(_))) {
                    *self.stats.pages.entry(resource.name()).or_default() += 1;
                }
                Answer::json(200, body)
            }
            Ok(None) => Answer::new(404),
            Err(problems) => {
                self.stats.invalid += 1;
                Answer::json(422, problems_body(&problems))
            }
        }
    }

    /// What a fault does to the rows of an array.
    fn change<T>(&mut self, rows: &mut Vec<T>, fault: Option<Fault>) {
        let draws = self.injector.draws();
        match fault {
            Some(Fault::Empty) => rows.clear(),
            Some(Fault::Short) if rows.len() > 1 => rows.truncate(draws.usize(1..rows.len())),
            Some(Fault::Unsorted) => draws.shuffle(rows),
            Some(Fault::DropMiddle) if !rows.is_empty() => drop(rows.remove(rows.len() / 2)),
            _ => {}
        }
    }

    /// The body of a page of orders.
    fn orders(&mut self, pairs: &Pairs, fault: Option<Fault>) -> Result<Vec<u8>, Vec<Problem>> {
        let behaviour = &self.options.behaviour;
        let out_of_range = fault == Some(Fault::OutOfRange);
        let query = orders::parse(pairs, Reader::new(behaviour).out_of_range(out_of_range))?;
        let mut page = orders::page(&self.book, &mut self.recent, &query, behaviour, &mut self.draws);
        self.change(&mut page.rows, fault);
        if matches!(fault, None | Some(Fault::Slow(_))) {
            let rows = page.rows.len();
            self.stats.orders += 1;
            self.stats.full_pages += u64::from(rows == 200);
            self.stats.filled_pages += u64::from(rows == query.page_size);
        }
        Ok(orders::body(&self.book, &page, &query, &self.options.behaviour))
    }

    /// What is answered about any other resource; `None` when it is not there.
    fn reply(
        &mut self,
        resource: Resource,
        pairs: &Pairs,
        out_of_range: bool,
    ) -> Result<Option<Reply>, Vec<Problem>> {
        let shop = Shop { options: &self.options, book: &self.book };
        let request = Request { shop, pairs, out_of_range };
        match resource {
            Resource::Orders => Ok(None),
            Resource::List(list) => (list.page)(&request, &mut self.recent).map(Some),
            Resource::Detail(detail, id) => {
                // No parameter of a single object is documented.
                let mut reader = request.reader();
                reader.each(pairs, &[], |reader, field, _| reader.undocumented(field));
                let id = reader.done(()).and_then(|()| order_id(id))?;
                Ok((detail.reply)(&shop, id))
            }
        }
    }

    fn faulty(&mut self, fault: Fault, resource: Resource, pairs: &Pairs) -> Answer {
        match fault {
            Fault::Unavailable503 => self.refusal(503),
            Fault::TooMany429 => self.refusal(429),
            Fault::Error500 => {
                let body = json!({"message": "Internal server error", "type": "E_INTERNAL"});
                Answer::json(500, body.to_string())
            }
            Fault::BadGateway502Html => Answer::html(502, PROXY_PAGE),
            Fault::Html200 => Answer::html(200, LOGIN_PAGE),
            Fault::Expired401 => unauthorized("Access token expired"),
            Fault::Redirect302 => Answer::new(302).header("location", "https://login.example/"),
            Fault::NoEnvelope => Answer::json(200, "{\"message\":\"ok\"}"),
            Fault::NullData => Answer::json(200, format!("{{\"{}\":null}}", resource.rows())),
            Fault::Reset => Answer::new(0).delivery(Delivery::Reset),
            Fault::Hang(time) => Answer::new(0).delivery(Delivery::Hang(time)),
            Fault::Huge => Answer::json(200, "").delivery(Delivery::Endless),
            Fault::BadGzip => {
                let garbage = b"\x1f\x8b\x08\x00 this is not a deflate stream".as_slice();
                Answer::json(200, garbage).header("content-encoding", "gzip")
            }
            Fault::Cut => self.page(resource, pairs, Some(fault)).delivery(Delivery::Cut),
            Fault::CutJson200 => {
                let mut answer = self.page(resource, pairs, Some(fault));
                answer.body.truncate(answer.body.len() / 2);
                answer
            }
            Fault::Slow(time) => {
                let mut answer = self.page(resource, pairs, Some(fault));
                answer.delay = time;
                answer
            }
            Fault::Empty | Fault::Short | Fault::Unsorted | Fault::OutOfRange | Fault::DropMiddle => {
                self.page(resource, pairs, Some(fault))
            }
        }
    }

    fn refusal(&self, status: u16) -> Answer {
        let answer = Answer::new(status);
        match self.options.retry_after {
            None => answer,
            Some(RetryAfter::Seconds(seconds)) => answer.header("retry-after", seconds.to_string()),
            Some(RetryAfter::Date) => {
                answer.header("retry-after", time::http_date(self.now() + TimeDelta::seconds(2)))
            }
        }
    }
}

fn forbidden() -> Answer {
    Answer::json(403, json!({"message": "Insufficient permissions", "type": "E_FORBIDDEN"}).to_string())
}

fn unauthorized(message: &str) -> Answer {
    Answer::json(401, json!({"message": message, "type": "E_UNAUTHORIZED"}).to_string())
}

#[cfg(test)]
mod tests;
