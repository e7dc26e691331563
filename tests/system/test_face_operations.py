# SPDX-License-Identifier: Apache-2.0
"""What Glance's own driver sends, release by release, and that the face answers it.

The record is in ``tests/fixtures/face``.  With ``S3GATEWAY_RECORD`` set it is written.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
import trustme

from s3gateway.face import requests
from tests.support import face
from tests.support.face.recording import BUCKET
from tests.support.servers import environments
from tests.support.servers.glance import ini
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "face"
DRIVER = pathlib.Path(face.__file__).with_name("driver.py")
ACCESS_KEY, SECRET_KEY = "FACEKEY", "a-secret/of+the=face/for-the-driver"

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


class Ground:
    """A face that writes down what it is asked.

    :ivar url: of the face
    :ivar cacert: of its certificate, over TLS
    """

    def __init__(self, directory: pathlib.Path, scheme: str) -> None:
        self._directory = directory
        self._port = free_port()
        self.url = f"{scheme}://localhost:{self._port}"
        self.cacert = directory / "ca.pem"
        self.record = directory / "record"
        keys = directory / "face-keys"
        keys.write_text(f"{ACCESS_KEY} {SECRET_KEY}\n")
        keys.chmod(0o600)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.cacert))
        certificate = authority.issue_cert("localhost")
        pem = directory / "face.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
        tls = [f"--certfile={pem}", f"--keyfile={pem}"] if scheme == "https" else []
        self.server = Server(
            "face",
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--worker-class=gthread",
                "--threads=16",
                f"--bind=127.0.0.1:{self._port}",
                *tls,
                "tests.support.face.recording:application",
            ],
            log=directory / "face.log",
            env={
                "PYTHONPATH": str(environments.ROOT),
                "FACE_KEYS": str(keys),
                "FACE_RECORD": str(self.record),
            },
        )

    def config(self, **options: str) -> pathlib.Path:
        """Write the driver's configuration."""
        store = {
            "s3_store_host": self.url,
            "s3_store_access_key": ACCESS_KEY,
            "s3_store_secret_key": SECRET_KEY,
            "s3_store_bucket": BUCKET,
            "s3_store_create_bucket_on_put": "true",
            "s3_store_bucket_url_format": "path",
            "s3_store_large_object_size": "8",
            "s3_store_large_object_chunk_size": "5",
            **options,
        }
        path = self._directory / "glance-api.conf"
        path.write_text(
            ini(
                {
                    "DEFAULT": {"enabled_backends": "fast:s3, other:s3"},
                    "glance_store": {"default_backend": "fast"},
                    "fast": store,
                    "other": {**store, "s3_store_bucket": "no-bucket"},
                }
            )
        )
        return path

    def run(self, python: pathlib.Path, **options: str) -> Iterator[tuple[str, object]]:
        """Let the driver take its steps; yield each with its outcome."""
        self.server.wait_for_port(self._port)
        with subprocess.Popen(
            [str(python), str(DRIVER), str(self.config(**options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "AWS_CA_BUNDLE": str(self.cacert),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        ) as driver:
            assert driver.stdin is not None
            assert driver.stdout is not None
            for line in driver.stdout:
                name, outcome = json.loads(line)
                yield name, outcome
                driver.stdin.write("\n")
                driver.stdin.flush()
        assert driver.returncode == 0

    def asked(self) -> list[tuple[str, int]]:
        """Return the requests since the last call, with the statuses of the answers."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().splitlines()
        self.record.write_text("")
        return [(asked, status) for asked, status in map(json.loads, lines)]


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
