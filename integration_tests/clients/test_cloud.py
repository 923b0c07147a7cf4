"""The manifest for Airbyte's Connector Builder, run by airbyte-cdk against the sandbox; and what it loses.

docs/airbyte-cloud.md states the limits. Each of them is shown here, so that it is taken off the page when it no longer holds.
"""

from __future__ import annotations

import subprocess
from typing import Any

import yaml
from airbyte_cdk.models import AirbyteStateMessage, SyncMode
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.catalog_builder import CatalogBuilder, ConfiguredAirbyteStreamBuilder
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput

from sandbox import ROOT, Row, Sandbox

MANIFEST: Row = yaml.safe_load((ROOT / "cloud/manifest.yaml").read_text())
STREAMS = [stream["name"] for stream in MANIFEST["streams"]]
# A month of orders, all drafted before the sandbox's now.
MONTH = ["--orders=600", "--contested-percent=4", "--first=2025-11-01T00:00:00Z"]


def config(sandbox: Sandbox) -> Row:
    return sandbox.config(start_date="2025-11-01T00:00:00Z")


def read(
    config: Row, streams: list[str], state: list[AirbyteStateMessage] | None = None
) -> EntrypointOutput:
    builder = CatalogBuilder()
    for name in streams:
        stream = next(stream for stream in MANIFEST["streams"] if stream["name"] == name)
        mode = SyncMode.incremental if "incremental_sync" in stream else SyncMode.full_refresh
        builder.with_stream(ConfiguredAirbyteStreamBuilder().with_name(name).with_sync_mode(mode))
    catalog = builder.build()
    source = ConcurrentDeclarativeSource(
        catalog=catalog, config=config, state=state or [], source_config=MANIFEST
    )
    return entrypoint_wrapper.read(source, config, catalog, state)


def rows(output: EntrypointOutput, stream: str) -> dict[Any, Row]:
    """The last row of each key."""
    records = (message.record for message in output.records)
    return {str(record.data["id"]): record.data for record in records if record.stream == stream}


def resumable(output: EntrypointOutput) -> list[AirbyteStateMessage]:
    """The last state of each stream, as a platform passes it."""
    last = {message.state.stream.stream_descriptor.name: message.state for message in output.state_messages}
    return [AirbyteStateMessage(type=state.type, stream=state.stream) for state in last.values()]


def test_the_manifest_is_made_from_the_schemas() -> None:
    subprocess.run([ROOT / "cloud/generate"], check=True)


def test_a_quiet_api_is_read_completely_and_exactly() -> None:
    with Sandbox(*MONTH) as sandbox:
        output = read(config(sandbox), STREAMS)
        assert output.errors == []
        for stream in STREAMS:
            expected = sandbox.expected("" if stream == "orders" else stream)
            assert rows(output, stream).keys() == {str(row["id"]) for row in expected}, stream
        orders = rows(output, "orders")
        for row in sandbox.expected():
            assert orders[row["id"]]["totalPrice"] == row["total_price"], "amounts are texts"


def test_a_change_is_found_within_the_days_to_read_again_only() -> None:
    with Sandbox("--orders=600", "--contested-percent=0", "--first=2025-11-01T00:00:00Z") as sandbox:
        first = read(config(sandbox), ["orders"])
        drafted = sorted(sandbox.expected(), key=lambda row: row["draft_created_at"])
        old, young = drafted[0]["id"], drafted[-60]["id"]
        for order in (old, young):
            sandbox.control("POST", "contest", id=order)
        sandbox.control("POST", "advance", seconds=600)
        before = sandbox.requests()
        second = read(config(sandbox), ["orders"], resumable(first))
        assert young in rows(second, "orders"), "within the last 14 days"
        assert old not in rows(second, "orders"), "older: never again"
        assert len(rows(second, "orders")) > 200, "what has not changed is written again"
        assert sandbox.requests() - before > 14, "a request for each day"


def test_pages_that_are_shorter_than_requested_lose_orders_in_a_green_sync() -> None:
    # Each of them, since requests run concurrently: which one meets a fault would be chance.
    crowded = ["--orders=3000", "--contested-percent=0", "--first=2025-11-29T00:00:00Z"]
    with Sandbox(*crowded, "--fault=short=1") as sandbox:
        output = read(config(sandbox), ["orders"])
        missing = {row["id"] for row in sandbox.expected()} - rows(output, "orders").keys()
        assert output.errors == [] and len(missing) > 100, len(missing)
