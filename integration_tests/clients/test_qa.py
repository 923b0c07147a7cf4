"""The checks that Airbyte runs on the connectors of its registry, for what of them a connector in Rust can be held to.

The checks ask for the language of a connector and pass over those that they do not know, so they are called directly.
Their package brings some two hundred others; only the modules of the checks are loaded.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any, Iterator

import pytest

from sandbox import ROOT

PACKAGE = "airbyte_ops_mcp"

# What is not done, and why. A check that passes has no place here: see the last test.
NOT_DONE = {
    "CheckConnectorUsesHTTPSOnly": "addresses of tests, of proxies and of schemas are http, and the connector refuses http "
    "but for loopback and private addresses",
}

# What Airbyte's checks are about that do not concern this connector.
NOT_OURS = {
    "ValidateMetadata": "its module needs the clients of Airbyte's registry; test_metadata.py holds the file to the same schema",
    "CheckConnectorLanguageTag": "knows Python, Java and manifests only",
    "CheckConnectorCDKTag": "of Python",
    "ValidateBreakingChangesDeadlines": "about the day of publication",
    "CheckDocumentationLinks": "asks every link over the network; docs/build checks them",
    "CheckConnectorUsesPoetry": "of Python",
    "CheckConnectorLicenseMatchInPyproject": "of Python",
    "CheckConnectorVersionMatchInPyproject": "of Python",
    "CheckPublishToPyPiIsDeclared": "of Python",
    "CheckManifestOnlyConnectorBaseImage": "of a manifest",
    "CheckConnectorUsesPythonBaseImage": "of Python",
}


@pytest.fixture(scope="module")
def checks() -> dict[str, Any]:
    """The checks, by name."""
    folder = metadata.distribution("airbyte-internal-ops").locate_file(PACKAGE)
    # In place of the packages' own modules, which load everything.
    for name in ("", ".connector_qa.checks"):
        module = types.ModuleType(PACKAGE + name)
        module.__path__ = [str(Path(str(folder), *name.split(".")))]
        sys.modules[PACKAGE + name] = module
    validator = types.ModuleType(f"{PACKAGE}.metadata_validator")
    for name in ("PRE_UPLOAD_VALIDATORS", "ValidatorOptions", "validate_and_load"):
        setattr(validator, name, None)
    sys.modules[validator.__name__] = validator
    found = {}
    # Not of these: `version`, which compares with the connector in Airbyte's own repository.
    for part in ("documentation", "metadata", "security", "packaging", "assets"):
        module = importlib.import_module(f"{PACKAGE}.connector_qa.checks.{part}")
        found |= {type(check).__name__: check for check in module.ENABLED_CHECKS}
    return found


@pytest.fixture
def connector(
    checks: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The connector where it would be in Airbyte's repository."""
    home = tmp_path / "airbyte-integrations/connectors/source-aifi"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, home / name)
    (home / "source_aifi").mkdir()
    shutil.copy(ROOT / "spec/spec.json", home / "source_aifi/spec.json")
    docs = tmp_path / "docs/integrations/sources"
    docs.mkdir(parents=True)
    for page in ("aifi.md", "aifi-migrations.md"):
        shutil.copy(ROOT / "docs" / page, docs / page)
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"{PACKAGE}.connector_ops.utils")
    yield module.Connector("source-aifi")


def failures(checks: dict[str, Any], connector: Any) -> dict[str, str]:
    """What does not pass, and what is said of it."""
    results = {
        name: check._run(connector) for name, check in checks.items() if name not in NOT_OURS
    }
    return {name: result.message for name, result in results.items() if result.status.name != "PASSED"}


def test_what_does_not_pass_is_known(checks: dict[str, Any], connector: Any) -> None:
    failed = failures(checks, connector)
    assert failed.keys() <= NOT_DONE.keys(), failed
    assert failed.keys() == NOT_DONE.keys(), "done by now"
    assert len(checks) > 20 and NOT_OURS.keys() <= checks.keys()


def test_the_checks_find_what_is_wrong(checks: dict[str, Any], connector: Any) -> None:
    page = Path("docs/integrations/sources/aifi.md")
    page.write_text(page.read_text().replace("## IP allow list", "## Addresses"))
    failed = failures(checks, connector)
    assert {"CheckIpAllowListSectionContent", "CheckDocumentationHeadersOrder"} <= failed.keys()
