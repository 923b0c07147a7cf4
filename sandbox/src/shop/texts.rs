//! Texts of an order that are drawn from its seed, and how numbers are written.

use crate::random::below;
use crate::shop::order::{Draw, Row};

/// Writes one text of an order.
pub(crate) type Text = fn(&Row, &mut Vec<u8>);

/// One text of an order.
pub(crate) fn text(row: &Row, text: Text) -> String {
    let mut out = Vec::new();
    text(row, &mut out);
    String::from_utf8(out).expect("texts are ASCII")
}

/// The id of the shopping session, shaped like a UUID.
pub(crate) fn session_id(row: &Row, out: &mut Vec<u8>) {
    uuid(row.draw(Draw::Session), row.seed, out);
}

/// A text shaped like a UUID.
pub(crate) fn uuid(high: u64, low: u64, out: &mut Vec<u8>) {
    hex(out, high >> 32, 8);
    out.push(b'-');
    hex(out, high >> 16, 4);
    out.extend_from_slice(b"-4");
    hex(out, high, 3);
    out.extend_from_slice(b"-a");
    hex(out, low >> 48, 3);
    out.push(b'-');
    hex(out, low, 12);
}

/// Whether the retailer gave the order an id.
pub(crate) fn has_external_id(row: &Row) -> bool {
    !row.draw(Draw::ExternalId).is_multiple_of(10)
}

/// The retailer's own id of the order.
pub(crate) fn external_id(row: &Row, out: &mut Vec<u8>) {
    out.extend_from_slice(b"erp-");
    number(out, row.draw(Draw::ExternalId) >> 24);
}

/// The id of the payment.
pub(crate) fn payment_transaction_id(row: &Row, out: &mut Vec<u8>) {
    out.extend_from_slice(b"pay_");
    hex(out, row.draw(Draw::Payment), 16);
}

/// The first six digits of the card.
pub(crate) fn card_bin(row: &Row, out: &mut Vec<u8>) {
    number(out, 411_111 + u64::from(below(row.draw(Draw::Card), 50)));
}

/// The last four digits of the card.
pub(crate) fn card_last4(row: &Row, out: &mut Vec<u8>) {
    let digits = 10_000 + u64::from(below(row.draw(Draw::Card) >> 8, 10_000));
    let start = out.len();
    number(out, digits);
    out.remove(start);
}

/// When the card expires, as `MM/YY`.
pub(crate) fn card_expires(row: &Row, out: &mut Vec<u8>) {
    let draw = row.draw(Draw::Card);
    two(out, 1 + below(draw >> 16, 12));
    out.push(b'/');
    two(out, 26 + below(draw >> 24, 6));
}

/// Appends a number.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends an amount of cents with two digits behind the point.
pub(crate) fn money(out: &mut Vec<u8>, cents: u32) {
    number(out, u64::from(cents / 100));
    out.push(b'.');
    two(out, cents % 100);
}

/// An amount of cents as text.
pub(crate) fn amount(cents: u32) -> String {
    let mut out = Vec::new();
    money(&mut out, cents);
    String::from_utf8(out).expect("digits are ASCII")
}

fn two(out: &mut Vec<u8>, value: u32) {
    out.push(b'0' + (value / 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

/// Appends the lowest hexadecimal digits of a number.
fn hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place)) as usize & 15]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_amounts_are_exact() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&|out| number(out, 0)), "0");
        assert_eq!(written(&|out| number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(&|out| money(out, 5)), "0.05");
        assert_eq!(written(&|out| money(out, 123_450)), "1234.50");
    }

    #[test]
    fn texts_have_their_form() {
        for seed in 0..200 {
            let row = Row::new(seed, 1, 0, 0, 1, true);
            let session = text(&row, session_id);
            let parts: Vec<usize> = session.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{session}");
            assert_eq!(text(&row, card_bin).len(), 6);
            assert_eq!(text(&row, card_last4).len(), 4);
            assert_eq!(text(&row, card_expires).len(), 5);
        }
    }
}
