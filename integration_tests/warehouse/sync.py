"""One sync by PyAirbyte, in the environment of its tests: sync.py KIND PLACE FOLDER CONFIG."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import replica  # noqa: E402
from sandbox import discover  # noqa: E402


def main(kind: str, place: str, folder: str, config: str) -> None:
    there = Path(folder)
    if kind == "duckdb":
        cache = replica.DuckDBCache(
            db_path=place, schema_name=replica.SCHEMA, cache_dir=there / "cache"
        )
    else:
        port, _, database = place.partition("/")
        cache = replica.postgres(int(port), database, there)
    streams = list(discover(there).values())
    print(replica.Replica(cache, json.loads(config), streams).sync())


main(*sys.argv[1:])
