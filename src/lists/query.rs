//! Requests to a list. Only documented parameters are sent.

use chrono::{DateTime, Utc};

use super::declared::{List, Paging};
use crate::timestamp;

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageRequest {
    /// Rows behind the one with this id; none for the list's start.
    After {
        /// The id.
        after: Option<Box<str>>,
        /// Most rows in the response.
        count: usize,
    },
    /// Rows from this number on, counted from 0.
    Offset {
        /// The number.
        offset: usize,
        /// Most rows in the response.
        count: usize,
    },
    /// A page. The first one has no number: whether it is 0 or 1 is a guess, and left out it is the first either way.
    Page {
        /// Its number.
        page: Option<usize>,
        /// Most rows in the response.
        size: usize,
    },
}

impl PageRequest {
    /// The first `count` rows.
    pub(crate) fn first(paging: Paging, count: usize) -> Self {
        match paging {
            Paging::After => Self::After { after: None, count },
            Paging::Offset => Self::Offset { offset: 0, count },
            Paging::Page => Self::Page { page: None, size: count },
        }
    }

    /// Most rows in the response.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::After { count, .. } | Self::Offset { count, .. } | Self::Page { size: count, .. } => *count,
        }
    }
}

/// The query string for a part of a list, of the rows that were changed at `changed_from` or later.
pub(crate) fn encode(list: &List, part: &PageRequest, changed_from: Option<DateTime<Utc>>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(from) = changed_from {
        query.append_pair("minUpdatedAt", &timestamp::write(from));
    }
    if let Some((name, value)) = list.sort {
        query.append_pair(name, value);
    }
    let count = part.count().to_string();
    match part {
        PageRequest::After { after, .. } => {
            query.append_pair("count", &count);
            after.as_ref().map(|after| query.append_pair("after", after));
        }
        PageRequest::Offset { offset, .. } => {
            query.append_pair("offset", &offset.to_string()).append_pair("count", &count);
        }
        PageRequest::Page { page, .. } => {
            query.append_pair("pageSize", &count);
            page.map(|page| query.append_pair("page", &page.to_string()));
        }
    }
    query.finish()
}

/// How the first request is made, where the API may refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestShape {
    /// By update time.
    pub filtered: bool,
    /// Rows in a page.
    pub size: usize,
}

/// Sizes of pages, the wished one first. 200 is the documented maximum of sessions, stores and products, and 10 what
/// contests have without being asked; for contests no maximum is shown.
const SIZES: [usize; 5] = [200, 100, 50, 20, 10];

impl RequestShape {
    /// As we wish.
    pub(crate) fn wished(filtered: bool) -> Self {
        Self { filtered, size: SIZES[0] }
    }

    /// What to try after this one was refused. `filters` says whether the list has a filter at all.
    pub(crate) fn next(self, filters: bool) -> Option<Self> {
        if self.filtered {
            return Some(Self { filtered: false, ..self });
        }
        let size = SIZES.into_iter().find(|size| *size < self.size)?;
        Some(Self { filtered: filters, size })
    }
}

#[cfg(test)]
mod tests {
    use super::super::declared::{CONTESTS, PRODUCTS, SESSIONS};
    use super::*;

    #[test]
    fn a_request_is_spelt_with_documented_parameters_only() {
        let from = timestamp::parse("2025-11-01T00:00:00Z");
        let page = |page| PageRequest::Page { page, size: 199 };
        let after = PageRequest::After { after: Some("7 a".into()), count: 200 };
        for (list, part, from, expected) in [
            (&CONTESTS, page(None), None, "pageSize=199"),
            (&CONTESTS, page(Some(1)), from, "minUpdatedAt=2025-11-01T00%3A00%3A00.000Z&pageSize=199&page=1"),
            (&SESSIONS, after, None, "orderBy=id&count=200&after=7+a"),
            (&PRODUCTS, PageRequest::Offset { offset: 0, count: 200 }, None, "sort=id&offset=0&count=200"),
        ] {
            assert_eq!(encode(list, &part, from), expected);
        }
    }

    #[test]
    fn what_is_refused_is_asked_without_the_filter_then_smaller() {
        let tried = |filters| {
            let mut manners = vec![RequestShape::wished(filters)];
            while let Some(next) = manners[manners.len() - 1].next(filters) {
                manners.push(next);
            }
            manners
        };
        let sizes: Vec<usize> = tried(false).iter().map(|manner| manner.size).collect();
        assert_eq!(sizes, SIZES);
        let both: Vec<_> = tried(true).iter().map(|manner| (manner.filtered, manner.size)).collect();
        assert_eq!(both[..3], [(true, 200), (false, 200), (true, 100)]);
        assert_eq!(both.len(), 10);
    }
}
