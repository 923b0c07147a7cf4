//! The lists beside the orders, a file each, and their registration.

use crate::endpoint::List;

/// Declares the modules of the lists, and [`ALL`] of them: a new list is one line. `cargo fmt` does not look into a
/// macro, so the gate names these files to it.
macro_rules! lists {
    ($($list:ident,)*) => {
        $(pub(crate) mod $list;)*

        /// Every list, as it is served.
        pub(crate) static ALL: &[&List] = &[$(&$list::LIST),*];
    };
}

lists! {
    contests,
    stores,
    sessions,
    products,
}
