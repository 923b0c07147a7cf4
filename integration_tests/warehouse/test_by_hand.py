"""Exact amounts, days on which the clocks change, late corrections, rows appended twice: on each of the four warehouses."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

import by_hand
import documented
import marts
from by_hand import CLOCKS, FINE_MONEY, MONEY
from conftest import ByHand

STAGES = ["first", "second"]
ZONES = marts.ZONES | {by_hand.SANTIAGO: "America/Santiago"}


def test_the_days_by_hand_are_those_of_the_time_zones() -> None:
    for store, moment, day in CLOCKS:
        local = marts.datetime.fromisoformat(moment).astimezone(ZoneInfo(ZONES[store]))
        assert local.date() == date.fromisoformat(day), moment
    shifts = {(store, day) for store, _, day in CLOCKS}
    assert len(shifts) > 10


def test_floats_would_be_told_of() -> None:
    for amounts, total in (MONEY | FINE_MONEY).values():
        assert sum(map(Decimal, amounts)) == Decimal(total)
    wrong = [total for amounts, total in MONEY.values() if sum(map(float, amounts)) != float(total)]
    assert wrong, "there is a sum that floats get wrong"


@pytest.mark.parametrize("stage", STAGES)
def test_sales_are_exact_and_on_the_right_day(written_by_hand: ByHand, stage: str) -> None:
    found = marts.found("daily_store_sales", getattr(written_by_hand, stage)["daily_store_sales"])
    assert found == written_by_hand.made.daily_store_sales(later=stage == "second")


@pytest.mark.parametrize("stage", STAGES)
def test_corrections_are_what_was_made_of_an_order(written_by_hand: ByHand, stage: str) -> None:
    found = marts.found("order_corrections", getattr(written_by_hand, stage)["order_corrections"])
    assert found == written_by_hand.made.order_corrections(later=stage == "second")


def test_a_late_review_lowers_the_day_of_the_sale(written_by_hand: ByHand) -> None:
    """And a payment that has failed after all takes the only sale of a day away."""
    day, other = ("1", date(2025, 2, 3)), ("1", date(2025, 2, 4))
    first, second = (
        marts.found("daily_store_sales", of["daily_store_sales"])
        for of in (written_by_hand.first, written_by_hand.second)
    )
    assert [first[day][-1], second[day][-1]] == [Decimal("30.00"), Decimal("19.50")]
    assert other in first and other not in second


@pytest.mark.parametrize("stage", STAGES)
def test_rows_that_came_twice_count_once(written_by_hand: ByHand, stage: str) -> None:
    for mart, count in written_by_hand.made.counts(later=stage == "second").items():
        assert len(marts.found(mart, getattr(written_by_hand, stage)[mart])) == count, mart


def test_an_older_version_that_is_read_again_does_not_come_back(written_by_hand: ByHand) -> None:
    rows = marts.found("orders_current", written_by_hand.second["orders_current"])
    made = written_by_hand.made
    now = {values[0]: (values[1], values[2], values[4]) for values in rows.values()}
    assert now[made.corrected] == (3, "reviewed", Decimal("12.00"))
    assert now[made.reviewed_higher] == (2, "reviewed", Decimal("7.50"))
    assert now[made.failed] == (1, "unpaid", Decimal("5.00"))
    lines = marts.found("order_lines_current", written_by_hand.second["order_lines_current"])
    assert {key: values[-1] for key, values in lines.items() if key[0] == made.corrected} == {
        (made.corrected, 1): Decimal("12.00")
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_day_whose_lines_were_all_added_has_sales_and_no_revenue(written_by_hand: ByHand, stage: str) -> None:
    """On the day before the sale, when the visit began."""
    found = marts.found("aifi_console_metrics", getattr(written_by_hand, stage)["aifi_console_metrics"])
    assert found["2", date(2025, 5, 1)] == (1, Decimal(0), Decimal(0))
    assert ("2", date(2025, 5, 2)) not in found


@pytest.mark.parametrize("stage", STAGES)
def test_orders_and_events_that_contradict_each_other_are_named(written_by_hand: ByHand, stage: str) -> None:
    """Once they have had the time to arrive; what agrees is not."""
    found = marts.found("checkout_reconciliation", getattr(written_by_hand, stage)["checkout_reconciliation"])
    assert found == written_by_hand.made.checkout_reconciliation(later=stage == "second")


NAMES = {"duckdb": "DuckDB", "postgres": "PostgreSQL", "snowflake": "Snowflake", "bigquery": "BigQuery"}


def test_the_query_of_the_documentation_names_what_the_model_names(written_by_hand: ByHand) -> None:
    sql = documented.findings(NAMES[written_by_hand.kind]).replace("dataset.", "")
    tables = r"\b(from|join) (orders|checkout_events)\b"
    [found] = written_by_hand.query([re.sub(tables, rf"\1 {by_hand.SCHEMA}.\2", sql)])
    right = written_by_hand.made.checkout_reconciliation(later=True)
    wanted = {(finding, values[0]) for (finding, _), values in right.items() if finding.endswith(("_event", "_order"))}
    assert {(finding, order) for finding, order, *_ in found} == wanted
    assert len(wanted) == 4


@pytest.mark.parametrize("stage", STAGES)
def test_amounts_are_decimals(written_by_hand: ByHand, stage: str) -> None:
    columns = {"revenue", "total_price", "net_revenue", "tax", "original_total_price", "refunded", "units"}
    seen = 0
    for mart, rows in getattr(written_by_hand, stage).items():
        key, values = (marts.COLUMNS | marts.BY_HAND)[mart]
        places = [at for at, name in enumerate([*key, *values]) if name in columns]
        for row in rows:
            for at in places:
                assert row[at] is None or isinstance(row[at], Decimal), (mart, row[at])
                seen += 1
    assert seen > 100


# What the warehouse says of the columns of money. BigQuery's numeric has nine decimals.
DECLARED = {
    "duckdb": ("data_type", {("DECIMAL(38,9)",)}),
    "postgres": ("data_type", {("numeric",)}),
    "snowflake": ("data_type, numeric_precision, numeric_scale", {("NUMBER", 38, 9)}),
    "bigquery": ("data_type", {("NUMERIC",)}),
}


def test_money_is_declared_as_an_exact_decimal(written_by_hand: ByHand) -> None:
    asked, declared = DECLARED[written_by_hand.kind]
    own = "" if written_by_hand.kind != "bigquery" else f"{by_hand.MARTS_SCHEMA}."
    [found] = written_by_hand.query(
        [
            f"select distinct {asked} from {own}INFORMATION_SCHEMA.COLUMNS"
            f" where lower(table_schema) = '{by_hand.MARTS_SCHEMA}'"
            " and lower(column_name) in ('revenue', 'total_price', 'net_revenue', 'tax', 'refunded', 'price')"
        ]
    )
    assert set(found) == declared
