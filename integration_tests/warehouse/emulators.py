"""Emulators of Snowflake and BigQuery, filled as Airbyte's destinations fill the real ones.

Each lives in an environment of its own, since they want other versions of the same libraries.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent

Row = dict[str, Any]
Statement = str | Row
Types = dict[str, dict[str, str]]

# Airbyte's own columns.
OWN = {"_airbyte_extracted_at": "date-time", "_airbyte_meta": "object"}
TYPES = {
    "snowflake": {
        "integer": "number(38, 0)",
        "string": "varchar",
        "boolean": "boolean",
        "number": "float",
        "date-time": "timestamp_tz",
        "object": "object",
        "array": "array",
    },
    "bigquery": {
        "integer": "int64",
        "string": "string",
        "boolean": "bool",
        "number": "numeric",
        "date-time": "timestamp",
        "object": "json",
        "array": "json",
    },
}

# Those of PyAirbyte's caches, where they are others.
CACHE_TYPES = TYPES | {
    "snowflake": TYPES["snowflake"]
    | {"number": "number(38, 9)", "date-time": "timestamp_ntz", "object": "variant", "array": "variant"}
}


def kinds(schema: dict[str, Any]) -> dict[str, str]:
    """The columns of a stream with their kinds; a date and time counts as one."""
    of = {}
    for name, declared in schema["properties"].items():
        plain = next(kind for kind in declared["type"] if kind != "null")
        of[name] = declared.get("format", plain)
    return of | OWN


class Emulator:
    """A server on loopback, ended with the block it is used in."""

    kind: str
    dataset = "aifi"
    # What has to be there before the tables.
    prepare: list[str] = []

    def __init__(self, python: Path) -> None:
        self.python = python
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free, socket.socket() as other:
            free.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            self.port, self.other_port = free.getsockname()[1], other.getsockname()[1]
        self.log = Path(self.folder.name) / "log"
        with self.log.open("w") as log:
            # What it installs for itself stays in the folder.
            self.process = subprocess.Popen(
                [python, HERE / "server.py", self.kind, str(self.port), str(self.other_port)],
                stdout=log,
                stderr=log,
                env=os.environ | {"HOME": self.folder.name},
            )
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def run(self, statements: list[Statement]) -> list[list[tuple]]:
        """The rows of each statement, by the vendor's own client."""
        command = [str(self.python), str(HERE / "client.py"), self.kind, str(self.port)]
        done = subprocess.run(
            command, input=json.dumps(statements), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers = json.loads(done.stdout, object_hook=value)
        return [[tuple(row) for row in rows] for rows in answers]

    def table(self, stream: str) -> str:
        return f"{self.dataset}.{stream}"

    def create(self, table: str, columns: dict[str, str], types: Types = TYPES) -> str:
        declared = ", ".join(f"{self.name(name)} {types[self.kind][of]}" for name, of in columns.items())
        return f"create table {table} ({declared})"

    def fill(self, table: str, columns: dict[str, str], rows: list[Row], types: Types = TYPES) -> Iterator[Statement]:
        raise NotImplementedError

    def name(self, name: str) -> str:
        raise NotImplementedError


def value(of: dict[str, Any]) -> Any:
    """A value that JSON has no type for, as client.py writes it; or an object as it is."""
    if len(of) == 1:
        (kind, text), = of.items()
        read = {"decimal": Decimal, "datetime": datetime.fromisoformat, "date": date.fromisoformat}
        return read[kind](text) if kind in read else of
    return of


def literal(of: Any) -> str:
    if of is None:
        return "null"
    if isinstance(of, bool):
        return str(of).lower()
    if isinstance(of, (int, Decimal)):
        return str(of)
    text = of if isinstance(of, str) else json.dumps(of, ensure_ascii=False)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def standard_literal(of: Any) -> str:
    """As DuckDB and PostgreSQL read it."""
    return "'" + of.replace("'", "''") + "'" if isinstance(of, str) else literal(of)


class Snowflake(Emulator):
    """fakesnow: Snowflake's statements, translated for DuckDB."""

    kind = "snowflake"
    prepare = ["create schema if not exists aifi", "use schema aifi"]

    def name(self, name: str) -> str:
        return f'"{name.upper()}"'

    def fill(self, table: str, columns: dict[str, str], rows: list[Row], types: Types = TYPES) -> Iterator[Statement]:
        read = {
            of: ("parse_json({})::" if of in ("object", "array") else "{}::") + types[self.kind][of]
            for of in ("object", "array", "date-time")
        }
        selected = ", ".join(
            read.get(of, "{}").format(f"column{at}") for at, of in enumerate(columns.values(), 1)
        )
        for start in range(0, len(rows), 50):
            values = [
                "(" + ", ".join(literal(row[name]) for name in columns) + ")"
                for row in rows[start : start + 50]
            ]
            yield f"insert into {table} select {selected} from values {', '.join(values)}"


class BigQuery(Emulator):
    """bqemulator: BigQuery's interface over DuckDB."""

    kind = "bigquery"

    def name(self, name: str) -> str:
        return f"`{name}`"

    def fill(self, table: str, columns: dict[str, str], rows: list[Row], types: Types = TYPES) -> Iterator[Statement]:
        """Sent as rows: it takes a minute to read them as literals."""
        for start in range(0, len(rows), 500):
            sent = [
                {name: str(of) if isinstance(of, Decimal) else of for name, of in row.items()}
                for row in rows[start : start + 500]
            ]
            yield {"table": f"retailer.{table}", "rows": sent}
