//! The ids of the product lines of an order. Pure.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Gives each line of one order its id: its own, or the negative of its position, from 1.
#[derive(Debug, Default)]
pub(crate) struct LineIds {
    seen: HashSet<i128>,
}

impl LineIds {
    /// The id that the line itself has, if it can be its key: whole, and that of no line before it. A negative one could be that
    /// which another line is given.
    pub(crate) fn own(&mut self, json: &str) -> Option<i128> {
        json.parse().ok().filter(|id| *id >= 0 && self.seen.insert(*id))
    }

    /// The id of the line at `position`, from 0, that has none of its own.
    pub(crate) fn instead(position: usize) -> i64 {
        -1 - i64::try_from(position).unwrap_or(i64::MAX - 1)
    }
}

/// The ids of the lines in an order's record; none where it has no list of lines, which does not say that it has no lines.
pub(crate) fn ids(order: &[u8]) -> Option<Vec<i64>> {
    #[derive(Deserialize)]
    struct Order<'a> {
        #[serde(borrow)]
        products: Option<Vec<Option<Line<'a>>>>,
    }
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    let products = serde_json::from_slice::<Order<'_>>(order).ok()?.products?;
    let mut ids = LineIds::default();
    let lines = products.into_iter().enumerate().filter_map(|(position, line)| Some((position, line?)));
    let id = |(position, line): (usize, Line<'_>)| match line.id.and_then(|id| ids.own(id.get())) {
        Some(own) => i64::try_from(own).ok().filter(|id| *id <= i64::MAX >> 1),
        None => Some(LineIds::instead(position)),
    };
    // One that is too large for a destination is left out.
    Some(lines.filter_map(id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_own_id_or_the_negative_of_its_position() {
        let order = br#"{"id":7,"products":[{"id":12},null,{"id":null},{"id":12},{"name":"x"},{"id":-3}]}"#;
        assert_eq!(ids(order), Some(vec![12, -3, -4, -5, -6]));
        assert_eq!(ids(br#"{"id":7,"products":[]}"#), Some(vec![]));
        for unknown in [&br#"{"id":7}"#[..], br#"{"id":7,"products":null}"#, br#"{"products":{}}"#, b""] {
            assert_eq!(ids(unknown), None);
        }
        assert_eq!(ids(br#"{"products":[{"id":99999999999999999999999},{"id":1}]}"#), Some(vec![1]));
    }
}
