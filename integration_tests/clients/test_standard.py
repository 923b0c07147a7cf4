"""The standard tests of airbyte-cdk, on the binary and on the image.

The CDK has suites for connectors in Python and for images. The suite for a source in Python is the fuller one, and asks
only that a command can be run; here it runs the binary.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput
from airbyte_cdk.test.standard_tests._catalog_checks import DiscoveredCatalogWarning
from airbyte_cdk.test.standard_tests._spec_compatibility import (
    compare_specs,
    declared_breaking_changes,
)
from airbyte_cdk.test.standard_tests.docker_base import DockerConnectorTestSuite
from airbyte_cdk.test.standard_tests.source_base import SourceTestSuiteBase

from conftest import engine_with
from sandbox import CONNECTOR, ROOT, Sandbox, run

IMAGE = os.environ.get("AIFI_IMAGE", "airbyte/source-aifi:ci")

# Of the order details each costs a request, of all streams each is read several times.
SANDBOX = ["--orders=60", "--contested-percent=20"]


def connector_folder(folder: Path, base_url: str) -> Path:
    """The files of the connector as a suite wants them, with the sandbox's address in the configurations."""
    root = folder / "source-aifi"
    (root / "integration_tests").mkdir(parents=True)
    for name in ("acceptance-test-config.yml", "metadata.yaml"):
        shutil.copy(ROOT / name, root / name)
    for path in (ROOT / "integration_tests").glob("*.json"):
        content = json.loads(path.read_text())
        if path.name.endswith("_config.json"):
            content["base_url"] = base_url
        (root / "integration_tests" / path.name).write_text(json.dumps(content))
    return root


def gateway() -> str:
    """The address at which containers on the default network reach this machine."""
    inspect = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    output = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout
    network = json.loads(output)[0]
    # An engine that has just been started names the subnet only; its first address becomes the gateway.
    return network.get("Gateway") or str(ip_network(network["Subnet"])[1])


class AtTheSandbox:
    """Gives a suite the connector's folder. The scenarios are collected before there is a sandbox, from the real one."""

    folder: Path = ROOT

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return cls.folder

    # Compares with the version in Airbyte's registry, which has none of this connector; the test at the end compares
    # with the last release.
    test_docker_image_spec_backward_compatibility = None


class Binary:
    """Stands for the connector where the suite hands around an object."""

    def spec(self, *_: Any) -> None:
        raise NotImplementedError("commands are run by run_binary")


def run_binary(source: Binary, args: list[str], **_: Any) -> EntrypointOutput:
    """What the CDK does with a command and an image, with a command and the binary."""
    command = [str(CONNECTOR), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    failure = None
    if done.returncode:
        failure = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return EntrypointOutput(
        command=command,
        # Not splitlines: a text in a record may hold a line separator of Unicode's.
        messages=[line for line in done.stdout.split("\n") if line],
        stderr=done.stderr,
        uncaught_exception=failure,
    )


# What the suite only warns of today will fail soon, its authors say.
@pytest.mark.filterwarnings(
    f"error::{DiscoveredCatalogWarning.__module__}.DiscoveredCatalogWarning"
)
class TestBinary(AtTheSandbox, SourceTestSuiteBase):
    # These are for the image.
    test_docker_image_build_and_spec = None
    test_docker_image_build_and_check = None
    test_docker_image_build_and_config_matches_spec = None
    test_docker_image_build_and_discover = None
    test_docker_image_build_and_read = None

    @classmethod
    def create_connector(cls, scenario: Any) -> Binary:
        return Binary()

    @pytest.fixture(autouse=True, scope="class")
    def sandbox(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        cls = TestBinary
        with Sandbox(*SANDBOX) as sandbox, pytest.MonkeyPatch.context() as patch:
            patch.setattr(entrypoint_wrapper, "_run_command", run_binary)
            root = connector_folder(tmp_path_factory.mktemp("binary"), sandbox.base_url())
            patch.setattr(cls, "folder", root)
            yield


class TestImage(AtTheSandbox, DockerConnectorTestSuite):
    @pytest.fixture
    def connector_image_override(self) -> str:
        return IMAGE

    @pytest.fixture(autouse=True, scope="class")
    def sandbox(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        if missing := engine_with(IMAGE):
            pytest.skip(f"the image was not tested: {missing}")
        with Sandbox(*SANDBOX, address="0.0.0.0") as sandbox, pytest.MonkeyPatch.context() as patch:
            root = connector_folder(tmp_path_factory.mktemp("image"), sandbox.base_url(gateway()))
            patch.setattr(TestImage, "folder", root)
            yield


def released() -> Path:
    """The folder of the last release."""
    folders = (ROOT / "integration_tests" / "released").iterdir()
    return max(folders, key=lambda folder: [int(number) for number in folder.name.split(".")])


def test_the_specification_takes_the_configurations_of_the_last_release(tmp_path: Path) -> None:
    """By Airbyte's own comparison. A breaking change has to be declared in metadata.yaml."""
    before = json.loads((released() / "spec.json").read_text())
    comparison = compare_specs(before, run("spec", tmp_path)[0]["spec"])
    metadata = yaml.safe_load((ROOT / "metadata.yaml").read_text())["data"]
    declared = declared_breaking_changes(metadata, released().name, metadata["dockerImageTag"])
    assert declared or not comparison.breaking, "\n".join(comparison.breaking)
