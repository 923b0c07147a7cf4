//! Parts of a list by key that are asked for before they are needed. Pure.
//!
//! Truth by key, speed by guess. A pass asks behind the last row but one that it knows, so it has one request under way at a
//! time. Where ids are numbers, two things are guesses: that `after` takes a number which no row has as its id, and which ids
//! the pass will reach some pages on. A chain begins behind such an id, and goes on by key as the pass does, up to where the
//! next chain begins.
//! A guess only saves time: an answer of a chain is taken as the answer to the pass's own question if it begins among the rows of
//! the answer before, so that it brings known rows back, and the pass believes it no more than any other. The end is proven by a
//! fresh question.

use std::collections::BTreeMap;

use super::page::{Page, Row};
use super::query::PageRequest;

/// After so many answers of the pass chains are begun, so that short lists cost no request more.
const FIRST: u64 = 4;
/// Chains under way beside the pass: with a latency of 300 ms, four together ask 13 times a second.
const CHAINS: usize = 3;
/// Answers in a chain, about. Where a chain meets the next, a part of an answer comes twice.
const LENGTH: u64 = 8;
/// No chain is begun while more answers wait for the pass.
const MOST_WAITING: usize = 24;

/// A chain of answers.
#[derive(Debug)]
struct Chain {
    /// Behind which id it asks next, or did last.
    at: u64,
    /// Whether that is under way.
    asked: bool,
    /// The next chain begins behind this id.
    end: u64,
}

/// What is asked for ahead.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// The pass's question before the present one: behind this id.
    before: Option<u64>,
    /// Its present one.
    at: Option<u64>,
    /// How many of them followed each other.
    followed: u64,
    /// From one to the next, about, where ids have no large gap.
    span: u64,
    chains: Vec<Chain>,
    /// Answers that have come, or are under way, by the id that they come behind.
    answers: BTreeMap<u64, Option<Page>>,
    /// Where the last chain that was begun ends.
    furthest: u64,
    /// The list ends here, or the guess has failed: no further chain begins.
    over: bool,
}

/// The id that a part comes behind, if it is a number.
fn behind(part: &PageRequest) -> Option<u64> {
    match part {
        PageRequest::After { after: Some(after), .. } => after.parse().ok(),
        _ => None,
    }
}

impl Leads {
    /// The pass has taken an answer, and asks `next` now; `advances`, if that is for new rows.
    pub(super) fn follow(&mut self, next: &PageRequest, advances: bool) {
        let next = behind(next).filter(|_| advances);
        (self.before, self.at) = (self.at, next);
        match (self.before, self.at) {
            (Some(before), Some(at)) if before < at => {
                let step = at - before;
                self.span = match self.followed {
                    0 => step,
                    _ if step / 4 > self.span => self.span,
                    _ => (self.span - self.span / 4) + step / 4,
                };
                self.followed += 1;
                self.answers = self.answers.split_off(&(before + 1));
            }
            _ => {
                self.followed = 0;
                self.chains.clear();
                self.answers.clear();
            }
        }
    }

    /// The next part to ask for ahead, as the pass would ask for it, and the id that it comes behind.
    pub(super) fn next(&mut self, part: &PageRequest) -> Option<(u64, PageRequest)> {
        let lead = match self.chains.iter_mut().find(|chain| !chain.asked) {
            Some(chain) => {
                chain.asked = true;
                chain.at
            }
            None => self.begin()?,
        };
        self.answers.insert(lead, None);
        Some((lead, PageRequest::After { after: Some(lead.to_string().into()), count: part.count() }))
    }

    /// Begins a chain; where.
    fn begin(&mut self) -> Option<u64> {
        let at = self.at?;
        let room = self.chains.len() < CHAINS && self.answers.len() < MOST_WAITING;
        if self.over || self.followed < FIRST || !room {
            return None;
        }
        let length = self.span.checked_mul(LENGTH)?;
        let start = if self.furthest > at { self.furthest } else { at.checked_add(length)? };
        self.furthest = start.checked_add(length)?;
        self.chains.push(Chain { at: start, asked: true, end: self.furthest });
        Some(start)
    }

    /// Whether the answer to the pass's present question was asked for, by the id that it comes behind. It begins among the rows
    /// of the answer before.
    pub(super) fn fits(&self) -> Option<u64> {
        let (before, at) = self.before.zip(self.at).filter(|(before, at)| before < at)?;
        self.answers.range(before + 1..=at).next_back().map(|(lead, _)| *lead)
    }

    /// Whether a chain asks the pass's present question next.
    pub(super) fn asks_next(&self) -> bool {
        self.chains.iter().find(|chain| !chain.asked).is_some_and(|chain| Some(chain.at) == self.at)
    }

    /// The answer that came behind this id, if it has come.
    pub(super) fn take(&mut self, lead: u64) -> Option<Page> {
        let page = self.answers.get_mut(&lead)?.take()?;
        self.answers.remove(&lead);
        Some(page)
    }

    /// An answer has come; `full` rows are as many as were asked for. One that is not full may show the end.
    pub(super) fn answered(&mut self, lead: u64, page: Page, full: usize) {
        self.over |= page.rows.len() < full;
        let id = |row: &Row| row.id.parse::<u64>().ok();
        let first = page.rows.first().and_then(id);
        let next = page.rows.iter().rev().nth(1).and_then(id);
        let next = next.filter(|next| *next > lead && page.rows.len() >= full);
        let (span, furthest) = (self.span, &mut self.furthest);
        self.chains.retain_mut(|chain| {
            if chain.at != lead {
                return true;
            }
            let Some(next) = next else { return false };
            // Behind a large gap, it begins anew, unless another one has.
            if first >= Some(chain.end) && *furthest < next {
                chain.end = next.saturating_add(span.saturating_mul(LENGTH));
                *furthest = chain.end;
            }
            (chain.at, chain.asked) = (next, false);
            next < chain.end
        });
        if let Some(place) = self.answers.get_mut(&lead) {
            *place = Some(page);
        }
    }

    /// The guess has failed, or the way to ask has changed.
    pub(super) fn give_up(&mut self) {
        self.chains.clear();
        self.answers.clear();
        self.over = true;
    }

    /// Whether this answer is still waited for.
    pub(super) fn is_waited_for(&self, lead: u64) -> bool {
        self.answers.get(&lead).is_some_and(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(after: u64) -> PageRequest {
        PageRequest::After { after: Some(after.to_string().into()), count: 200 }
    }

    /// A page of every second id.
    fn page(behind: u64, rows: u64) -> Page {
        let row = |number: u64| Row {
            id: (behind + 2 * number).to_string().into(),
            updated: None,
            store: None,
            data: bytes::Bytes::new(),
            changes: Vec::new(),
        };
        Page { rows: (1..=rows).map(row).collect(), unreadable: Vec::new() }
    }

    /// Leads of a pass that has asked behind these ids.
    fn following(ids: impl IntoIterator<Item = u64>) -> Leads {
        let mut leads = Leads::default();
        ids.into_iter().for_each(|id| leads.follow(&part(id), true));
        leads
    }

    fn asked(leads: &mut Leads) -> Vec<u64> {
        std::iter::from_fn(|| leads.next(&part(2_000)).map(|(lead, _)| lead)).collect()
    }

    #[test]
    fn nothing_is_asked_ahead_of_a_short_list() {
        assert_eq!(following([400, 800, 1_200, 1_600]).next(&part(1_600)), None);
    }

    #[test]
    fn chains_go_on_by_key_up_to_where_the_next_one_begins() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        assert_eq!(asked(&mut leads), [5_200, 8_400, 11_600]);
        let mut at = 5_200;
        for _ in 1..8 {
            leads.answered(at, page(at, 200), 200);
            at += 398;
            assert_eq!(asked(&mut leads), [at]);
        }
        leads.answered(at, page(at, 200), 200);
        assert_eq!(asked(&mut leads), [8_384], "a part of an answer is missing up to the next chain");
        leads.answered(8_384, page(8_384, 200), 200);
        assert_eq!(asked(&mut leads), [14_800], "the chain has arrived, so that another one begins");
    }

    #[test]
    fn what_was_asked_ahead_answers_the_question_that_it_overlaps() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        assert_eq!(leads.fits(), None, "the present question is not among them");
        leads.follow(&part(5_100), true);
        leads.follow(&part(5_300), true);
        assert_eq!((leads.fits(), leads.take(5_200)), (Some(5_200), None), "it is under way");
        leads.answered(5_200, page(5_200, 200), 200);
        assert_eq!(leads.take(5_200), Some(page(5_200, 200)));
        assert!(leads.is_waited_for(8_400));
    }

    #[test]
    fn a_question_of_the_pass_is_not_asked_twice() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        [5_100, 5_300].iter().for_each(|id| leads.follow(&part(*id), true));
        leads.answered(5_200, page(5_200, 200), 200);
        leads.take(5_200).unwrap();
        leads.follow(&part(5_598), true);
        assert_eq!((leads.fits(), leads.asks_next()), (None, true));
        // Where the pass has asked itself all the same, it already has the answer.
        assert_eq!(asked(&mut leads), [5_598]);
        leads.follow(&part(5_996), true);
        assert_eq!((leads.fits(), leads.asks_next()), (None, false));
    }

    #[test]
    fn behind_a_large_gap_a_chain_begins_anew() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        let chains = asked(&mut leads);
        leads.answered(chains[0], page(1_000_000, 200), 200);
        assert_eq!(asked(&mut leads), [1_000_398]);
        leads.answered(chains[1], page(1_000_000, 200), 200);
        assert_eq!(asked(&mut leads), [1_000_398 + 3_200], "another one has begun there");
    }

    #[test]
    fn the_end_is_proven_by_a_fresh_question() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        leads.follow(&part(5_200), false);
        assert_eq!((leads.fits(), leads.next(&part(5_200))), (None, None));
    }

    #[test]
    fn behind_an_answer_that_is_not_full_nothing_is_asked_ahead() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        let (lead, _) = leads.next(&part(2_000)).unwrap();
        leads.answered(lead, page(lead, 7), 200);
        assert_eq!(leads.next(&part(2_000)), None);
    }
}
