"""Runs dbt and PyAirbyte as a retailer does: from the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "dbt"
MARTS_SCHEMA = "analytics_aifi"


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
