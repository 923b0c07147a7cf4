//! `GET /products`: the products of the catalogue, those that lines name and more that nobody buys. Paged by `offset` and
//! `count` (50, at most 200).

use std::cmp::Ordering;

use serde::Serialize;

use crate::endpoint::{
    List, PRICE_SCALE, Problem, Recent, Reply, Request, Span, Spelling, boolean, paging, price, quoted,
    values,
};
use crate::random::mix;
use crate::settings::Options;
use crate::shop::texts::{self, money, number};
use crate::shop::{PRODUCTS, Product, Shop};
use crate::time;

/// All products.
pub(crate) static LIST: List =
    List { name: "products", rows: "products", page, detail: None, expected: |shop| values(expected(shop)) };

const MILLI: i64 = 1_000;
const DAY: i64 = 86_400_000_000;
/// Parameters that may be given more than once.
const ARRAYS: [&str; 7] = ["id", "name", "barcode", "externalId", "category", "sku", "location"];

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedProduct {
    /// `id`, as digits; the `productId` of lines.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `price`.
    pub price: String,
    /// `quantity`.
    pub quantity: u32,
    /// `createdAt`.
    pub created_at: String,
    /// `updatedAt`.
    pub updated_at: String,
}

/// A product with what is drawn for it.
#[derive(Clone, Copy, Debug)]
struct Stock {
    product: Product,
    draw: u64,
    created: i64,
    updated: i64,
}

impl Stock {
    /// Made in the four hundred days before the first order, changed at any time up to the start of the clock.
    fn new(at: usize, options: &Options) -> Stock {
        let draw = mix(mix(options.seed ^ 0x00C0_FFEE) ^ at as u64);
        let (first, now) = (options.first.timestamp_micros(), options.now.timestamp_micros());
        let within = |draw: u64, span: i64| (draw >> 1).cast_signed() % span.max(1);
        let created = (first - DAY - within(draw, 400 * DAY)) / MILLI * MILLI;
        let updated = (created + within(mix(draw), now - created)) / MILLI * MILLI;
        Stock { product: Product(at), draw, created, updated }
    }

    fn quantity(&self) -> u32 {
        (self.draw >> 8) as u32 % 500
    }

    fn invalid_thumbnail(&self) -> bool {
        (self.draw >> 24).is_multiple_of(20)
    }
}

/// What a list may be sorted by (KNOWN).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Id,
    CreatedAt,
    Name,
    Price,
    Quantity,
}

const SORTS: [(&str, Sort); 5] = [
    ("createdAt", Sort::CreatedAt),
    ("name", Sort::Name),
    ("price", Sort::Price),
    ("quantity", Sort::Quantity),
    ("id", Sort::Id),
];

impl Sort {
    fn order(self, one: &Stock, other: &Stock) -> Ordering {
        let order = match self {
            Sort::Id => Ordering::Equal,
            Sort::CreatedAt => one.created.cmp(&other.created),
            Sort::Name => one.product.name().cmp(&other.product.name()),
            Sort::Price => one.product.price().cmp(&other.product.price()),
            Sort::Quantity => one.quantity().cmp(&other.quantity()),
        };
        order.then(one.product.0.cmp(&other.product.0))
    }
}

/// A request for a page, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Query {
    offset: u64,
    count: usize,
    sort: Sort,
    descending: bool,
    created: Span,
    updated: Span,
    price: Span,
    quantity: Span,
    invalid_thumbnail: Option<bool>,
    ids: Vec<u64>,
    names: Vec<String>,
    barcodes: Vec<String>,
    external_ids: Vec<String>,
    categories: Vec<String>,
    skus: Vec<String>,
}

impl Query {
    /// Understands the pairs of a query. Rising order by default is KNOWN; that `direction` turns it is INFERRED
    /// from the other lists, and that names have to match wholly is a guess. `location` does nothing.
    fn parse(request: &Request) -> Result<Query, Vec<Problem>> {
        let mut query = Query { count: 50, ..Query::default() };
        let mut reader = request.reader();
        reader.each(request.pairs, &ARRAYS, |reader, field, value| match field {
            "offset" => query.offset = reader.number(field, value).unwrap_or(0),
            "count" => query.count = reader.size(field, value).unwrap_or(query.count),
            "sort" => query.sort = reader.choice(field, value, &SORTS).unwrap_or_default(),
            "direction" => query.descending = reader.descending(field, value),
            "minCreatedAt" | "maxCreatedAt" => reader.bound(&mut query.created, field, value),
            "minUpdatedAt" | "maxUpdatedAt" => reader.updated(&mut query.updated, field, value),
            "priceMin" | "priceMax" => reader.price(&mut query.price, field, value),
            "quantityMin" | "quantityMax" => reader.amount(&mut query.quantity, field, value),
            "invalidThumbnail" => query.invalid_thumbnail = Some(reader.boolean(field, value)),
            "id" => query.ids.extend(reader.number(field, value)),
            "name" => query.names.push(value.to_owned()),
            "barcode" => query.barcodes.push(value.to_owned()),
            "externalId" => query.external_ids.push(value.to_owned()),
            "category" => query.categories.push(value.to_owned()),
            "sku" => query.skus.push(value.to_owned()),
            "location" => {}
            _ => reader.undocumented(field),
        });
        query.count = reader.capped(query.count);
        reader.done(query)
    }

    fn wants(&self, stock: &Stock) -> bool {
        let product = stock.product;
        let any = |wanted: &[String], text: &str| wanted.is_empty() || wanted.iter().any(|one| one == text);
        self.created.has(stock.created)
            && self.updated.has(stock.updated)
            && self.price.has(i64::from(product.price()) * PRICE_SCALE)
            && self.quantity.has(i64::from(stock.quantity()))
            && self.invalid_thumbnail.is_none_or(|invalid| invalid == stock.invalid_thumbnail())
            && (self.ids.is_empty() || self.ids.contains(&product.id()))
            && any(&self.names, &product.name())
            && any(&self.barcodes, &product.barcode())
            && any(&self.external_ids, &product.external_id())
            && any(&self.categories, product.category())
            && any(&self.skus, &product.sku())
    }
}

/// A page.
fn page(request: &Request, _: &mut Recent) -> Result<Reply, Vec<Problem>> {
    let (query, spelling, options) = (Query::parse(request)?, request.spelling(), request.shop.options);
    let all = (0..PRODUCTS).map(|at| Stock::new(at, options));
    let mut list: Vec<Stock> = all.filter(|stock| query.wants(stock)).collect();
    list.sort_by(|one, other| query.sort.order(one, other));
    if query.descending {
        list.reverse();
    }
    let part = paging::part(query.offset, query.count, list.len());
    let pagination = paging::pagination(part.start, query.count, list.len());
    Ok(Reply {
        before: Vec::new(),
        rows: list[part].iter().map(|stock| spelling.product(stock, options)).collect(),
        behind: format!(",{pagination}").into_bytes(),
    })
}

/// All products as a copy should hold them.
pub(crate) fn expected(shop: &Shop) -> Vec<ExpectedProduct> {
    let options = shop.options;
    let stamps = options.behaviour.stamps;
    let all = (0..PRODUCTS).map(|at| Stock::new(at, options));
    all.map(|stock| ExpectedProduct {
        id: stock.product.id().to_string(),
        name: stock.product.name(),
        price: texts::amount(stock.product.price()),
        quantity: stock.quantity(),
        created_at: time::text(stock.created, stamps),
        updated_at: time::text(stock.updated, stamps),
    })
    .collect()
}

impl Spelling<'_> {
    /// A product. `createdAt` and `updatedAt` are INFERRED from the filters of the list.
    fn product(&self, stock: &Stock, options: &Options) -> Vec<u8> {
        let (mut out, product) = (Vec::with_capacity(1_000), stock.product);
        out.extend_from_slice(b"{\"createdAt\":");
        self.moment(&mut out, stock.created);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(&mut out, stock.updated);
        out.extend_from_slice(b",\"id\":");
        self.text_id(&mut out, product.id());
        out.extend_from_slice(b",\"productId\":");
        self.id(&mut out, product.id());
        out.push(b',');
        out.extend_from_slice(product.fragment());
        out.extend_from_slice(b",\"price\":");
        price(&mut out, product.price());
        out.extend_from_slice(b",\"invalidThumbnail\":");
        boolean(&mut out, stock.invalid_thumbnail());
        out.extend_from_slice(b",\"quantity\":");
        number(&mut out, u64::from(stock.quantity()));
        out.extend_from_slice(b",\"weight\":");
        money(&mut out, product.grams() * 10);
        out.extend_from_slice(b",\"inventoryItemId\":");
        self.id(&mut out, 30_000 + product.id());
        out.extend_from_slice(b",\"restricted\":");
        boolean(&mut out, (stock.draw >> 32).is_multiple_of(10));
        out.extend_from_slice(b",\"storePrices\":[");
        for store in 1..=u64::from(options.stores.clamp(1, 3)) {
            out.extend_from_slice(if store > 1 { b",{\"storeId\":" } else { b"{\"storeId\":" });
            self.text_id(&mut out, store);
            out.extend_from_slice(b",\"productId\":");
            self.text_id(&mut out, product.id());
            out.extend_from_slice(b",\"price\":");
            price(&mut out, product.price());
            out.extend_from_slice(b",\"createdAt\":");
            self.moment(&mut out, stock.created);
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"variants\":[{\"id\":");
        self.text_id(&mut out, 10 * product.id());
        out.extend_from_slice(b",\"name\":\"Default\",\"thumbnail\":");
        quoted(&mut out, &product.thumbnail());
        out.extend_from_slice(b"}]");
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"allergens\":[\"nuts\"]");
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests;
