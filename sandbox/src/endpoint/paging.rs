//! Parts of lists: by offset, and by cursor.

use std::ops::Range;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::endpoint::Reader;
use crate::time;

/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The part of a list of `total` rows that begins at `offset`.
pub(crate) fn part(offset: u64, size: usize, total: usize) -> Range<usize> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(total);
    offset..offset.saturating_add(size).min(total)
}

/// `"pagination":{…}` with the pages before and behind an offset. The keys are KNOWN of contests, 3RD of
/// products; that there may be null is 3RD, and what `count` counts is INFERRED.
pub(crate) fn pagination(offset: usize, size: usize, total: usize) -> String {
    let end = offset + size;
    let part = |there: bool, offset: usize, count: usize| {
        if there { format!("{{\"offset\":{offset},\"count\":{count}}}") } else { "null".to_owned() }
    };
    let previous = part(offset > 0, offset.saturating_sub(size), size);
    let next = part(end < total, end, size.min(total.saturating_sub(end)));
    format!("\"pagination\":{{\"previous\":{previous},\"next\":{next}}}")
}

/// The place of a row in a sorted list: its sort key, then its id.
pub(crate) type Place = (i64, u64);

/// A part of a list between rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Between {
    pub(crate) after: Option<Place>,
    pub(crate) before: Option<Place>,
}

impl Between {
    /// The part of a list in rising order: the first `count` rows behind `after`, or the last ones before
    /// `before` when that alone is given. A `descending` list is the same list read from its end.
    pub(crate) fn part<T>(
        self,
        list: &[T],
        count: usize,
        descending: bool,
        place: impl Fn(&T) -> Place,
    ) -> Range<usize> {
        let (low, high) = if descending { (self.before, self.after) } else { (self.after, self.before) };
        let start = low.map_or(0, |low| list.partition_point(|row| place(row) <= low));
        let end = high.map_or(list.len(), |high| list.partition_point(|row| place(row) < high)).max(start);
        let from_start = descending == (self.before.is_some() && self.after.is_none());
        if from_start { start..end.min(start + count) } else { end.saturating_sub(count).max(start)..end }
    }
}

/// Reads a cursor: an id, or in a list sorted by another key base64 of a JSON object with `id` and that key.
///
/// That there is a base64 cursor of id and sort key is KNOWN; its inside is a guess, and that an id is refused
/// then, too.
pub(crate) fn place(reader: &mut Reader, field: &str, value: &str, key: &str) -> Option<Place> {
    if key == "id" {
        let id = reader.number(field, value)?;
        return Some((i64::try_from(id).unwrap_or(i64::MAX), id));
    }
    let read = || {
        // The URL-safe alphabet is as good.
        let bytes = BASE64.decode(value.replace('-', "+").replace('_', "/")).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        let number = |value: &Value| match value {
            Value::String(digits) => digits.parse().ok(),
            value => value.as_u64(),
        };
        let sort = &value[key];
        let date = || time::parse(sort.as_str()?).map(|date| date.timestamp_micros());
        let sort = number(sort).and_then(|number| i64::try_from(number).ok()).or_else(date)?;
        Some((sort, number(&value["id"])?))
    };
    let place = read();
    if place.is_none() {
        reader.problem(field, "string.base64", "must be a cursor");
    }
    place
}

/// A cursor as [`place`] reads it; `sort` is the JSON of the sort key.
pub(crate) fn cursor(id: u64, key: &str, sort: &str) -> String {
    match key {
        "id" => id.to_string(),
        key => BASE64.encode(format!("{{\"id\":{id},\"{key}\":{sort}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Behaviour;

    fn part_of(after: Option<u64>, before: Option<u64>, descending: bool) -> Range<usize> {
        let list: Vec<u64> = (10..20).collect();
        let place = |id: u64| (id as i64, id);
        let between = Between { after: after.map(place), before: before.map(place) };
        between.part(&list, 3, descending, |id| place(*id))
    }

    #[test]
    fn a_cursor_cuts_in_both_directions() {
        assert_eq!(part_of(None, None, false), 0..3);
        assert_eq!(part_of(Some(12), None, false), 3..6);
        assert_eq!(part_of(Some(18), None, false), 9..10);
        assert_eq!(part_of(Some(99), None, false), 10..10);
        assert_eq!(part_of(None, Some(15), false), 2..5);
        assert_eq!(part_of(Some(12), Some(15), false), 3..5);
        assert_eq!(part_of(Some(15), Some(12), false), 6..6);
        assert_eq!(part_of(None, None, true), 7..10);
        assert_eq!(part_of(Some(17), None, true), 4..7);
        assert_eq!(part_of(None, Some(12), true), 3..6);
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let behaviour = Behaviour::default();
        let read = |value: &str, key: &str| {
            let mut reader = Reader::new(&behaviour);
            let place = place(&mut reader, "after", value, key);
            reader.done(place).map_err(|problems| problems[0].rule())
        };
        assert_eq!(read("17", "id"), Ok(Some((17, 17))));
        assert_eq!(read("x", "id"), Err("number.base"));
        let text = cursor(7, "createdAt", "\"1970-01-01T00:00:01.500Z\"");
        assert_eq!(read(&text, "createdAt"), Ok(Some((1_500_000, 7))));
        assert_eq!(read(text.trim_end_matches('='), "createdAt"), Ok(Some((1_500_000, 7))));
        assert_eq!(read(&cursor(7, "code", "\"0042\""), "code"), Ok(Some((42, 7))));
        assert_eq!(read(&cursor(7, "visitors", "3"), "visitors"), Ok(Some((3, 7))));
        assert_eq!(read(&text, "updatedAt"), Err("string.base64"));
        assert_eq!(read("17", "createdAt"), Err("string.base64"));
    }

    #[test]
    fn a_part_lies_within_the_list() {
        assert_eq!(part(2, 3, 10), 2..5);
        assert_eq!(part(9, 3, 10), 9..10);
        assert_eq!(part(u64::MAX, 3, 10), 10..10);
        assert_eq!(pagination(0, 5, 4), "\"pagination\":{\"previous\":null,\"next\":null}");
    }
}
