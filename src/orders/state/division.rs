//! What a sync reads of a saved state and its parts, by what is configured now. Pure.

use crate::orders::api::query::Selection;
use crate::orders::state::digests::Digests;
use crate::orders::state::parts::Scope;
use crate::orders::state::saved_window::SavedWindow;
use crate::orders::state::stream_state::{Part, StreamState};
use crate::protocol::start_date;

/// Most parts of a state. What goes beyond is forgotten, the one with the earliest position first: such a partition is read from
/// the start date, if it is ever added again.
pub(super) const MOST: usize = 20;
/// Most digests of all parts of a state: 16 kB of text.
const MOST_DIGESTS: usize = 1_000;

/// What of a saved state and its parts is read again, which parts are due, and which are kept.
pub(super) fn divide(
    scope: &Scope,
    mut main: StreamState,
    parts: Vec<Part>,
) -> (StreamState, Vec<Part>, Vec<Part>) {
    let (mut fronts, mut removed): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| part.until.is_some());
    let covers_some = |state: &StreamState| scope.partitions.iter().any(|one| state.covers(one));
    // It says nothing of what is configured, but a part does: that is what the state is about from now on.
    if !covers_some(&main)
        && let Some(place) = (0..removed.len())
            .filter(|place| covers_some(&removed[*place].state))
            .max_by_key(|place| removed[*place].state.position)
    {
        let before = std::mem::replace(&mut main, removed.remove(place).state);
        keep(&mut removed, Part::removed(&before));
        fronts.clear();
    }
    let configured = scope.names();
    if main.partitions != configured {
        let is_gone = |name: &&String| !configured.contains(name);
        let gone: Vec<String> = main.partitions.iter().filter(is_gone).cloned().collect();
        if main.partitions.is_empty() || !gone.is_empty() {
            keep(&mut removed, Part::removed(&main.of_partitions(gone)));
        }
        let covered = scope.partitions.iter().filter(|one| main.covers(one));
        let covered: Vec<String> = covered.map(Selection::to_string).collect();
        main = if covered.is_empty() {
            // Of what is configured now, nothing is said yet.
            StreamState {
                unseen: scope.partitions.iter().map(Selection::to_string).collect(),
                partitions: configured,
                swept: None,
                window: None,
                recent: Digests::default(),
                ..main
            }
        } else {
            main.of_partitions(covered)
        };
    }
    if scope.partitions.iter().all(|one| !main.covers(one) || main.is_unseen(one)) {
        // What says nothing may say it from any start date on, and has nothing before it to be read apart.
        fronts.clear();
        main.start_date = Some(scope.start_date);
    }
    let mut due = fronts_of(scope, &main, fronts);
    due.append(&mut added_again(scope, &main, &mut removed));
    (main, due, bounded(removed))
}

/// The parts of partitions that were removed before and are configured again. They are taken out of `removed`.
fn added_again(scope: &Scope, main: &StreamState, removed: &mut Vec<Part>) -> Vec<Part> {
    let reaches_back = |state: &StreamState| state.start_date.is_none_or(|from| from <= scope.start_date);
    let mut again: Vec<(usize, Vec<String>)> = Vec::new();
    for one in scope.partitions.iter().filter(|one| !main.covers(one)) {
        let covering = (0..removed.len())
            .filter(|place| removed[*place].state.covers(one) && reaches_back(&removed[*place].state));
        let Some(place) = covering.max_by_key(|place| removed[*place].state.position) else { continue };
        match again.iter_mut().find(|(other, _)| *other == place) {
            Some((_, names)) => names.push(one.to_string()),
            None => again.push((place, vec![one.to_string()])),
        }
    }
    let part = |(place, names): &(usize, Vec<String>)| {
        let state = removed[*place].state.of_partitions(names.clone());
        // What is drafted before a later start date is not read, so nothing may be said of it.
        let from = start_date::next(state.start_date, scope.start_date);
        Part { state: StreamState { start_date: Some(from), ..state }, ..removed[*place].clone() }
    };
    let parts = again.iter().map(part).collect();
    let names: Vec<String> = again.into_iter().flat_map(|(_, names)| names).collect();
    forget(removed, &names);
    parts
}

/// Keeps a part. What others say of the same partitions is older.
fn keep(parts: &mut Vec<Part>, part: Option<Part>) {
    let Some(part) = part else { return };
    forget(parts, &part.state.partitions);
    parts.retain(|other| !part.state.partitions.is_empty() || !other.state.partitions.is_empty());
    parts.push(part);
}

/// Takes partitions out of the parts that name them.
fn forget(parts: &mut Vec<Part>, names: &[String]) {
    parts.retain_mut(|part| {
        let all = part.state.partitions.is_empty();
        if part.state.partitions.iter().any(|name| names.contains(name)) {
            let rest = part.state.partitions.iter().filter(|name| !names.contains(name)).cloned().collect();
            part.state = part.state.of_partitions(rest);
        }
        all || !part.state.partitions.is_empty()
    });
}

/// The parts of what lies between the start date and the one that the state speaks from, the latest first.
fn fronts_of(scope: &Scope, main: &StreamState, mut saved: Vec<Part>) -> Vec<Part> {
    let seen = |name: &&String| !main.unseen.contains(name);
    let partitions: Vec<String> = main.partitions.iter().filter(seen).cloned().collect();
    let is_moved_back = main.start_date.is_some_and(|from| from > scope.start_date);
    let says_something = !partitions.is_empty() || (main.partitions.is_empty() && main.unseen.is_empty());
    let Some(mut lowest) = main.start_date.filter(|_| is_moved_back && says_something) else {
        return Vec::new();
    };
    let mut fronts = Vec::new();
    saved.sort_by_key(|front| std::cmp::Reverse(front.until));
    for front in saved {
        let all = front.state.partitions.is_empty();
        let covers = all
            || (!partitions.is_empty()
                && partitions.iter().all(|name| front.state.partitions.contains(name)));
        let Some(from) = front.state.start_date.filter(|_| covers && front.until == Some(lowest)) else {
            continue;
        };
        lowest = from.max(scope.start_date);
        let mut state = front.state.of_partitions(partitions.clone());
        (state.start_date, state.position) = (Some(lowest), state.position.max(lowest));
        fronts.push(Part { state, ..front });
        if lowest == scope.start_date {
            return fronts;
        }
    }
    fronts.push(Part::before(lowest, scope.start_date, partitions));
    fronts
}

/// As many parts as a state has room for.
fn bounded(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by_key(|part| std::cmp::Reverse(part.state.position));
    parts.truncate(MOST);
    let mut digests = 0;
    for part in &mut parts {
        digests += part.state.recent.0.len();
        if digests > MOST_DIGESTS {
            part.state.recent = Digests::default();
        }
        digests += part.state.window.as_ref().map_or(0, SavedWindow::digests);
        if digests > MOST_DIGESTS {
            part.state.window = None;
        }
        if let Some(window) = &mut part.state.window {
            window.listing = None;
        }
    }
    parts
}
