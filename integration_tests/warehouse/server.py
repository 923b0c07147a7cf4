"""Serves an emulator on loopback until it is terminated: server.py KIND PORT OTHER_PORT."""

from __future__ import annotations

import sys
from importlib.resources import files


def snowflake(port: str, _: str) -> None:
    import threading

    import fakesnow
    from fakesnow import transforms
    from sqlglot import exp

    # It adds up columns as floats, for the sake of texts; Snowflake adds up numbers exactly, and the models no texts.
    # And it has no temporary view in a schema, such as dbt makes for an incremental model: here it is a lasting one.
    def without_temporary(expression: exp.Expression) -> exp.Expression | None:
        return None if isinstance(expression, exp.TemporaryProperty) else expression

    transforms.numeric_agg_implicit_cast = without_temporary
    with fakesnow.server(port=int(port)):
        threading.Event().wait()


def bigquery(port: str, other: str) -> None:
    import duckdb
    from bqemulator.cli import main

    # It would fetch this extension from the network.
    extension = files("duckdb_extension_spatial") / f"extensions/v{duckdb.__version__}/spatial.duckdb_extension"
    duckdb.execute(f"install '{extension}'")
    main(["start", "--rest-port", port, "--grpc-port", other, "--project", "retailer"])


{"snowflake": snowflake, "bigquery": bigquery}[sys.argv[1]](*sys.argv[2:])
