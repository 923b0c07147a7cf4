"""The connector's binary and the sandbox it reads from."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("AIFI_BINARIES", ROOT / "target" / "release"))
CONNECTOR = BINARIES / "source-aifi"
TOKEN = "sandbox-token-0123456789"

Row = dict[str, Any]


def parse(text: str) -> Any:
    """JSON, with every number as it is written."""
    return json.loads(text, parse_float=Decimal)


class Sandbox:
    """An API on a free port, ended with the block it is used in. Its clock stands still unless it is moved."""

    def __init__(self, *options: str, address: str = "127.0.0.1") -> None:
        self.options, self.address, self.port = options, address, 0
        self.process = self._start("2025-12-01T00:00:00Z")

    def _start(self, now: str) -> subprocess.Popen[str]:
        command = [BINARIES / "aifi-sandbox", f"--listen={self.address}:{self.port}"]
        command += ["--frozen", f"--now={now}", f"--token={TOKEN}", *self.options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        listening = process.stdout.readline()
        assert listening.startswith("listening on "), listening
        self.port = urllib.parse.urlsplit(listening.split()[2]).port
        return process

    def kill(self, now: str) -> None:
        """As `kill -9` does, and starts it again where it listened, at another time and knowing nothing."""
        self.process.kill()
        self.process.wait()
        self.process = self._start(now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def base_url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/api/admin/v2"

    def config(self, **more: Any) -> Row:
        return {
            "credentials": {"auth_type": "access_token", "access_token": TOKEN},
            "start_date": "2025-01-01T00:00:00Z",
            "base_url": self.base_url(),
            "requests_per_second": 20,
            **more,
        }

    def control(self, method: str, command: str, **parameters: Any) -> Any:
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}/_sandbox/{command}?{query}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return parse(answer.read())

    def expected(self, of: str = "") -> list[Row]:
        return self.control("GET", f"expected/{of}".rstrip("/"))

    def requests(self) -> int:
        return self.control("GET", "stats")["requests"]


def run(command: str, folder: Path, **files: Any) -> list[Row]:
    """The messages of a run of the connector that succeeds."""
    arguments = [CONNECTOR, command]
    for option, content in files.items():
        path = folder / f"{option}.json"
        path.write_text(json.dumps(content))
        arguments += [f"--{option}", path]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return [parse(line) for line in done.stdout.split("\n") if line]


class Stream:
    """What `discover` says of a stream."""

    def __init__(self, told: Row) -> None:
        self.told = told
        self.name: str = told["name"]
        self.properties: dict[str, Row] = told["json_schema"]["properties"]
        self.key: list[str] = [path[0] for path in told["source_defined_primary_key"]]
        self.incremental = "incremental" in told["supported_sync_modes"]
        self.cursor: str | None = next(iter(told.get("default_cursor_field", [])), None)

    def kind(self, field: str) -> str:
        """The type of a field; a date and time counts as a type."""
        declared = self.properties[field]
        if declared.get("format") == "date-time":
            return "date-time"
        return next(kind for kind in declared["type"] if kind != "null")

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[field] for field in self.key)


def discover(folder: Path) -> dict[str, Stream]:
    """The streams by name. Asks no API."""
    config = json.loads((ROOT / "integration_tests" / "valid_config.json").read_text())
    messages = run("discover", folder, config=config)
    catalog = next(message["catalog"] for message in messages if message["type"] == "CATALOG")
    return {told["name"]: Stream(told) for told in catalog["streams"]}


def written(config: Row, streams: list[Stream], folder: Path) -> dict[str, dict[tuple, Row]]:
    """What the connector itself says the rows are: a full refresh without a client, by key."""
    configured = [
        {"stream": stream.told, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        for stream in streams
    ]
    by_name = {stream.name: stream for stream in streams}
    rows: dict[str, dict[tuple, Row]] = {name: {} for name in by_name}
    for message in run("read", folder, config=config, catalog={"streams": configured}):
        if message["type"] == "RECORD":
            name, row = message["record"]["stream"], message["record"]["data"]
            rows[name][by_name[name].key_of(row)] = row
    return rows
