# SPDX-License-Identifier: Apache-2.0
"""What Glance's own driver sends, release by release, and that the face answers it.

The record is in ``tests/fixtures/face``.  With ``S3GATEWAY_RECORD`` set it is written.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator

import pytest

from s3gateway.face import requests
from tests.support.face.ground import Ground
from tests.support.servers import environments

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "face"
#: How the driver is configured beside the usual, by the name in the record.
CHECKSUMS = {
    "s3_store_enable_data_integrity_protection": "true",
    "s3_store_request_checksum_calculation": "when_supported",
    "s3_store_response_checksum_validation": "when_supported",
}
FULL = pytest.mark.full
DRIVERS = [
    pytest.param("glance-30", "http", {}),
    pytest.param("glance-30", "https", {}),
    pytest.param("glance-31", "http", {}, marks=FULL),
    pytest.param("glance-31", "https", {}, marks=FULL),
    pytest.param("glance-32", "http", {}, marks=FULL),
    pytest.param("glance-32", "https", {}, marks=FULL),
    pytest.param("glance-33", "http", {}),
    pytest.param("glance-33", "https", {}),
    pytest.param("glance-33", "http", CHECKSUMS, marks=FULL),
    pytest.param("glance-33", "https", CHECKSUMS),
    pytest.param("boto3-1.34", "http", {}, marks=FULL),
    pytest.param("boto3-1.34", "https", {}, marks=FULL),
]

#: What comes of each step, as if S3 itself answered.
OUTCOMES = {
    "add in one request": "stored",
    "add in parts": "stored",
    "add of unknown size": "stored",
    "add of nothing": "stored",
    "get": [12 * 1024**2, 12 * 1024**2],
    "get of nothing": [0, 0],
    "get of a chunk": "StoreRandomGetNotSupported",
    "size": 12 * 1024**2,
    "add of what is there": "Duplicate",
    "add with a part that fails": "BackendException",
    "add to a bucket that is not there": "BadStoreConfiguration",
    "delete small": "deleted",
    "delete large": "deleted",
    "delete unknown": "deleted",
    "delete empty": "deleted",
    "get of what is gone": "NotFound",
}

Record = dict[str, list[str]]


@pytest.fixture
def ground(tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    found = Ground(tmp_path, request.getfixturevalue("scheme"))
    with found.server:
        yield found


def record_of(name: str) -> Record:
    path = FIXTURES / f"{name}.json"
    found: Record = json.loads(path.read_text()) if path.exists() else {}
    return found


@pytest.mark.parametrize(("release", "scheme", "options"), DRIVERS)
def test_the_driver_asks_what_the_record_has_and_the_face_answers(
    ground: Ground, release: str, scheme: str, options: dict[str, str]
) -> None:
    python = environments.bin_dir(release) / "python"
    found: Record = {}
    outcomes = {}
    for name, outcome in ground.run(python, **options):
        asked = ground.asked()
        found[name] = list(dict.fromkeys(line for line, _ in asked))
        outcomes[name] = outcome
        for line, status in asked:
            assert status in (200, 204, 403, 404), (name, line, status)
    assert outcomes == OUTCOMES
    name = f"{release}-{scheme}{'-checksums' if options == CHECKSUMS else ''}"
    if "S3GATEWAY_RECORD" in os.environ:
        (FIXTURES / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")
    assert found == record_of(name)


@pytest.mark.parametrize("scheme", ["http"])
@pytest.mark.parametrize(
    "release", ["glance-33", pytest.param("glance-30", marks=FULL)]
)
def test_the_driver_may_name_the_bucket_in_the_host(
    ground: Ground, release: str, scheme: str
) -> None:
    """It then asks the same, and the face has to have ``face_domain``."""
    python = environments.bin_dir(release) / "python"
    found: Record = {}
    outcomes = {}
    for name, outcome in ground.run(python, s3_store_bucket_url_format="virtual"):
        found[name] = list(dict.fromkeys(line for line, _ in ground.asked()))
        outcomes[name] = outcome
    assert outcomes == OUTCOMES
    assert found == record_of(f"{release}-http")


def test_all_that_is_recorded_is_implemented() -> None:
    records = sorted(FIXTURES.glob("*.json"))
    assert len(records) == len(DRIVERS)
    operations = set()
    for path in records:
        for lines in json.loads(path.read_text()).values():
            operations |= {requests.operation_of(*_parts(line)) for line in lines}
    assert operations == requests.OPERATIONS


def _parts(line: str) -> tuple[str, bool, tuple[str, ...]]:
    """Return the method, whether it is an object's, and the parameters."""
    method, _, rest = line.partition(" ")
    where, _, query = rest.partition(";")[0].partition("?")
    return method, where == "object", tuple(filter(None, query.split("&")))
