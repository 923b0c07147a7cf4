"""What the tests share, and the lines at the end that say which client proved how much."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import postgres
import replica
from sandbox import Row, Sandbox, Stream, discover, written

WITHOUT_POSTGRES = "PostgreSQL is not installed (no initdb), so nothing was read into it"

# What the last lines say of a test, by its file and its database.
SERVER: dict[str, str] = {}


def proved(nodeid: str) -> str:
    if "test_pyairbyte" in nodeid or "test_inbox" in nodeid:
        client = f"PyAirbyte {version('airbyte')}"
        if "fail_over" in nodeid:
            server = SERVER.get("fail_over", "(not installed)")
            return f"{client} into DuckDB, the inbox on two PostgreSQL {server}"
        if "postgres" in nodeid:
            return f"{client} into PostgreSQL {SERVER.get('postgres', '(not installed)')}"
        return f"{client} into DuckDB {version('duckdb')}" if "duckdb" in nodeid else client
    if "test_direct_load" in nodeid:
        return f"an emulated direct-load destination on DuckDB {version('duckdb')}"
    if "test_standard" in nodeid:
        what = "the image" if "TestImage" in nodeid else "the binary"
        return f"airbyte-cdk {version('airbyte-cdk')}, standard tests of {what}"
    return f"airbyte-connector-models {version('airbyte-connector-models')}"


def pytest_report_header() -> list[str]:
    names = ["airbyte", "airbyte-cdk", "airbyte-connector-models", "duckdb"]
    return ["clients: " + ", ".join(f"{name} {version(name)}" for name in names)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if outcome != "passed" or report.when == "call":
                counts.setdefault(proved(report.nodeid), Counter())[outcome] += 1
    terminalreporter.section("proved with")
    for client, outcomes in sorted(counts.items()):
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        terminalreporter.write_line(f"{client}: {told}")


@pytest.fixture(scope="session")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stream]:
    return discover(tmp_path_factory.mktemp("discover"))


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    binaries = postgres.binaries()
    if not binaries:
        pytest.skip(WITHOUT_POSTGRES)
    with postgres.Postgres(binaries) as server:
        SERVER["postgres"] = server.version
        yield server


class Databases:
    """Makes empty databases of one kind."""

    def __init__(self, kind: str, request: pytest.FixtureRequest) -> None:
        self.kind = kind
        self.server = request.getfixturevalue("server") if kind == "postgres" else None
        self.folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")

    def replica(self, config: Row, streams: list[Stream]) -> replica.Replica:
        folder: Path = self.folders.mktemp(self.kind)
        if self.server:
            name = folder.name
            self.server.execute(f'create database "{name}"')
            return replica.Replica(
                replica.postgres(self.server.port, name, folder), config, streams
            )
        return replica.Replica(replica.duckdb(folder), config, streams)


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def databases(request: pytest.FixtureRequest) -> Databases:
    return Databases(request.param, request)


class Large:
    """Some thousand orders, on an API that fails now and then. Nobody changes them."""

    def __init__(self, sandbox: Sandbox, streams: list[Stream], folder: Path) -> None:
        self.sandbox, self.streams = sandbox, streams
        self.config = sandbox.config()
        self.written = written(self.config, streams, folder)


@pytest.fixture(scope="session")
def large(streams: dict[str, Stream], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    # The details cost a request each.
    cheap = [stream for stream in streams.values() if stream.name != "order_details"]
    faults = ["--fault=unavailable_503=0.02", "--fault=cut=0.02", "--fault=reset=0.02"]
    with Sandbox("--orders=5000", "--tie=3", "--tie=300", *faults) as sandbox:
        yield Large(sandbox, cheap, tmp_path_factory.mktemp("large"))


def engine_with(image: str) -> str | None:
    """None if a container engine runs and has the image, else what is missing."""
    if not shutil.which("docker"):
        return "there is no docker"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no container engine is running"
    inspect = ["docker", "image", "inspect", image]
    if subprocess.run(inspect, capture_output=True, check=False).returncode:
        return f"the engine has no image {image}"
    return None
