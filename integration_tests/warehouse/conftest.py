"""The databases that the tests share. They are built at the same time, as much of it is waiting."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import documented  # noqa: E402
import emulators  # noqa: E402
import marts  # noqa: E402
import postgres  # noqa: E402
import warehouse  # noqa: E402
from sandbox import Sandbox  # noqa: E402

CLIENTS = Path(os.environ["AIFI_CLIENTS_PYTHON"])
EMULATORS = {
    "snowflake": (emulators.Snowflake, Path(os.environ["WAREHOUSE_SNOWFLAKE_PYTHON"])),
    "bigquery": (emulators.BigQuery, Path(os.environ["WAREHOUSE_BIGQUERY_PYTHON"])),
}

# Figures for the last lines.
TOLD: list[str] = []

Rows = dict[str, list[dict[str, Any]]]
MartRows = dict[str, list[tuple]]
# What is built at the same time, by the kind of warehouse.
Builds = dict[str, Future[Any]]


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


@dataclass
class Stage:
    """What is true at a moment, what Airbyte has written by then, and what dbt made of it."""

    truth: marts.Truth
    raw: Rows
    rows: MartRows


@dataclass
class Built:
    """A warehouse after two builds: the first in full, the second incremental after changes."""

    database: Database
    dbt: warehouse.Dbt
    first: Stage
    second: Stage
    results: list[dict[str, Any]]

    def tell(self) -> None:
        passed = len(warehouse.names(self.results, "pass"))
        TOLD.append(f"{self.database.kind}: {passed} tests of dbt passed after the second build")
        TOLD.extend(f"{self.database.kind}: {line}" for line in figures(self.second))


def rows_of_marts(database: Database) -> MartRows:
    schema = warehouse.MARTS_SCHEMA
    return {mart: database.query(marts.select(mart, schema)) for mart in marts.COLUMNS}


def schemas() -> dict[str, dict[str, str]]:
    """The columns of each stream with their kinds."""
    files = [file for file in sorted((warehouse.ROOT / "spec").glob("*.json")) if file.stem != "spec"]
    return {file.stem: emulators.kinds(json.loads(file.read_text())) for file in files}


def raw_rows(database: Database) -> Rows:
    """What PyAirbyte has written into DuckDB, by the streams' own names; moments and nested values as texts."""
    of: Rows = {}
    for stream, columns in schemas().items():
        selected = []
        for name, kind in columns.items():
            column = f'"{name.lower()}"'
            if kind == "date-time":
                column = f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"
            elif kind in ("object", "array"):
                column = f"cast({column} as varchar)"
            selected.append(column)
        found = database.query(f"select {', '.join(selected)} from aifi.{stream}")
        of[stream] = [dict(zip(columns, row)) for row in found]
    return of


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


def build(
    project: warehouse.Project, database: Database, folder: Path, orders: int = 80, *options: str
) -> Built:
    """Sandbox, connector, PyAirbyte, database, dbt; then changes, and all of it once more."""
    with Sandbox(f"--orders={orders}", "--contested-percent=20", *options) as sandbox:
        dbt = project.dbt(folder / "project", database.kind, **database.place)
        stages: list[Stage] = []
        results: list[dict[str, Any]] = []
        for step in range(2):
            if step:
                change(sandbox)
            config = sandbox.config()
            warehouse.sync(CLIENTS, database.kind, database.airbyte, folder / "airbyte", config)
            results = dbt("build")
            raw = raw_rows(database) if database.kind == "duckdb" else {}
            stages.append(Stage(marts.Truth(sandbox), raw, rows_of_marts(database)))
    return Built(database, dbt, *stages, results)


@dataclass
class Emulated:
    """A build in an emulator. Its tables are those that DuckDB has, with the types of Airbyte's destination."""

    emulator: emulators.Emulator
    built: Built
    # Of the queries in completeness.md, which are for the time right after a first sync.
    receipts: list[list[tuple]]


def emulate(emulator: emulators.Emulator, folder: Path, of: Built) -> Emulated:
    kind = emulator.kind
    made = [emulator.create(stream, columns) for stream, columns in schemas().items()]
    emulator.run([*emulator.prepare, *made, *filled(emulator, of.first.raw)])
    receipts = emulator.run([block.sql for block in documented.blocks("completeness", kind)])

    database = Database(
        kind, {"port": str(emulator.port)}, "", lambda sql: emulator.run([sql])[0]
    )
    dbt = of.dbt.project.dbt(folder / "project", kind, emulator.python, **database.place)
    dbt("build", "--exclude-resource-type", "test")
    first = Stage(of.first.truth, of.first.raw, rows_of_emulator(emulator))
    shutil.copytree(dbt.folder / "target" / "compiled", dbt.folder / "first" / "compiled")
    emptied = [f"delete from {emulator.table(stream)} where true" for stream in schemas()]
    emulator.run([*emptied, *filled(emulator, of.second.raw)])
    results = dbt("build")
    second = Stage(of.second.truth, of.second.raw, rows_of_emulator(emulator))
    return Emulated(emulator, Built(database, dbt, first, second, results), receipts)


def filled(emulator: emulators.Emulator, raw: Rows) -> list[emulators.Statement]:
    return [
        statement
        for stream, columns in schemas().items()
        for statement in emulator.fill(stream, columns, raw[stream])
    ]


def rows_of_emulator(emulator: emulators.Emulator) -> MartRows:
    selects = [marts.select(mart, warehouse.MARTS_SCHEMA) for mart in marts.COLUMNS]
    return dict(zip(marts.COLUMNS, emulator.run(selects)))


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    folder = tmp_path_factory.mktemp
    with contextlib.ExitStack() as servers, ThreadPoolExecutor(4) as pool:
        project = warehouse.Project(folder("installed"))
        there = folder("duckdb")
        of: Builds = {"duckdb": pool.submit(build, project, duckdb_database(there), there)}
        if binaries := postgres.binaries():
            server = servers.enter_context(postgres.Postgres(binaries))
            database = postgres_database(server, "warehouse")
            of["postgres"] = pool.submit(build, project, database, folder("postgres"))

        def emulated(kind: str, there: Path) -> Emulated:
            duckdb = of["duckdb"].result()
            emulator, python = EMULATORS[kind]
            return emulate(servers.enter_context(emulator(python)), there, duckdb)

        there = folder("new_ids")
        of["new_ids"] = pool.submit(build, project, duckdb_database(there), there, 40, "--version-ids=new")
        for kind in EMULATORS:
            of[kind] = pool.submit(emulated, kind, folder(kind))
        yield of


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def built(request: pytest.FixtureRequest, builds: Builds) -> Built:
    if request.param not in builds:
        pytest.skip("PostgreSQL is not installed (no initdb), so nothing was built in it")
    built: Built = builds[request.param].result()
    built.tell()
    return built


@pytest.fixture(scope="session", params=EMULATORS)
def emulated(request: pytest.FixtureRequest, builds: Builds) -> Emulated:
    emulated: Emulated = builds[request.param].result()
    emulated.built.tell()
    return emulated


def figures(stage: Stage) -> list[str]:
    """The rows of each mart beside those of the sandbox, and the sums of its amounts."""
    lines = []
    for mart, rows in stage.rows.items():
        wanted, has = marts.right(stage.truth, mart), marts.found(mart, rows)
        line = f"{mart}: {len(has)} rows, {len(wanted)} are right"
        for place, column in enumerate(marts.COLUMNS[mart][1]):
            if column in ("revenue", "total_price", "refunded"):
                sums = [sum(row[place] or 0 for row in values.values()) for values in (has, wanted)]
                line += f"; sum of {column} {sums[0]:.2f}, {sums[1]:.2f} is right"
        lines.append(line)
    return lines
