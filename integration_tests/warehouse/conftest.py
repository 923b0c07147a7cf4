"""The databases that the tests share. They are built at the same time, as much of it is waiting."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
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

import by_hand  # noqa: E402
import documented  # noqa: E402
import emulators  # noqa: E402
import marts  # noqa: E402
import postgres  # noqa: E402
import unreadable  # noqa: E402
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
# What is built at the same time, by the kind of warehouse or the name of the job.
Builds = dict[str, Future[Any]]
Job = Callable[[Builds, Path], Any]
# What tests look at, and takes long: made before their turn, while the machine would be waiting.
JOBS: dict[str, Job] = {}


def job(name: str) -> Callable[[Job], Job]:
    """Has it done in the background, as `builds[name]`. It must change no database but copies of its own."""

    def register(of: Job) -> Job:
        JOBS[name] = of
        return of

    return register


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
    # What dbt says of its build in the end.
    summary: str


@dataclass
class Built:
    """A warehouse after two builds: the first in full, the second incremental after changes."""

    database: Database
    dbt: warehouse.Dbt
    first: Stage
    second: Stage
    results: list[dict[str, Any]]
    seconds: float

    def tell(self) -> None:
        TOLD.append("")
        TOLD.append(f"{self.database.kind}, ready after {self.seconds:.0f} s")
        for name, stage in [("first", self.first), ("second", self.second)]:
            TOLD.append(f"  {name} build: {stage.summary}")
        TOLD.extend(f"  {line}" for line in figures(self.second))


def rows_of_marts(database: Database) -> MartRows:
    schema = warehouse.MARTS_SCHEMA
    return {mart: database.query(marts.select(mart, schema)) for mart in marts.COLUMNS}


def schemas() -> dict[str, dict[str, str]]:
    """The columns of each stream that is synced with their kinds. The sandbox's syncs have no inbox."""
    return {stream: columns for stream, columns in all_schemas().items() if stream != "checkout_events"}


def all_schemas() -> dict[str, dict[str, str]]:
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
    started = time.monotonic()
    with (
        Sandbox(f"--orders={orders}", "--contested-percent=20", *options) as sandbox,
        unreadable.Spoiled(sandbox.base_url()) as api,
    ):
        dbt = project.dbt(folder / "project", database.kind, **database.place)
        stages: list[Stage] = []
        results: list[dict[str, Any]] = []
        for step in range(2):
            if step:
                change(sandbox)
            config = sandbox.config(base_url=api.url)
            warehouse.sync(CLIENTS, database.kind, database.airbyte, folder / "airbyte", config)
            results = dbt("build")
            raw = raw_rows(database) if database.kind == "duckdb" else {}
            truth, summary = marts.Truth(sandbox), warehouse.summary(results)
            stages.append(Stage(truth, raw, rows_of_marts(database), summary))
    return Built(database, dbt, *stages, results, time.monotonic() - started)


@dataclass
class ByHand:
    """The tables that are written by hand, and what dbt makes of them: in full, and after the later rows."""

    kind: str
    made: by_hand.Made
    query: Callable[[list[str]], list[list[tuple]]]
    first: MartRows
    second: MartRows


def build_by_hand(
    dbt: warehouse.Dbt, query: Callable[[list[str]], list[list[tuple]]], fill: Callable[[by_hand.Tables], None],
) -> ByHand:
    def rows() -> MartRows:
        answers = query([marts.select(mart, by_hand.MARTS_SCHEMA) for mart in by_hand.MARTS])
        return dict(zip(by_hand.MARTS, answers))

    real = dbt.target not in EMULATORS
    # What dbt tests is the same in each warehouse, and slow in an emulator.
    command = ["build"] if real else ["run"]
    made = by_hand.Made(dbt.target)
    fill(made.first)
    dbt("build", *([] if real else ["--exclude-resource-type", "test"]), **by_hand.VARIABLES)
    first = rows()
    fill(made.later)
    dbt(*command, **by_hand.VARIABLES)
    second = rows()
    if real:
        dbt("run", "--full-refresh", **by_hand.VARIABLES)
        assert {mart: sorted(of, key=repr) for mart, of in rows().items()} == {
            mart: sorted(of, key=repr) for mart, of in second.items()
        }, "built in full, there is the same"
    return ByHand(dbt.target, made, query, first, second)


# Of the columns that PyAirbyte makes in DuckDB and PostgreSQL.
CACHE_TYPES = {
    "integer": "bigint",
    "string": "varchar",
    "boolean": "boolean",
    "number": "decimal(38, 9)",
    "date-time": "timestamp",
    "object": "json",
    "array": "json",
}


def by_hand_in_duckdb(of: Built, folder: Path) -> ByHand:
    return by_hand_in(copied(of, folder)[0], of.dbt.project, folder)


def by_hand_in_postgres(of: Built, folder: Path) -> ByHand:
    return by_hand_in(of.database, of.dbt.project, folder)


def by_hand_in(database: Database, project: warehouse.Project, folder: Path) -> ByHand:
    """Tables like those that PyAirbyte has made there."""
    database.query(f"create schema {by_hand.SCHEMA}")
    for stream in by_hand.STREAMS:
        if stream in schemas():
            of = f"as select * from aifi.{stream} where false"
        else:
            kinds = all_schemas()[stream].items()
            of = "(" + ", ".join(f'"{name.lower()}" {CACHE_TYPES[kind]}' for name, kind in kinds) + ")"
        database.query(f"create table {by_hand.SCHEMA}.{stream} {of}")
    dbt = project.dbt(folder / "by_hand", database.kind, schema=by_hand.DBT_SCHEMA, **database.place)
    return build_by_hand(dbt, many(database), inserting(database))


def by_hand_in_emulator(emulator: emulators.Emulator, of: warehouse.Dbt, folder: Path) -> ByHand:
    """With the types of PyAirbyte's caches, as the other tables have those of Airbyte's destinations."""
    columns = {stream: of for stream, of in all_schemas().items() if stream in by_hand.STREAMS}
    tables = {stream: f"{by_hand.SCHEMA}.{stream}" for stream in columns}
    types = emulators.CACHE_TYPES
    created = [emulator.create(tables[stream], of, types) for stream, of in columns.items()]
    emulator.run([f"create schema if not exists {by_hand.SCHEMA}", *created])

    def fill(rows: by_hand.Tables) -> None:
        emulator.run(
            [
                statement
                for stream, of in rows.items()
                for statement in emulator.fill(tables[stream], columns[stream], whole(of, columns[stream]), types)
            ]
        )

    place = {"port": str(emulator.port), "schema": by_hand.DBT_SCHEMA}
    dbt = of.project.dbt(folder / "project", emulator.kind, emulator.python, **place)
    return build_by_hand(dbt, emulator.run, fill)


def whole(rows: list[by_hand.Row], columns: dict[str, str]) -> list[by_hand.Row]:
    """The rows with each column; nested values as texts."""
    return [
        {name: json.dumps(of) if isinstance(of := row.get(name), dict) else of for name in columns}
        for row in rows
    ]


def many(database: Database) -> Callable[[list[str]], list[list[tuple]]]:
    return lambda statements: [database.query(statement) for statement in statements]


def inserting(database: Database) -> Callable[[by_hand.Tables], None]:
    """PyAirbyte's columns are in lower case."""

    def insert(tables: by_hand.Tables) -> None:
        for stream, rows in tables.items():
            names = sorted({name for row in rows for name in row})
            values = [
                "(" + ", ".join(emulators.standard_literal(row[name]) for name in names) + ")"
                for row in whole(rows, dict.fromkeys(names, ""))
            ]
            columns = ", ".join(f'"{name.lower()}"' for name in names)
            if rows:
                database.query(f"insert into {by_hand.SCHEMA}.{stream} ({columns}) values {', '.join(values)}")

    return insert


@dataclass
class Emulated:
    """A build in an emulator. Its tables are those that DuckDB has, with the types of Airbyte's destination."""

    emulator: emulators.Emulator
    built: Built
    # Of the queries in completeness.md, which are for the time right after a first sync.
    receipts: list[list[tuple]]
    by_hand: ByHand


def emulate(emulator: emulators.Emulator, folder: Path, of: Built) -> Emulated:
    started = time.monotonic()
    kind = emulator.kind
    made = [emulator.create(emulator.table(stream), columns) for stream, columns in schemas().items()]
    emulator.run([*emulator.prepare, *made, *filled(emulator, of.first.raw)])
    receipts = emulator.run([block.sql for block in documented.blocks("completeness", kind)])

    database = Database(
        kind, {"port": str(emulator.port)}, "", lambda sql: emulator.run([sql])[0]
    )
    dbt = of.dbt.project.dbt(folder / "project", kind, emulator.python, **database.place)
    results = dbt("build", "--exclude-resource-type", "test")
    first = Stage(of.first.truth, of.first.raw, rows_of_emulator(emulator), warehouse.summary(results))
    shutil.copytree(dbt.folder / "target" / "compiled", dbt.folder / "first" / "compiled")
    emptied = [f"delete from {emulator.table(stream)} where true" for stream in schemas()]
    emulator.run([*emptied, *filled(emulator, of.second.raw)])
    results = dbt("build")
    second = Stage(of.second.truth, of.second.raw, rows_of_emulator(emulator), warehouse.summary(results))
    hand = by_hand_in_emulator(emulator, dbt, folder / "by_hand")
    built = Built(database, dbt, first, second, results, time.monotonic() - started)
    return Emulated(emulator, built, receipts, hand)


def filled(emulator: emulators.Emulator, raw: Rows) -> list[emulators.Statement]:
    return [
        statement
        for stream, columns in schemas().items()
        for statement in emulator.fill(emulator.table(stream), columns, raw[stream])
    ]


def rows_of_emulator(emulator: emulators.Emulator) -> MartRows:
    selects = [marts.select(mart, warehouse.MARTS_SCHEMA) for mart in marts.COLUMNS]
    return dict(zip(marts.COLUMNS, emulator.run(selects)))


def copied(of: Built, folder: Path) -> tuple[Database, warehouse.Dbt]:
    """A copy of a database in DuckDB, with a project of its own. Views name the file, so it keeps its name."""
    shutil.copy(of.database.airbyte, folder)
    copy = duckdb_database(folder, Path(of.database.airbyte).stem)
    return copy, of.dbt.project.dbt(folder / "project", "duckdb", **copy.place)


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    folder = tmp_path_factory.mktemp
    binaries = postgres.binaries()
    assert binaries, "PostgreSQL is not here (no initdb): install Debian's package postgresql"
    with contextlib.ExitStack() as servers, ThreadPoolExecutor(4) as pool:
        project = warehouse.Project(folder("installed"))
        there = folder("duckdb")
        of: Builds = {"duckdb": pool.submit(build, project, duckdb_database(there), there)}
        server = servers.enter_context(postgres.Postgres(binaries))
        database = postgres_database(server, "warehouse")
        of["postgres"] = pool.submit(build, project, database, folder("postgres"))

        def emulated(kind: str, there: Path) -> Emulated:
            duckdb = of["duckdb"].result()
            emulator, python = EMULATORS[kind]
            return emulate(servers.enter_context(emulator(python)), there, duckdb)

        for kind in EMULATORS:
            of[kind] = pool.submit(emulated, kind, folder(kind))
        there = folder("new_ids")
        of["new_ids"] = pool.submit(build, project, duckdb_database(there), there, 40, "--version-ids=new")
        for kind, in_kind in [("duckdb", by_hand_in_duckdb), ("postgres", by_hand_in_postgres)]:
            of[f"{kind} by hand"] = pool.submit(
                lambda kind, in_kind, there: in_kind(of[kind].result(), there), kind, in_kind, folder("by_hand")
            )
        for name, todo in JOBS.items():
            of[name] = pool.submit(todo, of, folder(name.replace(" ", "_")))
        yield of
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def built(request: pytest.FixtureRequest, builds: Builds) -> Built:
    built: Built = builds[request.param].result()
    built.tell()
    return built


@pytest.fixture(scope="session", params=EMULATORS)
def emulated(request: pytest.FixtureRequest, builds: Builds) -> Emulated:
    emulated: Emulated = builds[request.param].result()
    emulated.built.tell()
    return emulated


@pytest.fixture(scope="session", params=["duckdb", "postgres", *EMULATORS])
def written_by_hand(request: pytest.FixtureRequest, builds: Builds) -> ByHand:
    if request.param in EMULATORS:
        return builds[request.param].result().by_hand
    return builds[f"{request.param} by hand"].result()


def figures(stage: Stage) -> list[str]:
    """The rows of each mart beside those of the sandbox, and the sums of its amounts."""
    lines = [f"{'mart':22} {'figure':24} {'in the mart':>14} {'in the sandbox':>14}"]
    for mart, rows in stage.rows.items():
        wanted, has = marts.right(stage.truth, mart), marts.found(mart, rows)
        lines.append(f"{mart:22} {'rows':24} {len(has):14} {len(wanted):14}")
        for place, column in enumerate(marts.COLUMNS[mart][1]):
            if column in SUMMED:
                sums = [sum(row[place] or 0 for row in values.values()) for values in (has, wanted)]
                lines.append(f"{'':22} {'sum of ' + column:24} {sums[0]:14.2f} {sums[1]:14.2f}")
    return lines


SUMMED = [
    "orders", "orders_under_review", "units", "quantity", "net_revenue", "tax", "subtotal_price", "total_tax", "revenue",
    "total_price", "refunded", "seconds_inside", "has_order", "is_purchase", "is_current",
]
