//! The lines of an order: `products` in the list, `lineItems` in the detail.

use crate::endpoint::{Spelling, boolean, price, quoted};
use crate::orders::ExpectedLine;
use crate::orders::render::prices;
use crate::shop::mistyped::Mistyped;
use crate::shop::texts::{self, money, number};
use crate::shop::{Draw, Line, Row};
use crate::time;

/// Where a line stands between the versions of its order (names KNOWN).
const ORIGINAL: &str = "ORIGINAL";
const ADDED: &str = "ADDED";
const REMOVED: &str = "REMOVED";

/// A line with what its order knows of it.
pub(crate) struct Placed {
    pub(crate) line: Line,
    pub(crate) id: u64,
    pub(crate) place: u8,
    pub(crate) status: &'static str,
}

impl Row {
    /// The id of the line at a place.
    fn line_id(&self, place: u8) -> u64 {
        (self.draw(Draw::Lines) >> 20) + u64::from(place)
    }

    /// The lines of this version, then those that the first version had and this one has not.
    pub(crate) fn placed<'r>(&'r self, first: &Row) -> impl Iterator<Item = Placed> + use<'r> {
        let had = first.lines;
        self.lines_to(self.lines.max(had)).zip(0..).map(move |(line, place)| Placed {
            line,
            id: self.line_id(place),
            place,
            status: match () {
                () if place >= self.lines => REMOVED,
                () if place >= had => ADDED,
                () => ORIGINAL,
            },
        })
    }
}

impl Spelling<'_> {
    /// Appends the `products` of an order in the list.
    pub(crate) fn products(&self, out: &mut Vec<u8>, row: &Row) {
        let mistyped = self.mistyped(row);
        if mistyped == Some(Mistyped::Products) {
            out.extend_from_slice(b"null");
            return;
        }
        out.push(b'[');
        for (place, line) in (0..).zip(row.lines()) {
            if place > 0 {
                out.push(b',');
            }
            self.line(out, row, place, &line, mistyped.filter(|_| place == 0));
        }
        out.push(b']');
    }

    fn line(&self, out: &mut Vec<u8>, row: &Row, place: u8, line: &Line, mistyped: Option<Mistyped>) {
        let id = row.line_id(place);
        out.extend_from_slice(b"{\"id\":");
        self.id(out, id);
        out.extend_from_slice(b",\"productId\":");
        self.text_id(out, line.product.id());
        out.push(b',');
        out.extend_from_slice(line.product.fragment());
        price_and_weight(out, line, mistyped);
        out.extend_from_slice(b",\"createdAt\":");
        self.moment(out, row.draft);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.created);
        out.extend_from_slice(b",\"isExternallyAdded\":");
        boolean(out, id.is_multiple_of(13));
        out.extend_from_slice(b",\"orderProductExternalId\":\"line-");
        number(out, u64::from(place) + 1);
        out.push(b'"');
        quantity(out, line, mistyped);
        prices(out, line.subtotal, line.tax, None);
        tax_rates(out, line, mistyped);
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"shelf\":{\"gondola\":4,\"bin\":\"B-12\"}");
        }
        out.push(b'}');
    }

    /// A line of the detail. The prices are INFERRED from `products`.
    pub(crate) fn line_item(&self, row: &Row, placed: &Placed) -> Vec<u8> {
        let (mut out, line) = (Vec::with_capacity(900), &placed.line);
        let mistyped = self.mistyped(row).filter(|_| placed.place == 0);
        out.extend_from_slice(b"{\"id\":");
        self.id(&mut out, placed.id);
        out.extend_from_slice(b",\"productSnapshot\":");
        self.snapshot(&mut out, row, line, mistyped);
        quantity(&mut out, line, mistyped);
        out.extend_from_slice(b",\"status\":");
        quoted(&mut out, placed.status);
        out.extend_from_slice(b",\"isExternallyAdded\":");
        boolean(&mut out, placed.id.is_multiple_of(13));
        prices(&mut out, line.subtotal, line.tax, None);
        tax_rates(&mut out, line, mistyped);
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"shelf\":{\"gondola\":4,\"bin\":\"B-12\"}");
        }
        out.push(b'}');
        out
    }

    /// What the product of a line was when it was sold. The keys are those of a contest's snapshot; what `id`
    /// identifies beside `productId` is a guess: the product in its state.
    pub(crate) fn snapshot(&self, out: &mut Vec<u8>, row: &Row, line: &Line, mistyped: Option<Mistyped>) {
        out.push(b'{');
        out.extend_from_slice(line.product.fragment());
        price_and_weight(out, line, mistyped);
        out.extend_from_slice(b",\"id\":");
        self.id(out, 70_000 + line.product.id());
        out.extend_from_slice(b",\"productId\":");
        self.id(out, line.product.id());
        out.extend_from_slice(b",\"createdAt\":");
        self.moment(out, row.draft);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.draft);
        out.push(b'}');
    }

    /// The lines in the list as a copy should hold them: those of [`Spelling::products`].
    pub(crate) fn expected_lines(&self, row: &Row, first: &Row) -> impl Iterator<Item = ExpectedLine> {
        let shown = self.mistyped(row) != Some(Mistyped::Products);
        self.expected_items(row, first).filter(move |line| shown && line.status != REMOVED)
    }

    /// The lines of a detail as a copy should hold them.
    pub(crate) fn expected_items(&self, row: &Row, first: &Row) -> impl Iterator<Item = ExpectedLine> {
        row.placed(first).map(|Placed { line, id, status, .. }| ExpectedLine {
            id: id.to_string(),
            order_id: row.shown_id(self.behaviour.version_ids).to_string(),
            order_version: u32::from(row.version),
            product_id: line.product.id().to_string(),
            quantity: line.quantity,
            status,
            price: texts::amount(line.product.price()),
            subtotal_price: texts::amount(line.subtotal),
            total_tax: texts::amount(line.tax),
            total_price: texts::amount(line.subtotal + line.tax),
            updated_at: time::text(row.shown_updated(self.behaviour), self.behaviour.stamps),
        })
    }
}

fn price_and_weight(out: &mut Vec<u8>, line: &Line, mistyped: Option<Mistyped>) {
    out.extend_from_slice(b",\"price\":");
    price(out, line.product.price());
    out.extend_from_slice(b",\"weight\":");
    if mistyped == Some(Mistyped::Weight) {
        out.extend_from_slice(b"\"heavy\"");
    } else {
        money(out, line.product.grams() * 10);
    }
}

fn quantity(out: &mut Vec<u8>, line: &Line, mistyped: Option<Mistyped>) {
    out.extend_from_slice(b",\"quantity\":");
    let quote = mistyped == Some(Mistyped::Quantity);
    if quote {
        out.push(b'"');
    }
    number(out, u64::from(line.quantity));
    if quote {
        out.push(b'"');
    }
}

/// The shape is UNKNOWN; the sample of `products` is a text.
fn tax_rates(out: &mut Vec<u8>, line: &Line, mistyped: Option<Mistyped>) {
    if mistyped == Some(Mistyped::TaxRates) {
        out.extend_from_slice(b",\"taxRates\":[{\"rate\":0.07}]");
    } else {
        out.extend_from_slice(b",\"taxRates\":\"Tax breakdown: ");
        money(out, line.product.tax_permille() * 10);
        out.extend_from_slice(b" %\"");
    }
}
