"""The inbox's PostgreSQL fails, and its standby takes over while events are pushed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
import replica
from conftest import SERVER, WITHOUT_POSTGRES
from inbox import SENDER, Inbox
from sandbox import CONNECTOR, Sandbox, Stream, run
from shop import EVENTS, acknowledged, live, names, pushed

KEEPS_OUTPUT = """#!/bin/bash
set -o pipefail
'{connector}' "$@" | tee -a '{output}'
"""


class Cluster:
    """A primary and its standby, the inbox on the primary, a sandbox that pushes, and a table."""

    def __init__(
        self,
        primary: postgres.Postgres,
        standby: postgres.Postgres,
        inbox: Inbox,
        sandbox: Sandbox,
        folder: Path,
    ) -> None:
        self.primary, self.standby, self.inbox, self.sandbox = primary, standby, inbox, sandbox
        config = sandbox.config(**inbox.config())
        catalog = run("discover", folder, config=config)[-1]["catalog"]
        self.stream = next(Stream(told) for told in catalog["streams"] if told["name"] == EVENTS)
        self.table = replica.Replica(replica.duckdb(folder), config, [self.stream])
        self.output = folder / "output.jsonl"
        self.connector = folder / "source-aifi-recorded"
        self.connector.write_text(KEEPS_OUTPUT.format(connector=CONNECTOR, output=self.output))
        self.connector.chmod(0o755)

    def sync(self) -> int:
        return self.table.sync(self.connector)

    def rewinds(self) -> int:
        return self.output.read_text().count("was rewound")

    def fail_over(self) -> None:
        self.primary.crash()
        self.standby.execute("select pg_promote()")
        self.inbox.kill(self.standby.url("inbox"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    binaries = postgres.binaries()
    if not binaries:
        pytest.skip(WITHOUT_POSTGRES)
    with postgres.Postgres(binaries) as primary:
        SERVER["fail_over"] = primary.version
        primary.execute("create database inbox")
        with (
            postgres.Postgres(binaries, primary) as standby,
            Inbox(primary.url("inbox"), tmp_path) as inbox,
            Sandbox(
                "--orders=20",
                f"--push={inbox.url('/checkout')}",
                f"--push-token={SENDER}",
                "--push-retries=100",
                "--push-fault=late:300=0.2",
            ) as sandbox,
        ):
            yield Cluster(primary, standby, inbox, sandbox, tmp_path)


def test_a_synchronous_standby_has_all_that_was_acknowledged(cluster: Cluster) -> None:
    cluster.primary.set("synchronous_standby_names", "*")
    cluster.primary.wait_for("select count(*) from pg_stat_replication where sync_state = 'sync'")
    live(cluster.sandbox, 20)
    assert cluster.sync() > 0
    live(cluster.sandbox, 60)
    before = pushed(cluster.sandbox)
    cluster.fail_over()
    live(cluster.sandbox, 10)
    # A call that was answered 200 is not made again.
    wanted = acknowledged(cluster.sandbox)
    assert cluster.sync() > 0
    rows = cluster.table.rows(cluster.stream)
    assert names(rows) == wanted
    assert {row["eventId"] for row in rows} == cluster.inbox.events()
    assert before["waiting"] > 0 and before["calls"]
    assert cluster.rewinds() == 0
    assert cluster.sync() == 0


def test_what_a_lagging_standby_lost_is_a_rewind(cluster: Cluster) -> None:
    live(cluster.sandbox, 20)
    acknowledged(cluster.sandbox)
    assert cluster.sync() > 0
    cluster.standby.set("primary_conninfo", "")
    cluster.primary.wait_for("select count(*) = 0 from pg_stat_replication")
    live(cluster.sandbox, 10)
    read = acknowledged(cluster.sandbox)
    assert cluster.sync() > 0
    live(cluster.sandbox, 10)
    lost = acknowledged(cluster.sandbox) - read
    cluster.fail_over()
    assert cluster.rewinds() == 0
    live(cluster.sandbox, 30)
    wanted = acknowledged(cluster.sandbox) - lost
    assert cluster.sync() > 0
    rows = cluster.table.rows(cluster.stream)
    assert lost and names(rows) == wanted
    assert cluster.rewinds() == 1
    assert cluster.inbox.events() < {row["eventId"] for row in rows}, "what was read of the lost part stays"
    assert cluster.sync() == 0
