//! The pages of single orders: which are to be asked for, and what may be said of them. Pure.
//!
//! Each order that the sync hands out has its page asked for. They are answered in any order; a state of the stream may be
//! said when the pages of all orders before it are written. So the stream follows `orders`, and never says more than that.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

use crate::failure::{Failure, FailureKind};
use crate::orders::api::detail::{Due, TRIAL};
use crate::orders::api::page::Row;
use crate::orders::state::lagging::LaggingDetails;
use crate::orders::state::stream_state::StreamState;

/// So many vanished orders, and not a single page before: then it is doubtful that orders have pages at all. The newest order
/// is asked for to see; AiFi may keep pages for some time only.
const DOUBTFUL: u64 = 20;
/// So many pages are written between two states, where there is something to say: each is a request.
const PAGES_PER_STATE: u64 = 100;

/// Whether orders have pages, where that is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    Due,
    UnderWay,
    Passed,
}

/// What is due, under way and said.
#[derive(Debug)]
pub(crate) struct Details {
    next: u64,
    waiting: VecDeque<Due>,
    /// When the orders of the pages that are under way were drafted, by number.
    under_way: BTreeMap<u64, DateTime<Utc>>,
    /// States of the sync, each behind the orders before it.
    states: VecDeque<(u64, StreamState)>,
    /// What the last state said, or the one that the sync resumes from.
    pub last_state: StreamState,
    /// Pages that were written.
    pub written: u64,
    /// How many were when a state was said last.
    said: u64,
    /// Orders that had vanished: the first few, and how many.
    pub vanished: (Vec<u64>, u64),
    /// Pages that are older than what was listed.
    pub behind: u64,
    /// Orders whose pages were late, or not there: most likely they have just changed.
    late: LaggingDetails,
    trial: Trial,
}

impl Details {
    /// Nothing is due yet. `last_state` is the state that the sync resumes from.
    pub(crate) fn new(last_state: StreamState) -> Self {
        Self {
            next: 0,
            waiting: VecDeque::new(),
            under_way: BTreeMap::new(),
            states: VecDeque::new(),
            last_state,
            written: 0,
            said: 0,
            vanished: (Vec::new(), 0),
            behind: 0,
            late: LaggingDetails::default(),
            trial: Trial::Due,
        }
    }

    /// The page of an order is due.
    pub(crate) fn push(&mut self, order: &Row) {
        self.waiting.push_back(Due::new(self.next, order));
        self.next += 1;
    }

    /// How many pages were due so far.
    pub(crate) fn due(&self) -> u64 {
        self.next
    }

    /// How many pages wait to be asked for.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A state of the sync, which speaks of all orders pushed before.
    pub(crate) fn state(&mut self, state: StreamState) {
        self.states.push_back((self.next, state));
    }

    /// The next page to ask for. `newest` is the newest order that is listed.
    pub(crate) fn request(&mut self, newest: Option<&Row>) -> Option<Due> {
        match (self.trial, newest) {
            (Trial::Due, Some(newest)) if self.is_doubtful() => {
                self.trial = Trial::UnderWay;
                return Some(Due::new(TRIAL, newest));
            }
            (Trial::Due, None) if self.is_doubtful() => self.trial = Trial::Passed,
            (Trial::UnderWay, _) => return None,
            _ => (),
        }
        let due = self.waiting.pop_front()?;
        self.under_way.insert(due.number, due.at);
        Some(due)
    }

    /// Whether orders may have no pages at all. Then nothing is said of those that had vanished.
    fn is_doubtful(&self) -> bool {
        self.written == 0 && self.vanished.1 >= DOUBTFUL && self.trial != Trial::Passed
    }

    /// Orders have pages.
    pub(crate) fn passed(&mut self) {
        self.trial = Trial::Passed;
    }

    /// The page of an order is written.
    pub(crate) fn written(&mut self, due: &Due, behind: bool) {
        self.under_way.remove(&due.number);
        self.written += 1;
        if behind {
            self.behind += 1;
            self.late.note(due.at, due.updated);
        }
    }

    /// The order is listed, but has no page. That is logged, and not fatal, as long as others have one.
    pub(crate) fn vanished(&mut self, due: &Due) -> Result<(), Failure> {
        let (first, count) = &mut self.vanished;
        if due.is_trial() && self.written > 0 {
            // One that was asked for before has a page.
            self.passed();
            return Ok(());
        }
        if due.is_trial() {
            let text = format!(
                "GET /orders/{{id}} returned 404 for all {count} orders tried, including the newest. Deselect the stream order_details, or ask AiFi for GET /orders/{{orderId}}."
            );
            return Err(Failure::new(FailureKind::NotFound, text));
        }
        self.under_way.remove(&due.number);
        self.late.note(due.at, due.updated);
        *count += 1;
        if first.len() < 5 {
            first.push(due.id);
        }
        Ok(())
    }

    /// The last state that may be said by now, if there is a new one.
    pub(crate) fn sayable(&mut self) -> Option<StreamState> {
        if self.is_doubtful() {
            return None;
        }
        let first = [self.under_way.keys().next().copied(), self.waiting.front().map(|due| due.number)];
        let before = first.into_iter().flatten().min().unwrap_or(self.next);
        let mut last = None;
        while self.states.front().is_some_and(|(number, _)| *number <= before) {
            last = self.states.pop_front().map(|(_, state)| state);
        }
        if last.is_none() && self.written >= self.said + PAGES_PER_STATE {
            last = self.part();
        }
        self.say(last?)
    }

    /// The state that says most of what is written, for another read to resume from.
    pub(crate) fn leave(mut self) -> StreamState {
        let part = self.part().filter(|_| !self.is_doubtful());
        part.and_then(|part| self.say(part)).unwrap_or(self.last_state)
    }

    fn say(&mut self, state: StreamState) -> Option<StreamState> {
        let before = self.last_state.position;
        // A page that lags behind the list, or is not there, is most likely that of an order which has just changed. The next
        // syncs look at these once more, and would take it for written as it is now.
        self.last_state = if self.late.is_empty() { state } else { state.without_digests(&self.late) };
        debug_assert!(before <= self.last_state.position, "the position never falls");
        self.said = self.written;
        Some(self.last_state.clone())
    }

    /// What may be said before all pages are written of which the next state speaks: of the orders drafted before each one
    /// whose page is still to come.
    fn part(&self) -> Option<StreamState> {
        let (number, next) = self.states.front()?;
        let waiting = self.waiting.iter().take_while(|due| due.number < *number).map(|due| due.at);
        let under_way = self.under_way.range(..number).map(|(_, at)| *at);
        next.partly(&self.last_state, waiting.chain(under_way).min()?)
    }

    /// Whether nothing is due, under way, or to be said.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty() && self.states.is_empty() && !self.is_doubtful()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::orders::api::testing::row;
    use crate::orders::state::digests::Digests;
    use proptest::prelude::*;

    /// A state that differs from others in its position.
    fn state(second: i64) -> StreamState {
        StreamState { position: row(second, 0).at, ..StreamState::default() }
    }

    #[test]
    fn a_state_is_said_when_all_pages_before_it_are_written() {
        let mut details = Details::new(state(0));
        [1, 2].iter().for_each(|id| details.push(&row(0, *id)));
        details.state(state(2));
        details.push(&row(0, 3));
        details.state(state(3));
        let dues = [(); 3].map(|()| details.request(None).unwrap());
        assert_eq!((details.request(None), details.sayable()), (None, None));
        details.written(&dues[2], false);
        details.written(&dues[0], false);
        assert_eq!(details.sayable(), None, "the second is under way");
        details.vanished(&dues[1]).unwrap();
        assert_eq!((details.sayable(), details.is_idle()), (Some(state(3)), true));
        details.state(state(4));
        assert_eq!((details.sayable(), details.last_state.clone()), (Some(state(4)), state(4)));
    }

    #[test]
    fn every_hundred_pages_it_is_said_up_to_which_order_all_are_written() {
        let mut details = Details::new(state(-1));
        (0..250).for_each(|id| details.push(&row(i64::try_from(id).unwrap(), id)));
        details.state(state(1_000));
        // What comes behind the state does not matter, though it was drafted before.
        details.push(&row(0, 250));
        let dues: Vec<Due> = std::iter::from_fn(|| details.request(None)).collect();
        let mut said = Vec::new();
        for (written, due) in dues.iter().enumerate().filter(|(number, _)| *number != 120) {
            details.written(due, false);
            said.extend(details.sayable().map(|state| (written, state.position)));
        }
        details.written(&dues[120], false);
        said.extend(details.sayable().map(|state| (251, state.position)));
        let at = |number: usize| dues[number].at;
        assert_eq!(said, [(99, at(100)), (200, at(120)), (251, row(1_000, 0).at)]);
    }

    #[test]
    fn after_a_page_that_lags_nothing_is_taken_for_written_as_it_is_now() {
        let mut details = Details::new(StreamState::default());
        for behind in [false, true] {
            details.push(&row(0, 1));
            let recent = Digests([1].into());
            details.state(StreamState { recent: recent.clone(), ..state(5) });
            let due = details.request(None).unwrap();
            details.written(&due, behind);
            let said = details.sayable().unwrap();
            assert_eq!((said.recent == recent, said.position), (!behind, state(5).position));
        }
    }

    /// Details of which so many have vanished that it is doubtful whether there are any; and the request to see.
    fn doubtful() -> (Details, Due) {
        let mut details = Details::new(StreamState::default());
        for id in 0..=DOUBTFUL {
            details.push(&row(0, id));
        }
        for _ in 0..DOUBTFUL {
            let due = details.request(None).unwrap();
            details.vanished(&due).unwrap();
        }
        let due = details.request(Some(&row(9, 99))).unwrap();
        assert!(due.is_trial() && due.id == 99);
        assert_eq!(details.request(Some(&row(9, 99))), None, "the others wait for the answer");
        (details, due)
    }

    #[test]
    fn where_no_order_has_a_page_the_stream_fails() {
        let (mut details, due) = doubtful();
        assert_eq!(details.vanished(&due).unwrap_err().kind, FailureKind::NotFound);
    }

    #[test]
    fn nothing_is_said_of_vanished_orders_while_it_is_doubtful_whether_there_are_pages() {
        let mut details = Details::new(StreamState::default());
        for id in 0..DOUBTFUL {
            details.push(&row(0, id));
        }
        details.state(state(7));
        let dues: Vec<Due> = std::iter::from_fn(|| details.request(None)).collect();
        dues.iter().for_each(|due| details.vanished(due).unwrap());
        assert_eq!((details.sayable(), details.is_idle()), (None, false));
        assert!(details.request(Some(&row(9, 99))).unwrap().is_trial());
        details.passed();
        assert_eq!((details.sayable(), details.is_idle()), (Some(state(7)), true));
    }

    #[test]
    fn where_only_old_orders_have_none_it_goes_on() {
        let (mut details, _) = doubtful();
        details.passed();
        assert_eq!(details.request(None).unwrap().id, DOUBTFUL);
    }

    proptest! {
        /// Whatever the order of responses: no state is said before what it speaks of is written, and in the end all are.
        #[test]
        fn no_state_is_ahead_of_its_pages(steps in proptest::collection::vec((0_u8..4, any::<prop::sample::Index>()), 1..200)) {
            let mut details = Details::new(state(0));
            let (mut pushed, mut done, mut asked) = (0_u64, BTreeSet::new(), Vec::new());
            let mut said = 0;
            let mut check = |details: &mut Details, done: &BTreeSet<u64>| {
                if let Some(state) = details.sayable() {
                    said = (state.position - row(0, 0).at).num_seconds().cast_unsigned();
                }
                assert!((0..said).all(|id| done.contains(&id)));
                said
            };
            for (step, index) in steps {
                match step {
                    0 => { details.push(&row(0, pushed)); pushed += 1; }
                    1 => details.state(state(pushed.cast_signed())),
                    2 => asked.extend(details.request(None)),
                    _ if !asked.is_empty() => {
                        let due: Due = asked.swap_remove(index.index(asked.len()));
                        details.written(&due, false);
                        done.insert(due.id);
                    }
                    _ => (),
                }
                check(&mut details, &done);
            }
            details.state(state(pushed.cast_signed()));
            asked.extend(std::iter::from_fn(|| details.request(None)));
            for due in asked {
                details.written(&due, false);
                done.insert(due.id);
            }
            prop_assert_eq!(check(&mut details, &done), pushed);
            prop_assert!(details.is_idle());
        }
    }
}
