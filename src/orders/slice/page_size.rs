//! How many orders a page is asked for, where pages may be too large to be read. Pure.

use crate::orders::api::query::PAGE_SIZE;

/// After so many pages in a row that fit, a page twice as large is tried; after each that did not fit, twice as many.
const FITTING: u32 = 8;
/// Most pages that have to fit before a larger one is tried.
const MOST_FITTING: u32 = 1_024;

/// The most orders that a page is asked for.
#[derive(Debug)]
pub(crate) struct PageSize {
    most: usize,
    fitting: u32,
    needed: u32,
}

impl Default for PageSize {
    fn default() -> Self {
        Self { most: PAGE_SIZE, fitting: 0, needed: FITTING }
    }
}

impl PageSize {
    /// The most orders to ask for.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A page of `size` orders was too large: from now on at most half as many are asked for. False where `size` is the
    /// `fewest` that bring the reader on, so that a single order is too large.
    pub(crate) fn too_large(&mut self, size: usize, fewest: usize) -> bool {
        if size <= fewest {
            return false;
        }
        // Pages that were asked for at the same time say the same.
        let half = (size / 2).max(fewest);
        if half < self.most {
            self.most = half;
            self.needed = (self.needed * 2).min(MOST_FITTING);
        }
        self.fitting = 0;
        true
    }

    /// A page was read. Whether from now on larger ones are asked for.
    pub(crate) fn fits(&mut self) -> bool {
        if self.most >= PAGE_SIZE {
            return false;
        }
        self.fitting += 1;
        if self.fitting < self.needed {
            return false;
        }
        self.fitting = 0;
        self.most = (self.most * 2).min(PAGE_SIZE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_asked_for_in_halves_down_to_what_brings_the_reader_on() {
        let mut size = PageSize::default();
        let mut sizes = Vec::new();
        while size.too_large(size.most(), 2) {
            sizes.push(size.most());
        }
        assert_eq!(sizes, [100, 50, 25, 12, 6, 3, 2]);
    }

    #[test]
    fn larger_pages_are_tried_again_less_and_less_often() {
        let mut size = PageSize::default();
        let mut tries = Vec::new();
        for _ in 0..3 {
            assert!(size.too_large(200, 2));
            tries.push((1..).find(|_| size.fits()).unwrap());
            assert_eq!(size.most(), PAGE_SIZE);
        }
        assert_eq!(tries, [16, 32, 64]);
    }

    #[test]
    fn pages_that_were_under_way_together_halve_once() {
        let mut size = PageSize::default();
        for _ in 0..10 {
            assert!(size.too_large(200, 2));
        }
        assert_eq!((size.most(), size.needed), (100, 2 * FITTING));
    }
}
