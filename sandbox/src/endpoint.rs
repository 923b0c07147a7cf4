//! What all endpoints have in common: parameters, parts of lists, how values are spelled.

pub(crate) mod paging;
pub(crate) mod params;
pub(crate) mod reply;
pub(crate) mod spelling;
