"""The databases that the tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import marts  # noqa: E402
import postgres  # noqa: E402
import warehouse  # noqa: E402
from sandbox import Sandbox  # noqa: E402

CLIENTS = Path(os.environ["AIFI_CLIENTS_PYTHON"])

# Figures for the last lines.
TOLD: list[str] = []


def pytest_report_header() -> list[str]:
    names = ["dbt-core", "dbt-duckdb", "dbt-postgres", "duckdb", "sqlfluff", "sqlglot", "zetasql"]
    return ["warehouse: " + ", ".join(f"{name} {version(name)}" for name in names)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("what was compared")
    for line in TOLD:
        terminalreporter.write_line(line)


@dataclass
class Database:
    """A database with tables that Airbyte keeps."""

    kind: str
    place: dict[str, str]
    airbyte: str
    query: Callable[[str], list[tuple]]


def duckdb_database(folder: Path, name: str = "warehouse") -> Database:
    path = str(folder / f"{name}.duckdb")

    def query(statement: str) -> list[tuple]:
        with duckdb.connect(path) as connection:
            return connection.execute(statement).fetchall()

    return Database("duckdb", {"duckdb": path}, path, query)


def postgres_database(server: postgres.Postgres, name: str) -> Database:
    server.execute(f'create database "{name}"')

    def query(statement: str) -> list[tuple]:
        connection = psycopg2.connect(host="127.0.0.1", port=server.port, user="aifi", dbname=name)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    place = {"port": str(server.port), "database": name}
    return Database("postgres", place, f"{server.port}/{name}", query)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    binaries = postgres.binaries()
    if not binaries:
        pytest.skip("PostgreSQL is not installed (no initdb), so nothing was built in it")
    with postgres.Postgres(binaries) as server:
        yield server


@dataclass
class Built:
    """A warehouse after two builds: the first in full, the second incremental after changes."""

    database: Database
    dbt: warehouse.Dbt
    sandbox: Sandbox
    truth: marts.Truth
    first: dict[str, tuple[marts.Truth, list[tuple]]]
    second: dict[str, tuple[marts.Truth, list[tuple]]]
    results: list[dict[str, Any]]


def rows_of_marts(database: Database, truth: marts.Truth) -> dict[str, tuple[marts.Truth, list[tuple]]]:
    schema = warehouse.MARTS_SCHEMA
    return {mart: (truth, database.query(marts.select(mart, schema))) for mart in marts.COLUMNS}


def change(sandbox: Sandbox) -> None:
    """New orders come, some are paid, and orders of either age are contested and reviewed."""
    told = sandbox.expected()
    paid = [row["id"] for row in told if row["status"] == "paid"]
    contested = [row["id"] for row in told if row["status"] == "contested"]
    sandbox.control("POST", "advance", seconds=3_600)
    new = sandbox.control("POST", "orders", count=6)["ids"]
    for command, ids in [
        ("pay", new[:4]),
        ("contest", [*paid[:3], *new[:2]]),
        ("review", [*contested[:2], new[0]]),
    ]:
        for order in ids:
            assert sandbox.control("POST", command, id=order)["id"]
    sandbox.control("POST", "advance", seconds=3_600)


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "postgres":
        database = postgres_database(request.getfixturevalue("server"), "warehouse")
    else:
        database = duckdb_database(folder)
    with Sandbox("--orders=120", "--contested-percent=20") as sandbox:
        config = sandbox.config()

        def sync() -> marts.Truth:
            warehouse.sync(CLIENTS, database.kind, database.airbyte, folder / "airbyte", config)
            return marts.Truth(sandbox)

        before = sync()
        dbt = warehouse.Dbt(folder / "project", database.kind, **database.place)
        dbt("build")
        first = rows_of_marts(database, before)
        change(sandbox)
        after = sync()
        results = dbt("build")
        second = rows_of_marts(database, after)
        TOLD.extend(f"{database.kind}: {line}" for line in figures(second))
        yield Built(database, dbt, sandbox, after, first, second, results)


def figures(of: dict[str, tuple[marts.Truth, list[tuple]]]) -> list[str]:
    """The rows of each mart beside those of the sandbox, and the sum of the last amount where there is one."""
    lines = []
    for mart, (truth, rows) in of.items():
        wanted, has = marts.right(truth, mart), marts.found(mart, rows)
        lines.append(f"{mart}: {len(has)} rows, {len(wanted)} are right")
        for place, column in enumerate(marts.COLUMNS[mart][1]):
            if column in ("revenue", "total_price", "refunded"):
                sums = [sum(row[place] or 0 for row in values.values()) for values in (has, wanted)]
                lines[-1] += f"; sum of {column} {sums[0]:.2f}, {sums[1]:.2f} is right"
    return lines
