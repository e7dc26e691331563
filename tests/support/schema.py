# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema that the commands' results have to be valid by."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

import jsonschema

_ROOT = pathlib.Path(__file__).parents[2]
FILE = _ROOT / "docs" / "source" / "cli" / "result.schema.json"


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def valid(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of ``s3gateway-manage --json`` that is as it should be."""
    _validator().validate(document)
    return document
