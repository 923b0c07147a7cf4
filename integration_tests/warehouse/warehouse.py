"""Runs dbt and PyAirbyte as a retailer does: from the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "dbt"
MARTS_SCHEMA = "analytics_aifi"
STAGING_SCHEMA = "analytics_aifi_staging"
LOGS = Path(os.environ["WAREHOUSE_LOGS"]) if "WAREHOUSE_LOGS" in os.environ else None


class Project:
    """A retailer's project, with the package installed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(HERE / "project", folder, dirs_exist_ok=True)
        command = [Path(sys.executable).parent / "dbt", "deps", "--profiles-dir", folder]
        environment = os.environ | {"AIFI_PACKAGE": str(PACKAGE)}
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)

    def dbt(self, folder: Path, target: str, python: Path = Path(sys.executable), **place: str) -> Dbt:
        """A copy of it with a database, and the dbt of an environment."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Dbt(self, folder, target, python, place)


class Dbt:
    """The commands of dbt, with one database."""

    def __init__(
        self, project: Project, folder: Path, target: str, python: Path, place: dict[str, str]
    ) -> None:
        self.project, self.folder, self.target = project, folder, target
        self.dbt = python.parent / "dbt"
        # That of the test's folder, which has a number.
        self.name = next(part for part in reversed(folder.parts) if part[-1].isdigit())
        self.environment = os.environ | {
            "AIFI_PACKAGE": str(PACKAGE),
            **{f"WAREHOUSE_{name.upper()}": value for name, value in place.items()},
        }

    def __call__(self, *arguments: str, fails: bool = False, **variables: Any) -> list[dict[str, Any]]:
        """The results of a command, as dbt tells them."""
        command = [str(self.dbt), "--no-use-colors", *arguments, "--profiles-dir", str(self.folder)]
        command += ["--target", self.target]
        if variables:
            command += ["--vars", json.dumps(variables)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        last = [line.partition("  ")[2] for line in done.stdout.splitlines() if "Done. PASS" in line]
        print(f"dbt {' '.join(arguments)} on {self.target}:", *last)
        if LOGS is not None:
            # One file for each database: what dbt has said, in the order of its commands.
            with (LOGS / f"{self.target}-{self.name}.log").open("a") as log:
                log.write(f"dbt {' '.join(arguments)} {json.dumps(variables) if variables else ''}\n{done.stdout}\n")
        assert (done.returncode != 0) == fails, done.stdout[-6000:] + done.stderr
        results = self.folder / "target" / "run_results.json"
        return json.loads(results.read_text())["results"] if last else []

    def compiled(self, template: str) -> str:
        """What dbt makes of a statement, without asking the database."""
        command = [str(self.dbt), "--quiet", "compile", "--no-introspect", "--no-populate-cache"]
        command += ["--inline", template, "--profiles-dir", str(self.folder), "--target", self.target]
        command += ["--target-path", "inline"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def summary(results: list[dict[str, Any]]) -> str:
    """How many of each there were, and how they ended."""
    counts = Counter((result["unique_id"].partition(".")[0], result["status"]) for result in results)
    kinds = {"seed": "seeds", "model": "models", "test": "tests"}
    told = [
        f"{sum(count for (of, _), count in counts.items() if of == kind)} {name}"
        for kind, name in kinds.items()
    ]
    ended = Counter(result["status"] for result in results if result["unique_id"].startswith("test."))
    ends = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
    return ", ".join(told) + (f" ({ends})" if ends else "")


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of the package."""
    nodes = manifest["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model" and node["package_name"] == "aifi"]


def names(results: list[dict[str, Any]], *statuses: str) -> list[str]:
    """What ended so, by name: a test without its digest."""
    return sorted(
        result["unique_id"].split(".")[2] for result in results if result["status"] in statuses
    )


def sync(python: Path, kind: str, place: str, folder: Path, config: dict[str, Any]) -> None:
    """PyAirbyte lives in an environment of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(python), str(HERE / "sync.py"), kind, place, str(folder), json.dumps(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
