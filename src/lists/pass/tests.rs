//! The rules of the pass, one by one.

use bytes::Bytes;

use super::*;

pub(super) fn row(id: u64) -> Row {
    Row { id: id.to_string().into(), updated: None, store: None, data: Bytes::new(), changes: Vec::new() }
}

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(row).collect()
}

fn ids(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.id.parse().unwrap()).collect()
}

fn after(id: u64, count: usize) -> PageRequest {
    PageRequest::After { after: Some(id.to_string().into()), count }
}

fn offset(offset: usize, count: usize) -> PageRequest {
    PageRequest::Offset { offset, count }
}

fn page(page: usize, size: usize) -> PageRequest {
    PageRequest::Page { page: Some(page), size }
}

/// The response of an API that gives at most so many rows at a time, and counts pages from 0.
fn part_of(all: &[Row], part: &PageRequest, most: usize) -> Vec<Row> {
    let begin = match part {
        PageRequest::After { after, .. } => after.as_ref().map_or(0, |id| id.parse::<usize>().unwrap() + 1),
        PageRequest::Offset { offset, .. } => *offset,
        PageRequest::Page { page, size } => page.unwrap_or(0) * size,
    };
    all.iter().skip(begin).take(part.count().min(most)).cloned().collect()
}

/// A pass that has had a response with the rows up to `count`.
fn begun(paging: Paging, count: u64) -> Pass {
    let mut pass = Pass::new(paging, 200);
    assert_eq!(pass.accept(rows(0..count)).unwrap().len() as u64, count);
    pass
}

#[test]
fn five_rows_are_proven_by_a_second_request_that_leaves_room_for_a_sixth() {
    for (paging, request, answer) in [
        (Paging::After, after(3, 199), rows(4..5)),
        (Paging::After, after(3, 199), rows(3..5)),
        (Paging::Offset, offset(3, 199), rows(3..5)),
        (Paging::Page, page(1, 3), rows(3..5)),
    ] {
        let mut pass = begun(paging, 5);
        assert_eq!((pass.request(), pass.is_done()), (request, false), "{paging:?}");
        assert!(pass.accept(answer).unwrap().is_empty() && pass.is_done(), "{paging:?}");
    }
}

#[test]
fn a_row_or_two_are_asked_for_once_more_as_a_whole_by_another_request() {
    for paging in [Paging::After, Paging::Offset, Paging::Page] {
        for count in 1..3 {
            let mut pass = begun(paging, count);
            assert_eq!(pass.request(), PageRequest::first(paging, 199));
            assert!(pass.accept(rows(0..count)).unwrap().is_empty() && pass.is_done(), "{paging:?}");
        }
    }
}

#[test]
fn after_a_full_page_the_next_one_begins_with_its_last_row() {
    for (paging, request, last) in [
        (Paging::After, after(198, 200), rows(199..201)),
        (Paging::Offset, offset(199, 200), rows(199..201)),
        (Paging::Page, page(1, 199), rows(199..201)),
    ] {
        let mut pass = begun(paging, 200);
        assert_eq!(pass.request(), request);
        assert_eq!(ids(&pass.accept(last).unwrap()), [200], "{paging:?}");
        assert!(!pass.is_done(), "{paging:?}: a short answer may be cut");
        assert_ne!(pass.request(), request, "a memory in between would answer alike");
    }
}

#[test]
fn an_empty_answer_is_the_end_only_where_nothing_is_known_and_only_at_last() {
    for paging in [Paging::After, Paging::Offset, Paging::Page] {
        let mut empty = Pass::new(paging, 200);
        for _ in 1..MAX_ATTEMPTS {
            assert!(empty.accept(vec![]).is_err() && !empty.is_done());
        }
        assert!(empty.accept(vec![]).is_ok() && empty.is_done());
        let mut pass = begun(paging, 200);
        for _ in 0..50 {
            assert_eq!(pass.accept(vec![]).unwrap_err().kind, FailureKind::MissingOrder);
        }
    }
}

#[test]
fn a_parameter_that_is_ignored_is_not_taken_for_the_end() {
    for count in [5, 150, 200] {
        for paging in [Paging::After, Paging::Offset, Paging::Page] {
            let mut pass = begun(paging, count);
            let doubts = (0..200).filter(|_| pass.accept(rows(0..count)).is_err()).count();
            assert!(doubts > 20 && !pass.is_done(), "{paging:?} {count}");
        }
    }
}

#[test]
fn what_begins_with_an_unknown_row_is_not_taken() {
    let mut keyed = begun(Paging::After, 200);
    assert!(keyed.accept(rows(205..405)).is_err());
    assert_eq!(keyed.request(), after(1, 200), "another row that is known, should the last one be deleted");
    // Of a numbered list, three rows before our place were deleted.
    let mut pass = begun(Paging::Offset, 200);
    assert!(pass.accept(rows(202..402)).unwrap().is_empty());
    assert_eq!(pass.request(), offset(0, 200));
    assert_eq!(ids(&pass.accept(rows(3..203)).unwrap()), [200, 201, 202]);
    assert_eq!(pass.request(), offset(199, 200));
}

#[test]
fn steps_back_double() {
    let mut pass = begun(Paging::Offset, 200);
    for page in 1..5 {
        pass.accept(rows(199 * page..199 * page + 200)).unwrap();
    }
    let mut offsets = Vec::new();
    for _ in 0..4 {
        assert!(pass.accept(rows(5_000..5_200)).unwrap().is_empty());
        offsets.push(pass.request());
    }
    assert!(pass.accept(rows(5_000..5_200)).is_err(), "not even the start is known");
    assert_eq!(offsets, [796, 596, 196, 0].map(|begin| offset(begin, 200)));
}

#[test]
fn pages_counted_from_one_are_noticed_by_their_first_row() {
    let mut pass = begun(Paging::Page, 200);
    assert_eq!(pass.request(), page(1, 199));
    assert!(pass.accept(rows(0..199)).unwrap().is_empty());
    assert_eq!(pass.request(), page(2, 199));
    assert_eq!(pass.accept(rows(199..398)).unwrap().len(), 198);
}

#[test]
fn the_lists_first_row_may_move_to_the_start_of_another_page() {
    for page in 1..4 {
        let mut all = rows(0..70);
        let mut pass = Pass::new(Paging::Page, 200);
        let (mut read, mut moved) = (0, false);
        for _ in 0..200 {
            let request = pass.request();
            if let PageRequest::Page { page: Some(asked), size } = request
                && asked == page
                && !moved
            {
                all.swap(0, page * size);
                moved = true;
            }
            read += pass.accept(part_of(&all, &request, 20)).map_or(0, |rows| rows.len());
            if pass.is_done() {
                break;
            }
        }
        // Should the row that it changed places with be missing, that shows: the list has a place more than rows.
        assert_eq!((moved, pass.is_done(), pass.places()), (true, true, 70), "page {page}, {read} rows");
    }
}

#[test]
fn a_row_that_was_changed_proves_no_place_in_a_numbered_list() {
    let changed = || Row { updated: crate::timestamp::parse("2025-11-01T00:00:00Z"), ..row(199) };
    let mut pass = begun(Paging::Page, 200);
    assert!(pass.accept(vec![changed(), row(300)]).unwrap().is_empty(), "it may have moved to the end");
    assert_eq!(pass.request(), PageRequest::Page { page: None, size: 200 });
}

#[test]
fn a_page_size_is_learnt_and_pages_of_numbers_stay_below_it() {
    let mut pass = begun(Paging::Page, 7);
    assert_eq!(pass.request(), page(1, 4));
    assert_eq!(ids(&pass.accept(rows(4..8)).unwrap()), [7]);
    assert_eq!(pass.request(), PageRequest::Page { page: None, size: 200 }, "whether it was cut");
    assert!(pass.accept(rows(0..7)).unwrap().is_empty());
    assert_eq!(pass.request(), page(1, 6));
    assert_eq!(ids(&pass.accept(rows(6..12)).unwrap()), [8, 9, 10, 11]);
}

#[test]
fn the_last_row_may_be_deleted() {
    for (paging, left) in [(Paging::After, rows(2..4)), (Paging::Offset, rows(0..4))] {
        let mut pass = begun(paging, 5);
        for _ in 1..DELETED {
            assert!(pass.accept(left.clone()).is_err() && !pass.is_done(), "{paging:?}");
        }
        assert!(pass.accept(left).is_ok() && pass.is_done(), "{paging:?}");
    }
}

#[test]
fn answers_that_are_cut_here_and_there_are_no_deletion() {
    let mut pass = begun(Paging::Offset, 9);
    for length in [3, 4, 5, 3, 4, 5, 3, 4, 5] {
        assert!(pass.accept(rows(1..length)).is_err() && !pass.is_done());
    }
}

#[test]
fn a_walk_goes_on_behind_a_row() {
    let mut pass = Pass::behind("41", 200);
    assert_eq!(pass.request(), after(41, 200));
    assert!(pass.accept(vec![]).is_err(), "a row is known to follow");
    assert_eq!(ids(&pass.accept(rows(42..50)).unwrap()), (42..50).collect::<Vec<_>>());
    assert!(pass.accept(rows(44..50)).unwrap().is_empty() && pass.is_done());
}

/// Reads a list of so many rows, of an API that gives `cap` rows at a time. How many rows were handed out, and the doubt
/// that ended it.
fn pages(count: u64, cap: usize) -> (usize, Option<Doubt>) {
    let (mut pass, mut look, mut handed_out) = (Pass::new(Paging::Page, 200), 1, 0);
    for _ in 0..count + 200 {
        if pass.is_done() {
            return (handed_out, None);
        }
        let PageRequest::Page { page, size } = pass.request() else { unreachable!() };
        let size = size.min(cap) as u64;
        let begin = (page.unwrap_or(0) as u64 * size).min(count);
        match pass.accept(rows(begin..count.min(begin + size))) {
            Ok(rows) => (handed_out, look) = (handed_out + rows.len(), 1),
            Err(_) if look < MAX_ATTEMPTS => look += 1,
            Err(doubt) => return (handed_out, Some(doubt)),
        }
    }
    panic!("{count} rows, {cap} at a time: it goes on for ever");
}

#[test]
fn where_no_size_of_pages_brings_known_rows_back_the_page_before_is_asked_for_again() {
    for (cap, common_multiple) in [(3, 6), (8, 840), (10, 2_520)] {
        for count in [common_multiple - 1, common_multiple, common_multiple + 1, 2 * common_multiple + 40] {
            assert_eq!(pages(count, cap), (count as usize, None), "{cap}");
        }
    }
    assert_eq!(pages(6_000, 13), (6_000, None));
}

#[test]
fn known_rows_that_are_not_those_before_a_page_do_not_join_it() {
    let all = rows(0..40);
    let mut pass = Pass::new(Paging::Page, 200);
    let mut read = 0;
    for _ in 0..20 {
        if pass.request() == page(2, 3) {
            break;
        }
        read += pass.accept(part_of(&all, &pass.request(), 3)).unwrap().len();
    }
    assert_eq!((read, pass.request()), (6, page(2, 3)), "it only touches what is known");
    assert!(pass.accept(rows(6..9)).unwrap().is_empty());
    assert_eq!(pass.request(), page(1, 3), "the page before");
    assert!(pass.accept(rows(0..3)).is_err(), "the first page came instead");
    for _ in 0..100 {
        if pass.is_done() {
            break;
        }
        read += pass.accept(part_of(&all, &pass.request(), 3)).map_or(0, |rows| rows.len());
    }
    assert_eq!((pass.is_done(), read), (true, 40));
}

#[test]
fn a_row_that_goes_before_a_page_which_only_touches_what_is_known_hides_none() {
    let all = rows(0..40);
    let mut gone = all.clone();
    gone.remove(1);
    let touching = page(2, 3);
    let (mut pass, mut read, mut since) = (Pass::new(Paging::Page, 200), 0, 0);
    for _ in 0..200 {
        let request = pass.request();
        since += usize::from(since > 0 || request == touching);
        // It comes back two responses later, so that the page before looks as it was.
        let list = if (1..3).contains(&since) { &gone } else { &all };
        read += pass.accept(part_of(list, &request, 3)).map_or(0, |rows| rows.len());
        if pass.is_done() {
            break;
        }
    }
    assert_eq!((pass.is_done(), read), (true, 40));
    assert!(since > 3);
}

#[test]
fn where_pages_are_shorter_than_asked_for_two_answers_that_are_cut_alike_are_no_end() {
    for paging in [Paging::Offset, Paging::Page] {
        for cut in 1..12 {
            let all = rows(0..50);
            let (mut pass, mut read) = (Pass::new(paging, 200), 0);
            let mut end = all.len();
            for answer in 0..200 {
                let request = pass.request();
                if answer == cut {
                    end = all.len().min(read + 1);
                } else if answer == cut + 2 {
                    end = all.len();
                }
                read += pass.accept(part_of(&all[..end], &request, 10)).map_or(0, |rows| rows.len());
                if pass.is_done() {
                    break;
                }
            }
            assert_eq!((pass.is_done(), read), (true, 50), "{paging:?} {cut}");
        }
    }
}

#[test]
fn nothing_behind_the_row_of_a_place_is_no_end_as_the_row_may_be_no_more() {
    let mut pass = Pass::behind("41", 200);
    for _ in 1..MAX_ATTEMPTS {
        assert!(pass.accept(vec![]).is_err());
    }
    assert!(pass.accept(vec![]).unwrap().is_empty() && !pass.is_done());
    assert_eq!(pass.request(), Pass::new(Paging::After, 200).request(), "the list is begun anew");
    assert_eq!(pass.accept(rows(0..50)).unwrap().len(), 50);
}

#[test]
fn a_list_whose_answers_are_too_large_is_read_in_smaller_parts() {
    for paging in [Paging::After, Paging::Offset, Paging::Page] {
        let all = rows(0..500);
        let mut pass = Pass::new(paging, 200);
        let mut read = Vec::new();
        for _ in 0..1_000 {
            if pass.is_done() {
                break;
            }
            let request = pass.request();
            // Of these, no more than 40 fit in a response.
            if request.count() > 40 && !read.is_empty() {
                assert!(pass.halve(), "{paging:?}");
                continue;
            }
            let answer = part_of(&all, &request, 200);
            if let Ok(rows) = pass.accept(answer) {
                read.extend(rows);
            }
        }
        assert_eq!((pass.is_done(), read.len()), (true, 500), "{paging:?}");
    }
    let mut pass = Pass::new(Paging::After, 200);
    assert_eq!((0..20).take_while(|_| pass.halve()).count(), 6, "200, 100, 50, 25, 12, 6, 3");
}

#[test]
fn an_api_that_begins_to_give_fewer_rows_at_a_time_hides_none() {
    for paging in [Paging::After, Paging::Offset] {
        for (before, then) in [(200, 199), (200, 198), (50, 49), (50, 48), (5, 4)] {
            let all = rows(0..607);
            let mut pass = Pass::new(paging, 200);
            let (mut read, mut responses) = (0, 0);
            while !pass.is_done() && responses < 2_000 {
                let most = if responses < 2 { before } else { then };
                let answer = part_of(&all, &pass.request(), most);
                read += pass.accept(answer).map_or(0, |rows| rows.len());
                responses += 1;
            }
            assert_eq!((pass.is_done(), read), (true, 607), "{paging:?}, {before} and then {then}");
        }
    }
}
