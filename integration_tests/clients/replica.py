"""A database that PyAirbyte keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import airbyte
import sqlalchemy
from airbyte.caches import DuckDBCache, PostgresCache
from airbyte.caches.base import CacheBase

from sandbox import CONNECTOR, Row, Stream, parse

SCHEMA = "aifi"


def source(config: Row, executable: Path = CONNECTOR) -> airbyte.Source:
    return airbyte.get_source(
        "source-aifi", config=config, local_executable=executable, install_if_missing=False
    )


class Replica:
    """The tables of one database, and the source that fills them."""

    def __init__(self, cache: CacheBase, config: Row, streams: list[Stream]) -> None:
        self.cache, self.config, self.streams = cache, config, streams
        # PyAirbyte fills every database but DuckDB by way of `pandas.read_json`, which guesses: a text column whose
        # values all look like numbers becomes one of floats. "15.70" arrives as "15.7", and digits past the
        # sixteenth are lost. Nothing that a source writes can prevent it.
        self.guesses = isinstance(cache, PostgresCache)

    def sync(self, executable: Path = CONNECTOR) -> int:
        """One sync, with a client that knows only what the database has kept. The number of records."""
        reader = source(self.config, executable)
        reader.select_streams([stream.name for stream in self.streams])
        return reader.read(cache=self.cache).processed_records

    def rows(self, stream: Stream) -> list[Row]:
        """The rows of a table, by the stream's own names. Nested values come as the text that was stored, parsed."""
        nested = {name for name in stream.properties if stream.kind(name) in ("object", "array")}
        columns = []
        for name in stream.properties:
            # PyAirbyte's columns are in lower case.
            column = f'"{name.lower()}"'
            columns.append(f"cast({column} as varchar)" if name in nested else column)
        select = f"select {', '.join(columns)}, _airbyte_extracted_at from {SCHEMA}.{stream.name}"
        with self.cache.get_sql_engine().connect() as connection:
            found = connection.execute(sqlalchemy.text(select)).fetchall()
        rows = []
        for values in found:
            row: dict[str, Any] = dict(zip([*stream.properties, "_extracted_at"], values))
            row.update({name: parse(row[name]) for name in nested if row[name] is not None})
            rows.append(row)
        return rows

    def tables(self) -> dict[str, list[Row]]:
        return {stream.name: self.rows(stream) for stream in self.streams}

    def kept_states(self) -> dict[str, Row]:
        """The state of each stream that the next sync resumes from."""
        select = f"select stream_name, state_json from {SCHEMA}._airbyte_state"
        with self.cache.get_sql_engine().connect() as connection:
            found = connection.execute(sqlalchemy.text(select)).fetchall()
        return {name: parse(text)["stream"]["stream_state"] for name, text in found}


def duckdb(folder: Path) -> DuckDBCache:
    return DuckDBCache(
        db_path=folder / "replica.duckdb", schema_name=SCHEMA, cache_dir=folder / "cache"
    )


def postgres(port: int, database: str, folder: Path) -> PostgresCache:
    return PostgresCache(
        host="127.0.0.1",
        port=port,
        database=database,
        username="aifi",
        password="not-asked-for",
        schema_name=SCHEMA,
        cache_dir=folder / "cache",
    )
