"""What each table has to hold, by the sandbox's own word, and how values are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox import Row, Sandbox, Stream

# Receipts of the connector: no row of the API's. They are held against the orders.
RECEIPTS = "sync_audit"

# What no record can be made of. The sandbox sends nothing of the kind.
UNREADABLE = "unreadable_rows"

# Streams whose rows the sandbox does not tell under their own name.
TOLD_AS = {"orders": "", "order_details": "", "order_versions": "", "order_line_items": "lines"}

# What the sandbox tells of a row, and the column has another name, or is an object around it; None: no column has it.
ELSEWHERE: dict[tuple[str, str], str | None] = {
    ("order_line_items", "updatedAt"): "orderUpdatedAt",
    ("order_line_items", "status"): None,
    ("order_details", "products"): "lineItems",
    ("contests", "storeId"): "contestedOrder.storeId",
    ("sessions", "bought"): None,
}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def expected(sandbox: Sandbox, stream: Stream) -> list[Row]:
    """The rows that a faithful copy holds, by the names of their columns. Not all columns are there."""
    rows = sandbox.expected(TOLD_AS.get(stream.name, stream.name))
    return [{camel(name): value for name, value in row.items()} for row in rows]


def same(stream: Stream, column: str, found: Any, told: Any, guessed: bool = False) -> bool:
    """Whether a value of a table is what a record or the sandbox says.

    `guessed`: the client took texts that look like numbers for numbers, see `Replica.guesses`.
    """
    if found is None or told is None:
        return found == told
    match stream.kind(column):
        case "date-time":
            # A column without a zone holds UTC.
            moment = found if found.tzinfo else found.replace(tzinfo=UTC)
            return moment == datetime.fromisoformat(told)
        case "number":
            # PyAirbyte's columns of numbers have nine decimals.
            return found == round(Decimal(told), 9)
        case "integer":
            return found == int(told)
        case "array" if isinstance(told, int):
            return len(found) == told
        case "string" if guessed and found != told:
            return number(found) is not None and number(found) == number(told)
        case _:
            return found == told


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def current(stream: Stream, rows: list[Row], orders: list[Row]) -> list[Row]:
    """The rows that are true of the orders as they are now: what came of an older version of an order stays."""
    if stream.name == "order_versions":
        now = {(row["id"], row["version"]) for row in orders}
        return [row for row in rows if stream.key_of(row) in now]
    if stream.name == "order_line_items":
        now = {(row["id"], row["updatedAt"]) for row in orders}
        return [row for row in rows if (row["orderId"], row["orderUpdatedAt"]) in now]
    return rows


def assert_told(stream: Stream, rows: list[Row], told: list[Row], guessed: bool = False) -> None:
    """The table has a row for each row of the truth and no other, and everything the truth has of it is right."""
    table = {tuple(str(row[name]) for name in stream.key): row for row in rows}
    assert len(table) == len(rows), "a key stands twice in the table"
    wanted = {tuple(str(row[name]) for name in stream.key): row for row in told}
    missing, more = sorted(wanted.keys() - table.keys()), sorted(table.keys() - wanted.keys())
    assert wanted and not missing and not more, f"missing {missing[:5]}, not expected {more[:5]}"
    for key, values in wanted.items():
        for name, value in values.items():
            place = ELSEWHERE.get((stream.name, name), name)
            if place is None:
                continue
            column, _, inside = place.partition(".")
            found = table[key][column]
            if stream.name == "order_details" and column == "lineItems":
                found = [line for line in found if line["status"] != "REMOVED"]
            if inside:
                right = found[inside] == value
            else:
                right = same(stream, column, found, value, guessed)
            assert right, f"{key} {place}: {found!r} in the table, {value!r} is right"


def assert_written(
    stream: Stream, rows: list[Row], records: dict[tuple, Row], guessed: bool = False
) -> None:
    """The table holds, in every column, what the connector writes without a client."""
    table = {stream.key_of(row): row for row in rows}
    assert table.keys() == records.keys() and len(table) == len(rows)
    for key, record in records.items():
        for column in stream.properties:
            found, told = table[key][column], record.get(column)
            right = same(stream, column, found, told, guessed)
            assert right, f"{key} {column}: {found!r} in the table, {told!r} was written"


def assert_receipts(receipts: list[Row], orders: list[Row]) -> None:
    """After a first sync the receipts add up to the table of the orders, to the cent."""
    assert sum(row["ordersWritten"] for row in receipts) == len(orders)
    total = sum(Decimal(row["totalPrice"]) for row in receipts)
    assert total == sum(Decimal(row["totalPrice"]) for row in orders)
