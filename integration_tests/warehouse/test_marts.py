"""Every mart holds what the sandbox says, to the cent: built in full, and incrementally after changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import marts
import unreadable
import warehouse
from conftest import EMULATORS, TOLD, Builds, Built, Emulated, MartRows, copied, job, schemas


@pytest.mark.parametrize("mart", marts.COLUMNS)
@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_mart_is_right(built: Built, mart: str, stage: str) -> None:
    at = getattr(built, stage)
    marts.assert_right(at.truth, mart, at.rows[mart])


@pytest.mark.parametrize("mart", marts.COLUMNS)
@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_mart_is_right_in_an_emulator(emulated: Emulated, mart: str, stage: str) -> None:
    at = getattr(emulated.built, stage)
    marts.assert_right(at.truth, mart, at.rows[mart])


@pytest.mark.parametrize("mart", marts.COLUMNS)
def test_the_changes_are_seen_in_it(built: Built, mart: str) -> None:
    first, second = built.first.rows[mart], built.second.rows[mart]
    assert marts.found(mart, first) != marts.found(mart, second)


@pytest.mark.parametrize("mart", marts.COLUMNS)
@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_mart_is_right_where_versions_have_ids_of_their_own(builds: Builds, mart: str, stage: str) -> None:
    """AiFi does not document whether a newer version of an order keeps its id."""
    at = getattr(builds["new_ids"].result(), stage)
    marts.assert_right(at.truth, mart, at.rows[mart])


@job("mixed case")
def mixed_case(builds: Builds, folder: Path) -> tuple[marts.Truth, MartRows]:
    built: Built = builds["postgres"].result()
    built.database.query("create schema mixed")
    for stream, columns in schemas().items():
        selected = ", ".join(f'"{name.lower()}" as "{name}"' for name in columns)
        built.database.query(f"create view mixed.{stream} as select {selected} from aifi.{stream}")
    dbt = built.dbt.project.dbt(folder, "postgres", schema="kept", **built.database.place)
    dbt("build", "--exclude-resource-type", "test", aifi_schema="mixed", aifi_keeps_names=True)
    return built.second.truth, {mart: built.database.query(marts.select(mart, "kept_aifi")) for mart in marts.COLUMNS}


def test_names_may_be_kept_in_mixed_case(builds: Builds) -> None:
    """As Airbyte's destination for PostgreSQL may have them, where PyAirbyte lower-cases them."""
    truth, rows = builds["mixed case"].result()
    for mart in marts.COLUMNS:
        marts.assert_right(truth, mart, rows[mart])


@pytest.mark.parametrize("kind", ["duckdb", "postgres", *EMULATORS])
def test_rows_that_cannot_be_read_are_there_as_they_were_sent(builds: Builds, kind: str) -> None:
    """From the API, through the connector. dbt warns of them."""
    built = builds[kind].result()
    if isinstance(built, Emulated):
        built = built.built
    rows = built.database.query(
        "select stream, reason, request, previous_id, raw_item, unreadable_row_id"
        f" from {warehouse.STAGING_SCHEMA}.stg_aifi__unreadable_rows"
    )
    assert {reason: json.loads(raw) for _, reason, _, _, raw, _ in rows} == unreadable.ITEMS
    assert len(rows) == len(unreadable.ITEMS) == len({key for *_, key in rows})
    for stream, _, request, previous, *_ in rows:
        assert (stream, previous) == ("stores", "5") and request.startswith("GET /stores")
    assert "every_row_can_be_read" in warehouse.names(built.results, "warn")


OPT_IN = ["order_details", "unreadable_rows"]
# All but the two that the package cannot do without.
OPTIONAL = [stream for stream in schemas() if stream not in ("orders", "order_line_items")]


def built_without(streams: list[str]) -> Callable[[Builds, Path], tuple[marts.Truth, MartRows]]:
    def build(builds: Builds, folder: Path) -> tuple[marts.Truth, MartRows]:
        built: Built = builds["duckdb"].result()
        database, dbt = copied(built, folder)
        for schema in ("analytics", warehouse.MARTS_SCHEMA, warehouse.STAGING_SCHEMA):
            database.query(f"drop schema {schema} cascade")
        for stream in streams:
            database.query(f"drop table aifi.{stream}")
        variables = {f"aifi_using_{stream}": False for stream in streams}
        dbt("build", **variables)
        dbt("docs", "generate", **variables)
        tables = database.query(
            f"select table_name from information_schema.tables where table_schema = '{warehouse.MARTS_SCHEMA}'"
        )
        there = {name for (name,) in tables}
        return built.second.truth, {mart: database.query(marts.select(mart, warehouse.MARTS_SCHEMA)) for mart in there}

    return build


for streams in (OPT_IN, OPTIONAL):
    job(f"without {' '.join(streams)}")(built_without(streams))


@pytest.mark.parametrize("missing", [OPT_IN, OPTIONAL], ids=["opt-in", "all that are optional"])
def test_it_builds_without_the_tables_of_streams_that_are_not_synced(builds: Builds, missing: list[str]) -> None:
    truth, rows = builds[f"without {' '.join(missing)}"].result()
    wanted = {"orders_current", "order_lines_current", "daily_store_sales", "product_sales"}
    assert rows.keys() == (set(marts.COLUMNS) if missing is OPT_IN else wanted)
    for mart in rows:
        # Without the catalogue, products have the names that they were sold under.
        if (mart, missing) != ("product_sales", OPTIONAL):
            marts.assert_right(truth, mart, rows[mart])


@job("undated")
def undated(builds: Builds, folder: Path) -> tuple[list[str], list[str]]:
    database, dbt = copied(builds["duckdb"].result(), folder)
    newest = "(select max(id) from aifi.orders where status = 'paid')"
    database.query(
        "insert into aifi.orders select * replace (7 as id, 'alone' as sessionid, null as draftcreatedat)"
        f" from aifi.orders where id = {newest}"
    )
    receipts = [path.stem for path in sorted((warehouse.PACKAGE / "tests").glob("receipts_*.sql"))]
    return receipts, warehouse.names(dbt("test", "--select", *receipts), "pass")


def test_an_order_without_a_date_counts_in_no_receipt(builds: Builds) -> None:
    """A receipt is of a range of dates: what has none must not look like a row too many."""
    receipts, passed = builds["undated"].result()
    assert passed == receipts and len(receipts) == 4


def test_every_column_of_every_model_is_described(built: Built) -> None:
    """And no description is of a column that is not there."""
    manifest = json.loads((built.dbt.folder / "target" / "manifest.json").read_text())
    for node in warehouse.models(manifest):
        there = built.database.query(
            "select column_name from information_schema.columns"
            f" where table_schema = '{node['schema']}' and table_name = '{node['name']}'"
        )
        described = {name for name, column in node["columns"].items() if column["description"].strip()}
        assert {name for (name,) in there} == described, node["name"]


def test_a_model_of_the_same_name_in_the_project_changes_nothing(built: Built) -> None:
    """The project has an `orders_current` of its own."""
    manifest = json.loads((built.dbt.folder / "target" / "manifest.json").read_text())
    own = {node["unique_id"]: node.get("depends_on", {}).get("nodes", []) for node in manifest["nodes"].values()}
    assert own["model.retailer.orders_current"] == ["model.aifi.orders_current"]
    mixed_up = {name for name, of in own.items() if "model.retailer.orders_current" in of}
    assert not mixed_up
    [(count, note)] = built.database.query("select count(*), max(note) from analytics.orders_current")
    assert (count, note) == (len(built.second.rows["orders_current"]), "of the retailer")


def test_freshness_is_what_the_project_says(built: Built) -> None:
    manifest = json.loads((built.dbt.folder / "target" / "manifest.json").read_text())
    told = {source["name"]: source["freshness"] for source in manifest["sources"].values()}
    assert told["orders"]["warn_after"] == {"count": 10, "period": "day"} and not told["orders"]["error_after"]
    assert told["sync_audit"]["error_after"] == {"count": 50, "period": "hour"}


@job("freshness")
def freshness(builds: Builds, folder: Path) -> None:
    _, dbt = copied(builds["duckdb"].result(), folder)
    dbt("source", "freshness")
    of: Built = builds["postgres"].result()
    of.dbt.project.dbt(folder / "postgres", "postgres", **of.database.place)("source", "freshness")


def test_the_sources_are_fresh(builds: Builds) -> None:
    builds["freshness"].result()


# What is taken out of a table, and the tests that tell of it.
TAKEN: dict[str, tuple[str, set[str]]] = {
    "orders": (
        "id = (select min(id) from aifi.orders where status = 'paid')",
        {"relationships_stg_aifi__order_line_items_order_id", "receipts_are_in_the_table"},
    ),
    "order_line_items": (
        "orderid = (select max(id) from aifi.orders where status = 'reviewed')",
        {"orders_are_the_sum_of_their_lines"},
    ),
    "order_versions": (
        "id = (select max(id) from aifi.orders where version = 1 and status = 'unpaid')",
        {"each_order_is_in_the_history", "relationships_stg_aifi__orders_order_id__order_id__ref_stg_aifi__order_versions"},
    ),
    "order_details": (
        "id = (select max(id) from aifi.orders where version = 1 and status = 'unpaid')",
        {"relationships_stg_aifi__orders_order_id__order_id__ref_stg_aifi__order_details"},
    ),
    "contests": (
        "id = (select max(id) from aifi.contests)",
        {"corrected_orders_have_a_contest"},
    ),
    "stores": ("id = '2'", {"relationships_stg_aifi__orders_store_id"}),
    "sessions": (
        "sessionid = (select max(sessionid) from aifi.orders)",
        {"relationships_stg_aifi__orders_session_id"},
    ),
    "products": (
        "id = (select max(productid) from aifi.order_line_items)",
        {"relationships_stg_aifi__order_line_items_product_id"},
    ),
    "sync_audit": (
        "slice = 1 and startedat = (select max(startedat) from aifi.sync_audit)",
        {"receipts_are_all_there"},
    ),
}


@job("taken out")
def taken_out(builds: Builds, folder: Path) -> list[str]:
    """The tests are the same in each warehouse; a file is the easiest to copy."""
    database, dbt = copied(builds["duckdb"].result(), folder)
    for table, (row, _) in TAKEN.items():
        before = database.query(f"select count(*) from aifi.{table}")[0][0]
        database.query(f"delete from aifi.{table} where {row}")
        assert database.query(f"select count(*) from aifi.{table}")[0][0] < before, table
    dbt("run", "--full-refresh", "--select", "config.materialized:incremental")
    return warehouse.names(dbt("test", fails=True), "fail")


def test_a_row_that_is_taken_out_is_told_of(builds: Builds) -> None:
    failed = builds["taken out"].result()
    TOLD.extend(["", f"duckdb, a row taken out of each table: {len(failed)} tests of dbt failed"])
    TOLD.extend(f"  {name}" for name in failed)
    for table, (_, tests) in TAKEN.items():
        for test in tests:
            assert any(name.startswith(test) for name in failed), f"{table}: {test} did not fail"
    passed = warehouse.names(builds["duckdb"].result().results, "pass")
    assert set(failed) <= set(passed), "each of them passes where nothing is taken out"
