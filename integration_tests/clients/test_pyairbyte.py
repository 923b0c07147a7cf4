"""PyAirbyte drives the binary and keeps a database: what it holds is what the API has."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas
import pytest
from airbyte.exceptions import (
    AirbyteConnectorCheckFailedError,
    AirbyteConnectorFailedError,
    AirbyteConnectorValidationFailedError,
)

import interrupted
from conftest import Databases, Large
from replica import Replica, source
from sandbox import Row, Sandbox, Stream, discover, run, written
from truth import (
    RECEIPTS,
    TOLD_AS,
    UNREADABLE,
    assert_receipts,
    assert_told,
    assert_written,
    current,
    expected,
)

# As the connector has them today: a new stream is tested without a change here.
with tempfile.TemporaryDirectory() as folder:
    STREAMS = list(discover(Path(folder)))
FROM_THE_API = [name for name in STREAMS if name not in (RECEIPTS, UNREADABLE)]


@dataclass
class Stage:
    """The tables after a sync, and what was true then."""

    tables: dict[str, list[Row]]
    told: dict[str, list[Row]]
    written: dict[str, dict[tuple, Row]]


@dataclass
class History:
    """Three syncs: of all there is, of nothing new, and of what has changed since."""

    replica: Replica
    first: Stage
    again: Stage
    changed: Stage


def change(sandbox: Sandbox) -> None:
    """New orders come, and orders of either age are paid, contested and reviewed."""

    def each(command: str, ids: list[str]) -> None:
        assert ids, f"no order to {command}"
        for order in ids:
            assert sandbox.control("POST", command, id=order)["id"], f"{command} {order}"

    def with_status(status: str) -> list[str]:
        return [row["id"] for row in sandbox.expected() if row["status"] == status]

    old_paid, old_contested = with_status("paid"), with_status("contested")
    # Orders are drafted some minutes before they are added, so time passes first: no sync has been there.
    sandbox.control("POST", "advance", seconds=3_600)
    new = sandbox.control("POST", "orders", count=6)["ids"]
    each("pay", new[:4])
    each("contest", [*old_paid[:3], *new[:2]])
    each("review", [*old_contested[:2], new[0]])
    sandbox.control("POST", "advance", seconds=3_600)


@pytest.fixture(scope="session")
def history(
    databases: Databases, streams: dict[str, Stream], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("history")
    every = list(streams.values())
    with Sandbox("--orders=80", "--contested-percent=20") as sandbox:
        config = sandbox.config()
        replica = databases.replica(config, every)

        def truth() -> tuple[dict[str, list[Row]], dict[str, dict[tuple, Row]]]:
            told = {name: expected(sandbox, streams[name]) for name in FROM_THE_API}
            return told, written(config, every, folder)

        replica.sync()
        before = truth()
        first = Stage(replica.tables(), *before)
        replica.sync()
        again = Stage(replica.tables(), *before)
        change(sandbox)
        replica.sync()
        changed = Stage(replica.tables(), *truth())
        yield History(replica, first, again, changed)


def rewritten(stream: Stream, before: Stage, after: Stage) -> list[Row]:
    """The rows that the later sync has written."""
    last = max(row["_extracted_at"] for row in before.tables[stream.name])
    return [row for row in after.tables[stream.name] if row["_extracted_at"] > last]


def content(stream: Stream, rows: list[Row]) -> dict[tuple, Row]:
    return {stream.key_of(row): {name: row[name] for name in stream.properties} for row in rows}


@pytest.mark.parametrize("stage", ["first", "again", "changed"])
@pytest.mark.parametrize("name", FROM_THE_API)
class TestTables:
    def test_hold_the_rows_of_the_api(
        self, history: History, streams: dict[str, Stream], name: str, stage: str
    ) -> None:
        after: Stage = getattr(history, stage)
        rows = current(streams[name], after.tables[name], after.tables["orders"])
        if stage != "changed":
            assert name == "order_versions" or len(rows) == len(after.tables[name])
        assert_told(streams[name], rows, after.told[name], history.replica.guesses)

    def test_hold_every_value_that_was_written(
        self, history: History, streams: dict[str, Stream], name: str, stage: str
    ) -> None:
        after: Stage = getattr(history, stage)
        rows = after.tables[name]
        if name == "order_line_items":
            # Lines that a review has taken out stay in a table, and a full refresh does not have them.
            rows = current(streams[name], rows, after.tables["orders"])
        assert_written(streams[name], rows, after.written[name], history.replica.guesses)


def test_every_row_of_the_sandbox_can_be_read(history: History) -> None:
    assert history.changed.tables[UNREADABLE] == []


@pytest.mark.parametrize("name", [*FROM_THE_API, RECEIPTS])
def test_a_sync_with_nothing_new_doubles_nothing(
    history: History, streams: dict[str, Stream], name: str
) -> None:
    stream = streams[name]
    before, after = history.first.tables[name], history.again.tables[name]
    if name == RECEIPTS:
        # Each sync leaves receipts of its own, and those of the one before as they are.
        assert content(stream, before).items() <= content(stream, after).items()
        return
    assert content(stream, after) == content(stream, before)
    assert len(after) == len(before)
    again = rewritten(stream, history.first, history.again)
    if name in TOLD_AS:
        assert again == []
    elif stream.incremental and stream.cursor:
        # What lies on the cursor may come again, but nothing from behind it.
        cursor = max(row[stream.cursor] for row in before)
        assert all(row[stream.cursor] >= cursor for row in again)


@pytest.mark.parametrize("name", [name for name in FROM_THE_API if name in TOLD_AS])
def test_changes_come_without_what_has_not_changed(
    history: History, streams: dict[str, Stream], name: str
) -> None:
    stream = streams[name]
    came = rewritten(stream, history.again, history.changed)
    order = "orderId" if "orderId" in stream.properties else "id"
    before = {row["id"]: row for row in history.again.told["orders"]}
    changed = {row["id"] for row in history.changed.told["orders"] if before.get(row["id"]) != row}
    assert {str(row[order]) for row in came} == changed


def test_the_state_of_each_stream_is_kept(history: History, streams: dict[str, Stream]) -> None:
    kept = history.replica.kept_states()
    for stream in streams.values():
        if stream.incremental:
            assert kept[stream.name].get(stream.cursor), stream.name


def test_the_receipts_add_up_to_the_orders(history: History) -> None:
    assert_receipts(history.first.tables[RECEIPTS], history.first.tables["orders"])


def test_without_the_clients_guesses_every_text_is_exact(
    databases: Databases, large: Large, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That amounts lose their last zero in PostgreSQL is `pandas.read_json`'s doing alone."""
    if databases.kind == "duckdb":
        pytest.skip("DuckDB reads the declared types, and is compared exactly anyway")
    replica = databases.replica(large.config, large.streams)
    monkeypatch.setattr(pandas, "read_json", partial(pandas.read_json, dtype=False))
    replica.sync()
    replica.guesses = False
    assert_complete(replica, large)


def assert_complete(replica: Replica, large: Large) -> None:
    orders = next(stream for stream in replica.streams if stream.name == "orders")
    for stream in replica.streams:
        if stream.name in FROM_THE_API:
            rows = replica.rows(stream)
            now = current(stream, rows, replica.rows(orders))
            assert_told(stream, now, expected(large.sandbox, stream), replica.guesses)
            assert_written(stream, rows, large.written[stream.name], replica.guesses)


def test_thousands_of_orders_arrive_after_a_sync_that_was_killed(
    databases: Databases, large: Large, tmp_path: Path
) -> None:
    replica = databases.replica(large.config, large.streams)
    with pytest.raises(AirbyteConnectorFailedError):
        replica.sync(interrupted.after(4_000, signal.SIGKILL, tmp_path))
    replica.sync()
    assert_complete(replica, large)


def test_a_sync_that_was_stopped_is_gone_on_with(
    databases: Databases, large: Large, tmp_path: Path
) -> None:
    replica = databases.replica(large.config, large.streams)
    whole = sum(len(rows) for rows in large.written.values())
    # To be stopped is not a failure for PyAirbyte: it keeps the records and the last state.
    first = replica.sync(interrupted.after(4_000, signal.SIGTERM, tmp_path))
    assert 0 < first < whole
    rest = replica.sync()
    assert_complete(replica, large)
    assert first + rest < whole + 1_500, "little comes twice"


def test_records_can_be_had_one_by_one(large: Large, streams: dict[str, Stream]) -> None:
    for name in (stream.name for stream in large.streams if stream.name in FROM_THE_API):
        records = list(source(large.config).get_records(name, limit=50))
        assert 0 < len(records) <= 50
        assert all(
            record[key.lower()] is not None for record in records for key in streams[name].key
        )


def test_check_says_what_the_connector_says(large: Large, tmp_path: Path) -> None:
    source(large.config).check()
    wrong = large.config | {
        "credentials": {"auth_type": "access_token", "access_token": "not-the-token-0123"}
    }
    told = run("check", tmp_path, config=wrong)[-1]["connectionStatus"]
    assert told["status"] == "FAILED"
    with pytest.raises(AirbyteConnectorCheckFailedError) as failed:
        source(wrong).check()
    assert told["message"] in str(failed.value)


def test_a_configuration_that_breaks_the_specification_is_refused_before_a_read(
    large: Large,
) -> None:
    reader = source(large.config)
    with pytest.raises(AirbyteConnectorValidationFailedError):
        reader.set_config(large.config | {"requests_per_second": 500}, validate=True)


def test_discover_gives_what_the_connector_tells(large: Large, streams: dict[str, Stream]) -> None:
    reader = source(large.config)
    assert reader.get_available_streams() == list(streams)
    for stream in reader.discovered_catalog.streams:
        told = streams[stream.name].told
        assert stream.json_schema == told["json_schema"]
        assert stream.source_defined_primary_key == told["source_defined_primary_key"]
        assert stream.default_cursor_field == told.get("default_cursor_field")
