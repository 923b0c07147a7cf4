"""metadata.yaml and its neighbours are what Airbyte's registry takes."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml
from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import (
    ConnectorMetadataDefinitionV0,
)

from sandbox import ROOT, Stream

SIMPLE_TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}


def mended(schema: Any) -> Any:
    """The published schema names types that are none (`ConnectorMetric`, where a reference was meant), and its parts have
    addresses of their own, against which references to the whole do not resolve."""
    if isinstance(schema, list):
        return [mended(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    broken = isinstance(schema.get("type"), str) and schema["type"] not in SIMPLE_TYPES
    left_out = {"$id"} | ({"type"} if broken else set())
    return {key: mended(part) for key, part in schema.items() if key not in left_out}


@pytest.fixture
def metadata() -> dict[str, Any]:
    # By way of JSON, as the registry keeps it: dates become texts.
    return json.loads(json.dumps(yaml.safe_load((ROOT / "metadata.yaml").read_text()), default=str))


def validator() -> jsonschema.Draft7Validator:
    folder = resources.files("airbyte_connector_models.metadata.v0")
    schema = mended(json.loads((folder / "ConnectorMetadataDefinitionV0.json").read_text()))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_metadata_fits_the_published_schema(metadata: dict[str, Any]) -> None:
    assert [error.message for error in validator().iter_errors(metadata)] == []


def test_the_metadata_fits_the_published_model(metadata: dict[str, Any]) -> None:
    ConnectorMetadataDefinitionV0.model_validate(metadata)


def test_the_mended_schema_still_refuses(metadata: dict[str, Any]) -> None:
    del metadata["data"]["license"]
    metadata["data"]["more"] = 1
    assert len(list(validator().iter_errors(metadata))) == 2


def test_every_suggested_stream_is_discovered(
    metadata: dict[str, Any], streams: dict[str, Stream]
) -> None:
    assert set(metadata["data"]["suggestedStreams"]["streams"]) <= streams.keys()
