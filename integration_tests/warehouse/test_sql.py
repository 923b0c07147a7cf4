"""The SQL of the package and of the documentation, read by those who know the dialects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlfluff.core
import sqlglot
import sqlglot.errors
from wasmtime import Config
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder
from zetasql.core import wasm_client
from zetasql.core.exceptions import ServerError
from zetasql.types import (
    AnalyzerOptions,
    LanguageOptions,
    SimpleCatalog,
    SimpleTable,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

import documented
import warehouse
from conftest import EMULATORS, Builds, Emulated, schemas

WAREHOUSES = ["duckdb", "postgres", *EMULATORS]


def compiled(folder: Path, of: str = "target") -> dict[str, str]:
    """The package's statements as dbt has compiled them, but for the tests that dbt brings along, by name."""
    root = folder / of / "compiled" / "aifi"
    files = [path for path in root.rglob("*.sql") if not path.parent.name.endswith(".yml")]
    assert len(files) >= 19
    return {path.stem: path.read_text() for path in files}


@pytest.fixture(scope="module", params=WAREHOUSES)
def statements(request: pytest.FixtureRequest, builds: Builds) -> tuple[str, dict[str, str]]:
    """The dialect, and what is written in it: incremental models as they are compiled for later runs."""
    built = builds[request.param].result()
    if isinstance(built, Emulated):
        built = built.built
    of = compiled(built.dbt.folder)
    for page in documented.PAGES:
        for block in documented.blocks(page, request.param):
            of[" ".join(map(str, block.name))] = block.sql
    return request.param, of


def test_statements_parse(statements: tuple[str, dict[str, str]]) -> None:
    dialect, of = statements
    for name, sql in of.items():
        assert len(sqlglot.parse(sql, dialect=dialect)) == 1, name


def test_a_statement_that_is_wrong_does_not_parse() -> None:
    for dialect in WAREHOUSES:
        with pytest.raises(sqlglot.errors.ParseError):
            sqlglot.parse("select count(* from orders", dialect=dialect)


def test_statements_keep_to_the_rules_of_sqlfluff(statements: tuple[str, dict[str, str]]) -> None:
    dialect, of = statements
    found = {}
    for name, sql in of.items():
        told = violations(sql, dialect)
        if told:
            found[name] = told
    assert not found, json.dumps(found, indent=1)


@cache
def linter(dialect: str) -> sqlfluff.core.Linter:
    config = sqlfluff.core.FluffConfig.from_path(str(warehouse.PACKAGE), overrides={"dialect": dialect})
    return sqlfluff.core.Linter(config=config)


def violations(sql: str, dialect: str) -> list[str]:
    checked = linter(dialect).lint_string(sql.strip() + "\n")
    return [f"{told.rule_code()} line {told.line_no}: {told.desc()}" for told in checked.get_violations()]


def test_sqlfluff_finds_what_is_wrong() -> None:
    for dialect in WAREHOUSES:
        told = violations("select id from orders where session_id = null", dialect)
        assert any(line.startswith("CV05") for line in told), told


KINDS = {
    "integer": TypeKind.TYPE_INT64,
    "string": TypeKind.TYPE_STRING,
    "boolean": TypeKind.TYPE_BOOL,
    "number": TypeKind.TYPE_NUMERIC,
    "date-time": TypeKind.TYPE_TIMESTAMP,
    "object": TypeKind.TYPE_JSON,
    "array": TypeKind.TYPE_JSON,
}


class Google:
    """Google's own analyser, with a catalog of the tables as Airbyte makes them in BigQuery."""

    def __init__(self) -> None:
        self.language = LanguageOptions.maximum_features()
        self.tables: list[SimpleTable] = []
        for stream, columns in schemas().items():
            self.add(stream, [(name, KINDS[kind]) for name, kind in columns.items()])
        self.add("store_time_zones", [(name, TypeKind.TYPE_STRING) for name in ("store_id", "time_zone")])

    def add(self, name: str, columns: list[tuple[str, Any]]) -> None:
        table = TableBuilder(name)
        for column, kind in columns:
            table.add_column(column, kind)
        self.tables.append(table.build())
        self.analyser: Analyzer | None = None

    def catalog(self) -> SimpleCatalog:
        builder = CatalogBuilder("warehouse")
        for table in self.tables:
            builder.add_table(table)
        functions = ZetaSQLBuiltinFunctionOptions(language_options=self.language)
        return builder.with_builtin_functions(functions).build()

    def columns(self, sql: str) -> list[tuple[str, Any]]:
        """The columns of the answer with their types. What does not fit the catalog is refused."""
        if self.analyser is None:
            options = AnalyzerOptions(language_options=self.language)
            self.analyser = Analyzer(options, self.catalog())
        # Datasets are not catalogs here: a table is known by its own name.
        sql = re.sub(r"(`\w+`\.)+(?=`)", "", sql.replace("aifi.", ""))
        answer = self.analyser.analyze_statement(sql)
        return [(column.name, column.column.type) for column in answer.output_column_list]


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """The analyser is a program for a virtual machine: compiled once, in half a minute, and kept beside the environment."""
    home = Path(wasm_client.__file__).parents[5]
    settings = tmp_path_factory.mktemp("wasm") / "cache.toml"
    settings.write_text(f'[cache]\ndirectory = "{home / "wasm"}"\n')

    class Cached(Config):
        def __init__(self) -> None:
            super().__init__()
            self.cranelift_opt_level = "none"
            self.cache = str(settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wasm_client, "Config", Cached)
        yield Google()


def test_google_accepts_the_documentation(google: Google) -> None:
    for page in documented.PAGES:
        for block in documented.blocks(page, "bigquery"):
            columns = google.columns(block.sql)
            assert columns, block.name
            if view := re.search(r"create or replace view aifi\.(\w+)", block.sql):
                google.add(view[1], columns)
    for join in documented.joins("bigquery"):
        google.columns(join.sql())


@pytest.mark.usefixtures("google")
def test_google_accepts_the_package(builds: Builds) -> None:
    google = Google()
    folder = builds["bigquery"].result().built.dbt.folder
    first, later = compiled(folder, "first"), compiled(folder)
    manifest = json.loads((folder / "target" / "manifest.json").read_text())
    models = warehouse.models(manifest)
    known: set[str] = set()
    decimals: list[TypeKind] = []
    while models:
        ready = [
            node
            for node in models
            if all(on in known for on in node["depends_on"]["nodes"] if on.startswith("model."))
        ]
        assert ready
        for node in ready:
            columns = google.columns(first[node["name"]])
            google.add(node["name"], columns)
            known.add(node["unique_id"])
            # Among the receipts is a number of orders without a price.
            money = re.compile("(?!orders_).*(price|revenue|tax)$|refunded$")
            decimals += [of.type_kind for name, of in columns if money.match(name)]
        models = [node for node in models if node["unique_id"] not in known]
    for sql in later.values():
        assert google.columns(sql)
    assert len(decimals) > 30 and set(decimals) == {TypeKind.TYPE_NUMERIC}, "amounts are exact decimals"


def test_google_refuses_what_is_wrong(google: Google) -> None:
    for wrong in (
        "select totalCost from orders",
        "select o.id from orders o join stores s on o.storeId = s.id",
        "select sum(totalPrice) from orders",
        "select id from baskets",
    ):
        with pytest.raises(ServerError):
            google.columns(wrong)
