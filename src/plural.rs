//! A number of things, in words.

/// `1 order`, `2 orders`.
pub(crate) fn plural(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_one() {
        assert_eq!([0, 1, 2].map(|count| plural(count, "order")), ["0 orders", "1 order", "2 orders"]);
    }
}
