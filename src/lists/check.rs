//! Whether a list can be read: one small request.

use std::cell::RefCell;

use super::declared::List;
use super::page::PageReader;
use super::query::{PageRequest, encode};
use crate::aifi::http::{ApiRequest, Http};
use crate::config::Config;
use crate::doubt::MAX_ATTEMPTS;
use crate::failure::Failure;

/// Proves that the token may read the list, and that a response is one.
pub(crate) async fn check(list: &'static List, config: &Config, http: &Http) -> Result<(), Failure> {
    let pages = RefCell::new(PageReader::new(list, &config.personal));
    let query = encode(list, &PageRequest::first(list.paging, 1), None);
    let request = ApiRequest { what: list.name, path: list.path, query: &query, guess: false };
    let mut look = 1;
    loop {
        match http.get(request, None, |body| pages.borrow_mut().read(body)).await?.value {
            Ok(_) => return Ok(()),
            Err(doubt) if look >= MAX_ATTEMPTS => {
                return Err(doubt.into_failure(list.name, look).at(format!("GET {}?{query}", list.path)));
            }
            Err(doubt) => http.wait_before_look(list.name, look, &doubt.what).await?,
        }
        look += 1;
    }
}
