"""Every mart holds what the sandbox says, to the cent: built in full, and incrementally after changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import marts
import warehouse
from conftest import TOLD, Builds, Built, Emulated, schemas


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


def test_names_may_be_kept_in_mixed_case(builds: Builds, tmp_path: Path) -> None:
    """As Airbyte's destination for PostgreSQL may have them, where PyAirbyte lower-cases them."""
    if "postgres" not in builds:
        pytest.skip("PostgreSQL is not installed")
    built = builds["postgres"].result()
    built.database.query("create schema mixed")
    for stream, columns in schemas().items():
        selected = ", ".join(f'"{name.lower()}" as "{name}"' for name in columns)
        built.database.query(f"create view mixed.{stream} as select {selected} from aifi.{stream}")
    dbt = built.dbt.project.dbt(tmp_path, "postgres", schema="kept", **built.database.place)
    dbt("build", "--exclude-resource-type", "test", aifi_schema="mixed", aifi_keeps_names=True)
    for mart in marts.COLUMNS:
        rows = built.database.query(marts.select(mart, "kept_aifi"))
        marts.assert_right(built.second.truth, mart, rows)


def test_every_column_of_every_model_is_described(built: Built) -> None:
    """And no description is of a column that is not there."""
    manifest = json.loads((built.dbt.folder / "target" / "manifest.json").read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        there = built.database.query(
            "select column_name from information_schema.columns"
            f" where table_schema = '{node['schema']}' and table_name = '{node['name']}'"
        )
        described = {name for name, column in node["columns"].items() if column["description"].strip()}
        assert {name for (name,) in there} == described, node["name"]


def test_the_sources_are_fresh(built: Built) -> None:
    built.dbt("source", "freshness")


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


def test_a_row_that_is_taken_out_is_told_of(built: Built, tmp_path: Path) -> None:
    if built.database.kind != "duckdb":
        pytest.skip("the tests are the same in each warehouse; a file is the easiest to copy")
    database, dbt = built.database, built.dbt
    whole = shutil.copy(database.airbyte, tmp_path)
    try:
        for table, (row, _) in TAKEN.items():
            before = database.query(f"select count(*) from aifi.{table}")[0][0]
            database.query(f"delete from aifi.{table} where {row}")
            assert database.query(f"select count(*) from aifi.{table}")[0][0] < before, table
        dbt("run", "--full-refresh", "--select", "config.materialized:incremental")
        failed = warehouse.names(dbt("test", fails=True), "fail")
    finally:
        shutil.copy(whole, database.airbyte)
    TOLD.append(f"a row taken out of each table: {len(failed)} tests failed: {', '.join(failed)}")
    for table, (_, tests) in TAKEN.items():
        for test in tests:
            assert any(name.startswith(test) for name in failed), f"{table}: {test} did not fail"
    passed = warehouse.names(built.results, "pass")
    assert set(failed) <= set(passed), "each of them passes where nothing is taken out"
