"""Each block of SQL in the documentation is executed, and its answer is what the sandbox says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import documented
import views
from conftest import Builds, Emulated, Stage, job
from marts import SALES, Truth, moment

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(BERLIN).replace(tzinfo=None)


def plain(value: Any) -> Any:
    """A moment as the clocks show it; a float as the number that it is printed as."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return Decimal(str(value)) if isinstance(value, float) else value


def rows(answer: list[tuple]) -> list[tuple]:
    return [tuple(plain(value) for value in row) for row in answer]


def types(stage: Stage) -> list[tuple]:
    return [
        (
            order["id"],
            Decimal(order["totalPrice"]),
            berlin(order["draftCreatedAt"]),
            (order["paymentTransaction"] or {}).get("paymentStatus"),
            None,
            line["name"],
            Decimal(line["totalPrice"]),
        )
        for order in stage.truth.now.values()
        for line in order["products"]
    ]


def nothing(_: Stage) -> list[tuple]:
    return []


def orders_current(stage: Stage) -> list[tuple]:
    return [
        (order["id"], order["version"], order["status"], Decimal(order["totalPrice"]))
        for order in stage.truth.now.values()
    ]


def lines_current(stage: Stage) -> list[tuple]:
    return [
        (int(line["order_id"]), int(line["id"]), Decimal(line["quantity"]), Decimal(line["total_price"]))
        for line in stage.truth.lines
    ]


def revenue(stage: Stage) -> list[tuple]:
    sums: dict[tuple, list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0), Decimal(0)])
    for order in stage.truth.now.values():
        if order["status"] in SALES:
            values = sums[order["storeId"], berlin(order["draftCreatedAt"]).date()]
            values[0] += 1
            for at, name in enumerate(["subtotalPrice", "totalTax", "totalPrice"], 1):
                values[at] += Decimal(order[name])
    return sorted((*key, *values) for key, values in sums.items())


def corrected(stage: Stage) -> list[tuple]:
    by_id = {id: order for id, order in stage.truth.now.items()}
    found = []
    for contest in stage.truth.contests:
        order, reviewed = by_id[contest["order_id"]], contest["reviewed_total_price"]
        original = Decimal(contest["original_total_price"])
        found.append(
            (
                order["id"],
                order["storeId"],
                moment(contest["created_at"]),
                contest["status"],
                original,
                Decimal(contest["contested_total_price"]),
                reviewed and Decimal(reviewed),
                original - Decimal(reviewed) if contest["status"] == "reviewed" else None,
                Decimal(order["totalPrice"]),
                order["paymentTransaction"]["refunded"],
            )
        )
    return found


def console(stage: Stage) -> list[tuple]:
    created = {session["sessionId"]: session["createdAt"] for session in stage.truth.sessions}
    sums: dict[tuple, list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for order in stage.truth.now.values():
        if order["status"] in SALES:
            values = sums[order["storeId"], berlin(created[order["sessionId"]]).date()]
            values[0] += 1
            for line in order["products"]:
                if not line["isExternallyAdded"]:
                    values[1] += Decimal(line["quantity"])
                    values[2] += Decimal(line["totalPrice"])
    assert any(orders and not units for orders, units, _ in sums.values()), "a day whose lines were all added"
    return sorted((*key, *values) for key, values in sums.items())


def visits(stage: Stage) -> list[tuple]:
    newest = max(moment(order["draftCreatedAt"]) for order in stage.truth.now.values())
    totals = {order["sessionId"]: Decimal(order["totalPrice"]) for order in stage.truth.now.values()}
    sums: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    for session in stage.truth.sessions:
        if moment(session["customerLastExitedAt"]) <= newest:
            values = sums[session["storeId"], berlin(session["createdAt"]).date()]
            values[0] += 1
            values[1] += session["sessionId"] in totals
            values[2] += totals.get(session["sessionId"], 0) > 0
    return sorted(
        (*key, every, ordered, every - ordered, bought, round(Decimal(bought) / every, 4))
        for key, (every, ordered, bought) in sums.items()
    )


def best_sellers(stage: Stage) -> list[tuple]:
    sums: dict[tuple, list[Any]] = defaultdict(lambda: [Decimal(0), set(), Decimal(0), ""])
    for order in stage.truth.now.values():
        if order["status"] not in SALES:
            continue
        for line in order["products"]:
            values = sums[order["storeId"], line["productId"]]
            values[0] += Decimal(line["quantity"])
            values[1].add(order["id"])
            values[2] += Decimal(line["totalPrice"])
            values[3] = line["category"]
    found = []
    for store in sorted({store for store, _ in sums}):
        of = [(product, *values) for (at, product), values in sums.items() if at == store]
        of.sort(key=lambda row: (-row[1], row[0]))
        found += [
            (store, product, stage.truth.names[product], category, units, len(ids), total)
            for product, units, ids, total, category in of[:20]
        ]
    return found


def receipts(stage: Stage) -> list[tuple]:
    totals = sum(Decimal(order["totalPrice"]) for order in stage.truth.now.values())
    return [(len(stage.truth.now), len(stage.truth.now), totals, totals)]


def one_day(stage: Stage) -> list[tuple]:
    counted = [
        order
        for order in stage.truth.now.values()
        if order["storeId"] == 1 and berlin(order["draftCreatedAt"]).date() == date(2025, 11, 10)
    ]
    assert counted
    return [(len(counted),)]


@pytest.fixture(scope="module")
def answers(emulated: Emulated) -> dict[tuple, list[tuple]]:
    """The answer to each block, the views made on the way; of a view, what is in it."""
    kind = emulated.emulator.kind
    asked = [block for page in ("sql", "console") for block in documented.blocks(page, kind)]
    statements: list[Any] = list(emulated.emulator.prepare)
    for block in asked:
        statements.append(block.sql)
        if view := re.match(r"-- \w+\ncreate or replace view (\S+)", block.sql):
            statements[-1:] = [block.sql, f"select {VIEWS[view[1].removeprefix('aifi.')]} from {view[1]}"]
    told = emulated.emulator.run(statements)[len(emulated.emulator.prepare) :]
    found = {}
    for block in asked:
        if "create or replace view" in block.sql:
            told.pop(0)
        found[block.name] = rows(told.pop(0))
    for block, answer in zip(documented.blocks("completeness", kind), emulated.receipts):
        found[block.name] = rows(answer)
    return found


# What is looked at of the views. The names are folded to capitals in Snowflake, and have any case in BigQuery.
VIEWS = {
    "orders_current": "id, version, status, cast(totalPrice as numeric(38, 4))",
    "order_line_items_current": "orderId, id, quantity, cast(totalPrice as numeric(38, 4))",
}

# What is right: by page, heading and number; true where the rows are sorted.
RIGHT: dict[tuple[str, str, int], tuple[Callable[[Stage], list[tuple]], bool]] = {
    ("sql", "Types, and how to read them", 0): (types, False),
    ("sql", "Types, and how to read them", 1): (nothing, False),
    ("sql", "Orders, one current row each", 0): (orders_current, False),
    ("sql", "Line items of the current version", 0): (lines_current, False),
    ("sql", "Revenue per store and day", 0): (revenue, True),
    ("sql", "Corrected orders", 0): (corrected, False),
    ("sql", "Counted as in the AiFi Console", 0): (console, True),
    ("sql", "Visits without a purchase", 0): (visits, True),
    ("sql", "Best-selling products", 0): (best_sellers, True),
    ("sql", "Orders whose lines do not add up to their total", 0): (nothing, False),
    ("completeness", "Check it yourself", 0): (receipts, False),
    ("completeness", "Check it yourself", 1): (nothing, False),
    ("console", "A comparison that ends in equal numbers", 0): (one_day, False),
}


@pytest.mark.parametrize("dialect", documented.DIALECTS.values())
def test_every_block_has_its_right_answer_here(dialect: str) -> None:
    found = {block.name for page in documented.PAGES for block in documented.blocks(page, dialect)}
    assert found == RIGHT.keys()


def test_no_other_page_has_sql() -> None:
    others = [page for page in documented.DOCS.glob("*.md") if page.stem not in documented.PAGES]
    with_sql = {page.stem for page in others if documented.FENCE.search(page.read_text())}
    # On the package's models: below. On tables written by hand: in test_by_hand.py.
    assert with_sql == {"dbt", "push-or-pull"}


@pytest.mark.parametrize("name", RIGHT, ids=lambda name: f"{name[0]}, {name[1]}, {name[2]}")
def test_a_block_answers_what_is_right(emulated: Emulated, answers: dict, name: tuple) -> None:
    right, ordered = RIGHT[name]
    stage = emulated.built.first if name[0] == "completeness" else emulated.built.second
    wanted, found = rows(right(stage)), answers[name]
    if ordered:
        assert found == wanted
    else:
        assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_the_joins_of_the_model_find_their_rows(emulated: Emulated) -> None:
    """Counted here by comparing each value with each, as texts."""
    raw = emulated.built.second.raw
    wanted = []
    for join in documented.joins("bigquery"):
        tables = {place.split()[1]: place.split()[0] for place in (join.left, join.right)}
        left, right = (
            [str(row[field]) for row in raw[tables[alias]]]
            for alias, field in re.findall(r"(\w)\.(\w+)", join.condition)
        )
        wanted.append((join.left, join.right, sum(right.count(value) for value in left if value != "None")))
    joins, prepare = documented.joins(emulated.emulator.kind), emulated.emulator.prepare
    told = emulated.emulator.run([*prepare, *(join.sql() for join in joins)])[len(prepare) :]
    found = [(join.left, join.right, answer[0][0]) for join, answer in zip(joins, told, strict=True)]
    assert found == wanted
    assert len(found) == 10 and all(count > 0 for *_, count in found)


def first_query(truth: Truth) -> list[tuple]:
    found = [(*key, values[0], values[-1]) for key, values in truth.daily_store_sales().items()]
    return sorted(found, key=lambda row: (row[1], row[0]))


def second_query(truth: Truth) -> list[tuple]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for store, _, _, complete, _, bought, _ in truth.visits().values():
        sums[store][0] += complete
        sums[store][1] += bought and complete
    return sorted((store, *values) for store, values in sums.items())


@pytest.mark.parametrize("kind", ["duckdb", "postgres", *documented.DIALECTS.values()])
def test_the_first_queries_on_the_models_answer_what_is_right(builds: Builds, kind: str) -> None:
    built = builds[kind].result()
    if isinstance(built, Emulated):
        built = built.built
    queries = documented.shared()
    for query, right in zip(queries, [first_query, second_query], strict=True):
        assert rows(built.database.query(query)) == rows(right(built.second.truth)), query


def views_of(dialect: str) -> Callable[[Builds, Path], dict[str, str]]:
    def compiled(builds: Builds, folder: Path) -> dict[str, str]:
        """All of them at once, since dbt takes long to start."""
        of: Emulated = builds[dialect].result()
        dbt = of.built.dbt.project.dbt(folder, dialect, of.emulator.python, **of.built.database.place)
        templates = views.templates(dialect)
        made = dbt.compiled("\n-- next\n".join(templates.values())).split("-- next\n")
        return dict(zip(templates, made, strict=True))

    return compiled


for dialect in documented.DIALECTS.values():
    job(f"views of {dialect}")(views_of(dialect))


@pytest.mark.parametrize("dialect", documented.DIALECTS.values())
def test_the_views_are_made_of_what_the_models_are_made_of(builds: Builds, dialect: str) -> None:
    written = {block.heading: block.sql for block in documented.blocks("sql", dialect)}
    for heading, compiled in builds[f"views of {dialect}"].result().items():
        made = compiled.replace("dataset.", "aifi.").rstrip(";\n ")
        assert written[heading].partition("\n")[2] == made, "paste this into docs/sql.md"


def test_a_line_that_is_missing_is_told_of(emulated: Emulated) -> None:
    """The answers depend on the rows: without one line, its order does not add up."""
    emulator = emulated.emulator
    lines = emulated.built.second.truth.lines
    line = next(line for line in lines if line["order_version"] == 1)
    place = f"orderId = {line['order_id']} and id = {line['id']}"
    table = emulator.table("order_line_items")
    query = documented.blocks("sql", emulator.kind)[-1].sql
    keep, drop = f"create table aifi.kept as select * from {table} where {place}", f"delete from {table} where {place}"
    *_, told, _, again = emulator.run(
        [*emulator.prepare, keep, drop, query, f"insert into {table} select * from aifi.kept", query]
    )
    assert [str(row[0]) for row in told] == [line["order_id"]]
    assert again == []
