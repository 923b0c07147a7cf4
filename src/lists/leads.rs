//! Parts of a list by key that are asked for before they are needed. Pure.
//!
//! Truth by key, speed by guess. A pass asks behind the last row but one that it knows, so it has one request under way at a
//! time. Where ids are numbers, two things are guesses: that `after` takes a number which no row has as its id, and which ids
//! the pass will reach some pages on. A chain begins behind such an id, and goes on by key as the pass does, up to where the
//! next chain begins; the last one goes on until another begins. One at a time is unproven: behind the end of a list, or in a
//! large gap, a chain is in vain.
//!
//! A guess only saves time: a response of a chain counts as the response to the pass's own request if it begins among the rows
//! of the response before, so that it brings known rows back, and the pass believes it no more than any other. The end is
//! proven by a fresh request.

use std::collections::BTreeMap;

use super::page::{Page, Row};
use super::query::PageRequest;
use super::stride::Stride;

/// After so many responses of the pass chains are begun, so that short lists cost no request more.
const FIRST: u64 = 4;
/// Chains under way, where other lists have something to ask, too: with a latency of 300 ms, four ask 13 times a second.
const CHAINS: usize = 4;
/// Chains under way, where nobody else has: with a latency of 300 ms, seven ask 20 times a second.
const MOST_CHAINS: usize = 7;
/// From where a chain is to where the next one begins: pages. Where two meet, a part of a page comes twice, so a list takes
/// about two requests in a hundred more; and what a chain brings waits for those before it.
const LENGTH: u64 = 12;
/// Most bytes of records that wait for the pass, what is under way included.
const MOST_WAITING: usize = 8 * 1024 * 1024;

/// A chain of responses.
#[derive(Debug)]
struct Chain {
    /// Behind which id it asks next, or did last.
    at: u64,
    /// Whether that is under way.
    asked: bool,
    /// The next chain begins behind this id; none, if it is the last.
    end: Option<u64>,
    /// A response has shown that there are rows where it began.
    proven: bool,
}

/// What is asked for ahead.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// The pass's request before the present one: behind this id.
    before: Option<u64>,
    /// Its present one.
    at: Option<u64>,
    /// How many of them followed each other.
    followed: u64,
    /// The response to the request before was asked for ahead, so that its step is known from there.
    taken: bool,
    stride: Stride,
    /// In the order of their ids.
    chains: Vec<Chain>,
    /// Responses that have come, or are under way, by the id that they come behind.
    responses: BTreeMap<u64, Option<Page>>,
    /// The most bytes that a response had.
    largest: usize,
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
    /// The pass has taken a response, and asks `next` now; `advances`, if that is for new rows.
    pub(super) fn follow(&mut self, next: &PageRequest, advances: bool) {
        let next = behind(next).filter(|_| advances);
        (self.before, self.at) = (self.at, next);
        let taken = std::mem::take(&mut self.taken);
        match (self.before, self.at) {
            (Some(before), Some(at)) if before < at => {
                if !taken {
                    self.stride.observe(at - before);
                }
                self.followed += 1;
                self.responses = self.responses.split_off(&(before + 1));
                self.chains.retain_mut(|chain| {
                    // Where the pass has been, it continues there.
                    chain.at = if chain.asked { chain.at } else { chain.at.max(at) };
                    chain.at > before && chain.end.is_none_or(|end| chain.at < end)
                });
            }
            _ => {
                self.followed = 0;
                self.chains.clear();
                self.responses.clear();
            }
        }
    }

    /// The next part to ask for ahead, as the pass would ask for it, and the id that it comes behind.
    pub(super) fn next(&mut self, part: &PageRequest) -> Option<(u64, PageRequest)> {
        let (at, room) = (self.at, self.has_room());
        // What the pass needs next does not wait for room.
        let free = |chain: &&mut Chain| !chain.asked && (room || Some(chain.at) == at);
        if let Some(chain) = self.chains.iter_mut().find(free) {
            chain.asked = true;
            let lead = chain.at;
            return Some(self.ask(lead, part));
        }
        self.begin(CHAINS, part)
    }

    /// Another part, for a request that nobody else needs.
    pub(super) fn spare(&mut self, part: &PageRequest) -> Option<(u64, PageRequest)> {
        self.begin(MOST_CHAINS, part)
    }

    fn ask(&mut self, lead: u64, part: &PageRequest) -> (u64, PageRequest) {
        self.responses.insert(lead, None);
        (lead, PageRequest::After { after: Some(lead.to_string().into()), count: part.count() })
    }

    /// Whether another response may wait for the pass.
    fn has_room(&self) -> bool {
        (self.responses.len() + 1) * self.largest <= MOST_WAITING
    }

    /// Begins a chain, unless there are as many.
    fn begin(&mut self, most: usize, part: &PageRequest) -> Option<(u64, PageRequest)> {
        let last = self.chains.last();
        let is_proven = last.is_none_or(|chain| chain.proven);
        let is_due = !self.over && self.followed >= FIRST && is_proven;
        if !is_due || self.chains.len() >= most || !self.has_room() {
            return None;
        }
        let start = self.stride.ahead(last.map_or(self.at?, |chain| chain.at), LENGTH)?;
        if let Some(chain) = self.chains.last_mut() {
            chain.end = Some(start);
        }
        self.chains.push(Chain { at: start, asked: true, end: None, proven: false });
        Some(self.ask(start, part))
    }

    /// Whether the response to the pass's present request was asked for, by the id that it comes behind. It begins among the rows
    /// of the response before.
    pub(super) fn fits(&self) -> Option<u64> {
        let (before, at) = self.before.zip(self.at).filter(|(before, at)| before < at)?;
        self.responses.range(before + 1..=at).next_back().map(|(lead, _)| *lead)
    }

    /// Whether a chain asks the pass's present request next.
    pub(super) fn asks_next(&self) -> bool {
        self.chains.iter().any(|chain| !chain.asked && Some(chain.at) == self.at)
    }

    /// The response that came behind this id, if it has come.
    pub(super) fn take(&mut self, lead: u64) -> Option<Page> {
        let page = self.responses.get_mut(&lead)?.take()?;
        self.responses.remove(&lead);
        self.taken = true;
        Some(page)
    }

    /// A response has come; `full` rows are as many as were asked for. One that is not full may show the end.
    pub(super) fn answered(&mut self, lead: u64, page: Page, full: usize) {
        let is_full = page.rows.len() >= full;
        self.over |= !is_full;
        self.largest = self.largest.max(page.rows.iter().map(|row| row.data.len()).sum());
        let id = |row: &Row| row.id.parse::<u64>().ok();
        let next = page.rows.iter().rev().nth(1).and_then(id).filter(|next| *next > lead && is_full);
        if let Some(place) = self.chains.iter().position(|chain| chain.at == lead) {
            let chain = &mut self.chains[place];
            match next {
                Some(next) if chain.end.is_none_or(|end| next < end) => {
                    self.stride.observe(next - lead);
                    (chain.at, chain.asked, chain.proven) = (next, false, true);
                }
                _ => _ = self.chains.remove(place),
            }
        }
        if let Some(place) = self.responses.get_mut(&lead) {
            *place = Some(page);
        }
    }

    /// The guess has failed, or the way to ask has changed.
    pub(super) fn give_up(&mut self) {
        self.chains.clear();
        self.responses.clear();
        self.over = true;
    }

    /// Whether this response is still waited for.
    pub(super) fn is_waited_for(&self, lead: u64) -> bool {
        self.responses.get(&lead).is_some_and(Option::is_none)
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

    /// A chain's response has come, full; what is asked then.
    fn goes_on(leads: &mut Leads, lead: u64) -> Vec<u64> {
        leads.answered(lead, page(lead, 200), 200);
        asked(leads)
    }

    #[test]
    fn chains_go_on_by_key_up_to_where_the_next_one_begins() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        assert_eq!(asked(&mut leads), [6_800], "one, as long as nothing shows that the list is as long");
        let [mut lead, second] = goes_on(&mut leads, 6_800)[..] else { panic!("two, once it is") };
        assert!((11_900..12_000).contains(&second), "{second}");
        while lead < second {
            let next = goes_on(&mut leads, lead);
            lead += 398;
            assert_eq!(next, if lead < second { vec![lead] } else { Vec::new() }, "up to {second}");
        }
        let next = goes_on(&mut leads, second);
        assert_eq!(
            (next[0], next.len()),
            (second + 398, 2),
            "{next:?}: it is proven, so that another one begins"
        );
    }

    #[test]
    fn more_chains_begin_where_nobody_else_asks() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        let mut count = 0;
        while let Some((lead, _)) = leads.next(&part(2_000)).or_else(|| leads.spare(&part(2_000))) {
            leads.answered(lead, page(lead, 200), 200);
            leads.chains.iter_mut().for_each(|chain| chain.asked = true);
            count += 1;
        }
        assert_eq!(count, MOST_CHAINS);
    }

    #[test]
    fn what_was_asked_ahead_answers_the_request_that_it_overlaps() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        assert_eq!(leads.fits(), None, "the present request is not among them");
        leads.follow(&part(6_700), true);
        leads.follow(&part(6_900), true);
        assert_eq!((leads.fits(), leads.take(6_800)), (Some(6_800), None), "it is under way");
        assert!(leads.is_waited_for(6_800));
        leads.answered(6_800, page(6_800, 200), 200);
        assert_eq!(leads.take(6_800), Some(page(6_800, 200)));
    }

    #[test]
    fn a_request_of_the_pass_is_not_asked_twice() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        [6_700, 6_900].iter().for_each(|id| leads.follow(&part(*id), true));
        leads.answered(6_800, page(6_800, 200), 200);
        leads.take(6_800).unwrap();
        leads.follow(&part(7_198), true);
        assert_eq!((leads.fits(), leads.asks_next()), (None, true));
        // Where the pass has asked itself all the same, it already has the response.
        assert_eq!(asked(&mut leads)[0], 7_198);
        leads.follow(&part(7_596), true);
        assert_eq!((leads.fits(), leads.asks_next()), (None, false));
    }

    #[test]
    fn where_the_pass_has_been_a_chain_goes_on_from_there() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        leads.answered(6_800, page(6_800, 200), 200);
        [7_100, 7_500].iter().for_each(|id| leads.follow(&part(*id), true));
        assert_eq!((leads.fits(), leads.asks_next(), asked(&mut leads)[0]), (None, true, 7_500));
    }

    #[test]
    fn behind_a_large_gap_one_chain_goes_on() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        let [first, second] = goes_on(&mut leads, 6_800)[..] else { panic!("two chains") };
        leads.answered(second, page(1_000_000, 200), 200);
        assert_eq!(asked(&mut leads)[0], 1_000_398);
        leads.answered(first, page(1_000_000, 200), 200);
        assert_eq!(asked(&mut leads), Vec::<u64>::new(), "another one has begun there");
    }

    #[test]
    fn what_waits_is_bounded_but_for_what_the_pass_needs_next() {
        let mut leads = following([400, 800, 1_200, 1_600, 2_000]);
        asked(&mut leads);
        let mut large = page(6_800, 200);
        large.rows[0].data = vec![b' '; MOST_WAITING].into();
        leads.answered(6_800, large, 200);
        assert_eq!(asked(&mut leads), Vec::<u64>::new());
        [6_700, 6_900].iter().for_each(|id| leads.follow(&part(*id), true));
        leads.take(6_800).unwrap();
        leads.follow(&part(7_198), true);
        assert_eq!(asked(&mut leads), [7_198]);
    }

    #[test]
    fn the_end_is_proven_by_a_fresh_request() {
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
