"""The whole way of an event: sandbox, inbox, connector, PyAirbyte, database. What was acknowledged is in the table."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from airbyte.exceptions import AirbyteConnectorFailedError

import interrupted
from conftest import Databases
from inbox import SENDER, Inbox
from sandbox import Sandbox, Stream, run
from shop import EVENTS, acknowledged, answered, live, names, pushed

TROUBLES = ["repeat=0.1", "reissue=0.1", "late:300=0.2", "cut=0.1", "gone=0.2"]


@pytest.fixture
def inbox(databases: Databases, tmp_path: Path) -> Iterator[Inbox]:
    store = f"sqlite://{tmp_path}/inbox.db"
    if databases.server:
        name = f"inbox_{tmp_path.parent.name}_{tmp_path.name}".replace("-", "_")
        databases.server.execute(f'create database "{name}"')
        store = databases.server.url(name)
    with Inbox(store, tmp_path) as inbox:
        yield inbox


def test_what_was_acknowledged_is_in_the_table_after_kills_of_all_three(
    databases: Databases, inbox: Inbox, tmp_path: Path
) -> None:
    push = [f"--push={inbox.url('/checkout')}", f"--push-token={SENDER}", "--push-retries=100"]
    push += [f"--push-fault={trouble}" for trouble in TROUBLES]
    with Sandbox("--orders=20", *push) as sandbox:
        config = sandbox.config(**inbox.config())
        catalog = run("discover", tmp_path, config=config)[-1]["catalog"]
        stream = next(Stream(told) for told in catalog["streams"] if told["name"] == EVENTS)
        replica = databases.replica(config, [stream])
        cut, known = 0, set()
        for number in range(4):
            live(sandbox, 30)
            if number == 1:
                inbox.kill()
            # The connector dies in the middle of a read, at another line each time.
            killed = interrupted.after(15 + 20 * number, signal.SIGKILL, tmp_path)
            with contextlib.suppress(AirbyteConnectorFailedError):
                replica.sync(killed)
                cut -= 1
            cut += 1
            if number == 2:
                inbox.kill()
                # What the sandbox has not pushed by then, it never pushes, and what it is answered between these lines,
                # nobody knows.
                live(sandbox, 30)
                before = pushed(sandbox)
                known = answered(before["calls"])
                sandbox.kill("2025-12-02T00:00:00Z")
        wanted = acknowledged(sandbox)
        assert replica.sync() > 0
        rows = replica.rows(stream)
        assert wanted and not wanted & known
        assert before["waiting"] > 0, "the sandbox had nothing to push any more"
        in_doubt = names(rows) - wanted - known
        assert wanted | known <= names(rows)
        assert len(in_doubt) <= before["waiting"]
        assert {row["eventId"] for row in rows} == inbox.events()
        assert len(rows) == len({row["eventId"] for row in rows})
        assert cut > 0, "no sync was cut"
        kept = replica.kept_states()[EVENTS]
        assert kept["seq"] == max(row["seq"] for row in rows)
        assert replica.sync() == 0
        print(f"{databases.kind}: {len(rows)} events in the table, {cut} syncs cut, 2 kills of the inbox, 1 of the sandbox")
