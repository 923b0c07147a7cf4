"""Tombstones, applied as Airbyte's direct-load destinations apply them.

No such destination runs here: it takes a warehouse. Its statement is emulated in DuckDB, from what Airbyte documents: of one key the
record with the newest cursor counts, of equal cursors the one that was emitted last; with `_ab_cdc_deleted_at` it deletes the row, or
in soft-delete mode replaces it.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from sandbox import Row, Sandbox, run

STREAMS = {
    "orders": (["id"], "draftCreatedAt"),
    "order_line_items": (["orderId", "id"], "orderDraftCreatedAt"),
}

MERGE = """
merge into {table} as target
using (
    select * from batch
    qualify row_number() over (partition by {key} order by moment desc nulls last, emitted_at desc) = 1
) as fresh
on {same}
when matched and {newer} and {deletes} then delete
when matched and {newer} then update set data = fresh.data, moment = fresh.moment, emitted_at = fresh.emitted_at
when not matched and not {deletes} then
    insert ({key}, moment, emitted_at, data) values ({fresh_key}, fresh.moment, fresh.emitted_at, fresh.data)
"""


class Destination:
    """Tables in append + deduped mode, and the states that were acknowledged."""

    def __init__(self, soft: bool) -> None:
        self.soft = soft
        self.database = duckdb.connect()
        self.states: dict[str, Row] = {}
        for table, (key, _) in STREAMS.items():
            columns = ", ".join(f'"{column}" bigint' for column in key)
            self.database.execute(f"create table {table} ({columns}, moment timestamp, emitted_at bigint, data json)")

    def sync(self, config: Row, catalog: Row, folder: Path) -> None:
        messages = run("read", folder, config=config, catalog=catalog, state=list(self.states.values()))
        batches: dict[str, list[Row]] = {table: [] for table in STREAMS}
        for message in messages:
            match message["type"]:
                case "RECORD":
                    batches[message["record"]["stream"]].append(message["record"])
                case "STATE":
                    state = message["state"]
                    name = state["stream"]["stream_descriptor"]["name"]
                    self.states[name] = {"type": "STREAM", "stream": state["stream"]}
        for table, records in batches.items():
            self.merge(table, records)

    def merge(self, table: str, records: list[Row]) -> None:
        key, cursor = STREAMS[table]
        self.database.execute(f"create or replace temp table batch as from {table} limit 0")
        self.database.execute("alter table batch add column deleted_at varchar")
        for number, record in enumerate(records):
            data = record["data"]
            values = [*(data[column] for column in key), data[cursor].removesuffix("Z"), number]
            values += [json.dumps(data, default=str), data.get("_ab_cdc_deleted_at")]
            places = ", ".join("?" * len(values))
            self.database.execute(f"insert into batch values ({places})", values)
        quoted = [f'"{column}"' for column in key]
        self.database.execute(
            MERGE.format(
                table=table,
                key=", ".join(quoted),
                fresh_key=", ".join(f"fresh.{column}" for column in quoted),
                same=" and ".join(f"target.{column} = fresh.{column}" for column in quoted),
                newer="target.moment <= fresh.moment",
                deletes="false" if self.soft else "fresh.deleted_at is not null",
            )
        )

    def keys(self, table: str) -> set[tuple[int, ...]]:
        """The keys of the rows that are not marked as deleted."""
        columns = ", ".join(f'"{column}"' for column in STREAMS[table][0])
        rows = self.database.execute(
            f"select {columns} from {table} where json_extract_string(data, '$._ab_cdc_deleted_at') is null"
        )
        return set(rows.fetchall())

    def marked(self, table: str) -> int:
        count = f"select count(*) from {table} where json_extract_string(data, '$._ab_cdc_deleted_at') is not null"
        (rows,) = self.database.execute(count).fetchall()
        return rows[0]


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_what_vanished_leaves_the_tables(tmp_path: Path, soft: bool) -> None:
    with Sandbox("--orders=600", "--contested-percent=0") as sandbox:
        config = sandbox.config(start_date="2025-11-01T00:00:00Z", deletions="tombstones")
        (catalog,) = [message["catalog"] for message in run("discover", tmp_path, config=config)]
        selected = [stream for stream in catalog["streams"] if stream["name"] in STREAMS]
        configured = {"streams": [
            {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
            for stream in selected
        ]}
        destination = Destination(soft)
        destination.sync(config, configured, tmp_path)

        orders = [int(row["id"]) for row in sandbox.expected()]
        removed, reviewed = orders[-40::10], orders[-35::6]
        for order in removed:
            sandbox.control("POST", "remove", id=order)
        for order in reviewed:
            sandbox.control("POST", "contest", id=order)
            sandbox.control("POST", "review", id=order)
        stale = destination.keys("order_line_items")
        for hours in (25, 2):
            sandbox.control("POST", "advance", seconds=hours * 3_600)
            destination.sync(config, configured, tmp_path)

        lines = {(int(row["order_id"]), int(row["id"])) for row in sandbox.expected("lines")}
        assert stale - lines, "lines have vanished, too"
        assert destination.keys("orders") == {(int(row["id"]),) for row in sandbox.expected()}
        assert destination.keys("order_line_items") == lines
        assert destination.marked("orders") == (len(removed) if soft else 0)
