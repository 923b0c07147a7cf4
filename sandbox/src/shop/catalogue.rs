//! What the stores sell.

use std::sync::LazyLock;

use crate::random::mix;

/// A product: name, category, net price in cents, tax in thousandths, grams.
struct Entry(&'static str, &'static str, u32, u32, u32);

const ENTRIES: [Entry; 20] = [
    Entry("Still water 0.5 l", "Drinks", 89, 190, 510),
    Entry("Cold brew \"No. 7\"", "Drinks", 329, 190, 250),
    Entry("Apfelschorle trüb", "Drinks", 149, 190, 1_000),
    Entry("Crème brûlée", "Dessert", 399, 70, 120),
    Entry("おにぎり 鮭", "Meals", 279, 70, 110),
    Entry("Hot dog 🌭 XL", "Meals", 459, 70, 230),
    Entry("Salad bowl \\ vegan", "Meals", 749, 70, 380),
    Entry("Sandwich\nham & cheese", "Meals", 549, 70, 210),
    Entry("Chewing gum <mint>", "Sweets", 129, 70, 14),
    Entry("Schoko-Riegel 3×", "Sweets", 219, 70, 150),
    Entry("Crisps, paprika", "Snacks", 199, 70, 175),
    Entry("Nüsse & Kerne", "Snacks", 349, 70, 200),
    Entry("Banane", "Fruit", 49, 70, 180),
    Entry("Apple / Apfel / pomme", "Fruit", 59, 70, 165),
    Entry("Kaffee ☕ to go", "Drinks", 259, 70, 300),
    Entry("Zeitung", "Press", 320, 70, 400),
    Entry("Fan scarf 🏟️", "Merchandise", 1_990, 190, 140),
    Entry("T-shirt \"Home\" M", "Merchandise", 2_990, 190, 210),
    Entry("Umbrella\ttravel size", "Merchandise", 1_499, 190, 350),
    Entry("Gift card", "Other", 1_000, 0, 5),
];

/// How many products there are. Only those of [`ENTRIES`] are sold; the others make the list longer than a page.
pub(crate) const PRODUCTS: usize = 240;

/// The part of a product's JSON that is equal in all lines: from `name` to `taxCode`, without braces.
static FRAGMENTS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| (0..PRODUCTS).map(|at| fragment(Product(at))).collect());

fn fragment(product: Product) -> Vec<u8> {
    let name = serde_json::Value::from(product.name());
    format!(
        "\"name\":{name},\"barcode\":\"{}\",\"category\":\"{}\",\"thumbnail\":\"{}\",\"sku\":\"{}\",\
         \"externalId\":\"{}\",\"taxCode\":\"T{}\"",
        product.barcode(),
        product.category(),
        product.thumbnail(),
        product.sku(),
        product.external_id(),
        product.tax_permille()
    )
    .into_bytes()
}

/// A product, by its place in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Product(pub(crate) usize);

impl Product {
    fn entry(self) -> &'static Entry {
        &ENTRIES[self.0 % ENTRIES.len()]
    }

    /// How many products of the same kind come before.
    fn variant(self) -> usize {
        self.0 / ENTRIES.len()
    }

    pub(crate) fn id(self) -> u64 {
        1_000 + self.0 as u64
    }

    pub(crate) fn name(self) -> String {
        match self.variant() {
            0 => self.entry().0.to_owned(),
            variant => format!("{} #{}", self.entry().0, variant + 1),
        }
    }

    pub(crate) fn category(self) -> &'static str {
        self.entry().1
    }

    pub(crate) fn price(self) -> u32 {
        self.entry().2 + 10 * self.variant() as u32
    }

    pub(crate) fn tax_permille(self) -> u32 {
        self.entry().3
    }

    pub(crate) fn grams(self) -> u32 {
        self.entry().4
    }

    pub(crate) fn thumbnail(self) -> String {
        format!("https://cdn.example/products/{}.png", self.0)
    }

    pub(crate) fn barcode(self) -> String {
        format!("40{:011}", self.0)
    }

    pub(crate) fn sku(self) -> String {
        format!("SKU-{:04}", self.0)
    }

    pub(crate) fn external_id(self) -> String {
        format!("ext-{}", self.0)
    }

    /// From `name` to `taxCode`, without braces.
    pub(crate) fn fragment(self) -> &'static [u8] {
        &FRAGMENTS[self.0]
    }
}

/// One line of an order.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) product: Product,
    pub(crate) quantity: u32,
    pub(crate) subtotal: u32,
    pub(crate) tax: u32,
}

impl Line {
    /// The line of an order with this seed at this place.
    pub(crate) fn new(order_seed: u64, place: u8) -> Line {
        let draw = mix(order_seed ^ (0x11E5_0000 + u64::from(place)));
        let product = Product((draw % ENTRIES.len() as u64) as usize);
        let quantity = [1, 1, 1, 1, 2, 2, 3, 4][(draw >> 32) as usize % 8];
        let subtotal = product.price() * quantity;
        Line { product, quantity, subtotal, tax: (subtotal * product.tax_permille() + 500) / 1_000 }
    }
}
