"""Runs statements by a vendor's own client: client.py KIND PORT, the statements as JSON on stdin, their rows on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def snowflake(port: str) -> Iterator[Any]:
    import snowflake.connector

    connection = snowflake.connector.connect(
        user="aifi", password="not-asked-for", account="fakesnow", host="127.0.0.1", port=int(port),
        protocol="http", database="retailer", schema="aifi",
        session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    )
    yield None
    statement = ""
    while True:
        cursor = connection.cursor()
        cursor.execute(statement) if statement else None
        statement = yield cursor.fetchall() if statement and cursor.description else []


def bigquery(port: str) -> Iterator[Any]:
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(
        project="retailer",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=f"http://127.0.0.1:{port}"),
    )
    client.create_dataset("aifi", exists_ok=True)
    yield None
    statement = ""
    while True:
        if isinstance(statement, dict):
            failed = client.insert_rows_json(statement["table"], statement["rows"])
            assert not failed, failed
            statement = yield []
            continue
        rows = client.query(statement).result() if statement else []
        statement = yield [tuple(row.values()) for row in rows]


def tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    raise TypeError(type(value))


def main(kind: str, port: str) -> None:
    runner = {"snowflake": snowflake, "bigquery": bigquery}[kind](port)
    next(runner)
    next(runner)
    answers = []
    for statement in json.load(sys.stdin):
        try:
            answers.append(runner.send(statement))
        except Exception as failure:
            sys.exit(f"{failure}\n{str(statement)[:3000]}")
    json.dump(answers, sys.stdout, default=tagged)


main(*sys.argv[1:])
