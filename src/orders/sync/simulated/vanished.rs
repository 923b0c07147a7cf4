//! What may look as if an order had vanished, and what has: no living row is ever given up, in whole syncs against the model.

use super::*;

fn config(start: DateTime<Utc>, stores: &[u64], deletions: &str) -> Rc<Config> {
    let mut config = super::config(start, "updated", stores);
    config.deletions = deletions == "tombstones";
    Rc::new(config)
}

fn now() -> DateTime<Utc> {
    timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

fn month_ago() -> DateTime<Utc> {
    now() - TimeDelta::days(30)
}

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

/// An order every three hours for ten days, those with odd ids in store 1, the others in store 2.
fn world(stores: &[u64]) -> World {
    let order = |id: u64| {
        let at = now() - hours(240) + hours(3 * id.cast_signed()) - TimeDelta::minutes(30);
        Row { at, updated: Some(at), store_id: Some(1 + (id + 1) % 2), data: content(id, 0), ..row(0, id) }
    };
    let readings = Readings {
        inclusive: true,
        cut_to_seconds: false,
        unstable: false,
        first_page: 1,
        cap: 200,
        filter: Filter::Honoured,
        updates_move: true,
        wrong: 0,
    };
    let orders = (1..=80).map(order).collect();
    let api = Api { micros: false, readings, now: now(), orders, rng: fastrand::Rng::with_seed(1) };
    let config = config(month_ago(), stores, "tombstones");
    World { api, config, warehouse: Warehouse::default(), changeable: hours(1) }
}

impl World {
    /// Quiet syncs, each so many hours after the one before.
    fn syncs(&mut self, after: &[i64]) {
        for after in after {
            self.api.now += hours(*after);
            self.warehouse.said.clear();
            self.sync(QUIET).unwrap();
        }
    }

    fn warned(&self) -> bool {
        self.warehouse.said.iter().any(|(level, _)| *level == Level::Warn)
    }

    /// Takes orders out of every response.
    fn hide(&mut self, which: impl Fn(&Row) -> bool) -> Vec<Row> {
        let (hidden, rest) = std::mem::take(&mut self.api.orders).into_iter().partition(which);
        self.api.orders = rest;
        hidden
    }

    fn order(&mut self, id: u64) -> &mut Row {
        self.api.orders.iter_mut().find(|row| row.id == id).unwrap()
    }

    #[track_caller]
    fn assert_none_is_gone(&self, what: &str) {
        assert_eq!(self.warehouse.gone, [0_u64; 0], "{what}");
    }
}

#[test]
fn an_order_that_vanished_is_gone_with_the_second_look() {
    let mut world = world(&[]);
    world.syncs(&[0, 25]);
    _ = world.hide(|row| row.id == 60);
    world.syncs(&[25]);
    world.assert_none_is_gone("one look");
    world.syncs(&[2, 25, 2]);
    assert_eq!(world.warehouse.gone, [60]);
}

#[test]
fn other_stores_or_another_start_date_make_nothing_vanish() {
    for (stores, start) in [
        (&[1][..], month_ago()),
        (&[2, 1], month_ago()),
        (&[], timestamp::parse("2026-02-26T15:00:00Z").unwrap()),
    ] {
        let mut world = world(&[]);
        world.syncs(&[0]);
        world.config = config(start, stores, "tombstones");
        world.syncs(&[25, 2, 25, 2]);
        world.assert_none_is_gone(&format!("{stores:?} {start}"));
        assert!(!world.warned());
    }
}

#[test]
fn settings_that_are_changed_and_changed_back_make_nothing_vanish() {
    let mut world = world(&[1, 2]);
    world.syncs(&[0, 25]);
    for (stores, deletions, after) in [
        (&[1][..], "tombstones", 25),
        (&[1, 2], "tombstones", 2),
        (&[2, 1], "off", 25),
        (&[1, 2], "tombstones", 3),
        (&[], "tombstones", 25),
        (&[1, 2], "tombstones", 2),
    ] {
        world.config = config(month_ago(), stores, deletions);
        world.syncs(&[after]);
    }
    world.syncs(&[25, 2, 25, 2]);
    world.assert_none_is_gone("in the end");
}

#[test]
fn a_store_that_shows_no_order_for_a_while_has_not_lost_them() {
    for before in [1, 25] {
        for missed in [false, true] {
            let mut world = world(&[1, 2]);
            world.syncs(&[0, 25]);
            if missed {
                let lagging = world.hide(|row| row.id == 60);
                world.syncs(&[25]);
                world.api.orders.extend(lagging);
            }
            let hidden = world.hide(|row| row.store_id == Some(2));
            world.syncs(&[before, 2]);
            world.api.orders.extend(hidden);
            world.syncs(&[2, 25, 2, 25, 2]);
            world.assert_none_is_gone(&format!("{before} {missed}"));
            assert!(!world.warned());
        }
    }
}

#[test]
fn a_store_that_never_had_an_order_does_not_hide_what_vanished_elsewhere() {
    let mut world = world(&[1, 2, 3]);
    world.syncs(&[0, 25]);
    _ = world.hide(|row| row.id == 60);
    world.syncs(&[25, 2]);
    assert_eq!(world.warehouse.gone, [60]);
}

#[test]
fn a_draft_date_that_is_moved_makes_nothing_vanish() {
    // A date behind the end of the sync is read by none.
    for days in [-20, -1] {
        let mut world = world(&[]);
        world.syncs(&[0, 25]);
        let changed = world.api.now + hours(24);
        let order = world.order(60);
        (order.at, order.updated, order.data) =
            (now() + TimeDelta::days(days), Some(changed), content(60, 7));
        world.syncs(&[25, 2, 25, 2]);
        world.assert_none_is_gone(&format!("{days} days"));
    }
}

#[test]
fn a_version_that_is_listed_alone_has_not_vanished() {
    let mut world = world(&[]);
    world.syncs(&[0, 25]);
    let changed = world.api.now;
    let order = world.order(60);
    (order.is_latest, order.updated) = (Some(false), Some(changed));
    world.syncs(&[25, 2, 25, 2]);
    world.assert_none_is_gone("it is listed");
}

#[test]
fn an_order_that_comes_without_its_lines_has_not_lost_them() {
    let mut world = world(&[]);
    for order in &mut world.api.orders {
        order.data = format!(r#"{{"id":{},"products":[{{"id":1}},{{"id":2}}]}}"#, order.id).into();
    }
    world.syncs(&[0, 25]);
    world.order(60).data = r#"{"id":60}"#.into();
    world.syncs(&[25, 2]);
    assert_eq!(world.warehouse.gone_lines, [(0, 0); 0]);
    world.order(61).data = r#"{"id":61,"products":[{"id":2}]}"#.into();
    world.syncs(&[25, 2]);
    assert_eq!(world.warehouse.gone_lines, [(61, 1)]);
}

#[test]
fn a_second_look_that_misses_something_else_is_not_followed_by_a_third_at_once() {
    let mut world = world(&[]);
    world.syncs(&[0, 25]);
    let mut readings = 0;
    for id in 20..68 {
        _ = world.hide(|row| row.id == id);
        world.syncs(&[1]);
        readings +=
            usize::from(world.warehouse.said.iter().any(|(_, line)| line.contains("reading again from")));
    }
    assert!(readings <= 5, "{readings} in 48 hours");
    world.syncs(&[25, 2, 25, 2]);
    assert_eq!(world.warehouse.gone, (20..68).collect::<Vec<_>>());
}

#[test]
fn more_than_can_be_named_is_warned_of_whatever_came_meanwhile() {
    let busy = |first: u64, count: u64| {
        (0..count).map(move |n| {
            let at = now() - hours(100) + TimeDelta::seconds((n + first).cast_signed());
            Row { at, updated: Some(at), data: content(first + n, 0), ..row(0, first + n) }
        })
    };
    let mut world = world(&[]);
    world.api.orders.extend(busy(1_000, 90));
    world.syncs(&[0, 25]);
    _ = world.hide(|row| row.id >= 1_000);
    world.api.orders.extend(busy(2_000, 120));
    world.syncs(&[25]);
    assert!(world.warned());
}
