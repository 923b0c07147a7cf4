//! How far the ids of a list are from one page to the next, where they are numbers. Pure.

/// Parts of an id that distances are kept in.
const PARTS: u64 = 16;
/// The mean of about so many pages, so that it follows a list whose ids become denser.
const PAGES: u64 = 64;
/// A step is counted as this many times the mean at most: a gap between ids says little about the pages behind it.
const LARGEST_STEP: u64 = 4;
/// No step of ids that count something is as large.
const MOST: u64 = 1 << 48;
/// A guess lies before the expected id by so many mean deviations of a step, which is about what a dozen steps deviate together:
/// a chain that falls short of where the next one began asks for a page more, one that reaches over it for a part of a page.
const MARGIN: u64 = 4;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stride {
    /// How many steps were seen, up to [`PAGES`].
    seen: u64,
    /// The mean step, in parts of an id.
    mean: u64,
    /// The mean difference of a step from the mean, in parts of an id.
    deviation: u64,
}

impl Stride {
    /// From one page to the next it was so far.
    pub(super) fn observe(&mut self, step: u64) {
        let step = step.min(MOST) * PARTS;
        if self.seen == 0 {
            (self.seen, self.mean) = (1, step);
            return;
        }
        let step = step.min(self.mean * LARGEST_STEP);
        self.seen = (self.seen + 1).min(PAGES);
        let mean = |old: u64, new: u64| (old * (self.seen - 1) + new) / self.seen;
        self.deviation = mean(self.deviation, step.abs_diff(self.mean));
        self.mean = mean(self.mean, step);
    }

    /// The id behind which a page probably begins, so many pages on from `id`: rather before than behind it.
    pub(super) fn ahead(&self, id: u64, pages: u64) -> Option<u64> {
        let distance = self.mean * pages;
        let margin = (self.deviation * MARGIN).min(distance / 2);
        id.checked_add((distance - margin) / PARTS).filter(|ahead| *ahead > id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(steps: impl IntoIterator<Item = u64>) -> Stride {
        let mut stride = Stride::default();
        steps.into_iter().for_each(|step| stride.observe(step));
        stride
    }

    #[test]
    fn steps_that_are_alike_are_met_exactly() {
        assert_eq!(of([398; 5]).ahead(1_000, 8), Some(1_000 + 8 * 398));
    }

    #[test]
    fn where_steps_differ_it_is_rather_before_than_behind() {
        let steps = [340, 360, 350, 345, 355, 352, 348, 350];
        let ahead = of(steps).ahead(0, 8).unwrap();
        assert!((2_740..2_800).contains(&ahead), "{ahead}");
    }

    #[test]
    fn a_gap_counts_as_a_few_pages_and_ids_that_become_rarer_are_followed() {
        let gap = of([400, 400, 400, 1_000_000]).ahead(0, 8).unwrap();
        assert!(gap < 8 * 1_600, "{gap}");
        let rarer = of([400; 9].into_iter().chain([4_000; 200])).ahead(0, 8).unwrap();
        assert!((26_000..=32_000).contains(&rarer), "{rarer}");
    }

    #[test]
    fn it_leads_on_or_nowhere() {
        assert_eq!(Stride::default().ahead(7, 8), None);
        assert_eq!(of([1, u64::MAX, u64::MAX]).ahead(u64::MAX - 3, 8), None);
        assert!(of([u64::MAX]).ahead(0, 8).is_some());
    }
}
