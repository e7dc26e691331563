# SPDX-License-Identifier: Apache-2.0
"""The stores that keep the contract: S3 servers, and the tests' own in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import secrets
import uuid
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from s3gateway.config.keys import Keys
from s3gateway.config.stores import Writing
from s3gateway.s3.store import S3Store
from s3gateway.store import ObjectStore
from tests.conftest import S3_SERVER
from tests.support.face import serving
from tests.support.s3 import catalog
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.s3server import S3Server
from tests.support.s3.stores import TRANSFER
from tests.support.s3.stores import bucket_of
from tests.support.s3.stores import s3_store

GLANCE_ID = "of-the-contract"

Running = Callable[[str], S3Server]


@pytest.fixture(scope="session")
def running(
    workspace: pathlib.Path, request: pytest.FixtureRequest
) -> Iterator[Running]:
    """S3 servers by name; each is started when it is first asked for."""
    found: dict[str, S3Server] = {}
    with contextlib.ExitStack() as stack:

        def server(name: str) -> S3Server:
            if name == S3_SERVER:
                found[name] = request.getfixturevalue("s3")
            if name not in found:
                if reason := catalog.missing(name):
                    pytest.skip(f"{name} was not run: {reason}")
                started = catalog.serving(name, workspace / name)
                found[name] = stack.enter_context(started)
            return found[name]

        yield server


@dataclasses.dataclass
class Subject:
    """A store under test, with its own bucket.

    :ivar server: what it is on, ``None`` for memory
    :ivar used: the keys that the test has used
    """

    store: ObjectStore
    server: S3Server | None
    used: list[str] = dataclasses.field(default_factory=list)

    def key(self, name: str = "") -> str:
        """Return a key that nobody has used."""
        self.used.append(name or f"{uuid.uuid4()}.{secrets.token_hex(8)}")
        return self.used[-1]

    def left(self) -> list[str]:
        """Return the objects and open uploads there are, as a foreign client sees."""
        if isinstance(self.store, MemoryStore):
            return sorted([*self.store.objects_by_key, *self.store.open_uploads])
        assert self.server is not None
        client, bucket = self.server.client(), bucket_of(self.store)
        found = [
            entry["Key"]
            for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])
        ]
        for key in self.used:  # MinIO lists uploads by their whole key only
            answer = client.list_multipart_uploads(Bucket=bucket, Prefix=key)
            found += [f"upload of {u['Key']}" for u in answer.get("Uploads", [])]
        return sorted(found)


def of_server(name: str) -> object:
    """Return a parameter; those that are not for the default tier are marked."""
    marks = () if name in catalog.DEFAULT_TIER else (pytest.mark.full,)
    return pytest.param(name, marks=marks)


@pytest.fixture(params=[of_server(name) for name in catalog.NAMES])
def server(request: pytest.FixtureRequest, running: Running) -> S3Server:
    """A server."""
    return running(request.param)


SUBJECTS = ["memory", *[of_server(name) for name in catalog.NAMES]]
FACE = "face"


@pytest.fixture(params=SUBJECTS)
def subject(
    request: pytest.FixtureRequest, running: Running, tmp_path: pathlib.Path
) -> Iterator[Subject]:
    """A store; the test fails if it leaves an object or an upload behind."""
    with _subject(request.param, running, tmp_path) as found:
        yield found


@pytest.fixture(params=[*SUBJECTS, FACE])
def offered(
    request: pytest.FixtureRequest, running: Running, tmp_path: pathlib.Path
) -> Iterator[Subject]:
    """The same, or the face of a sealed gateway before a store.

    A face does not offer lists of objects, uploads and parts, conditions, copies, dates
    and metadata, and it knows keys of images alone.  Tests of those have ``subject``.
    """
    with _subject(request.param, running, tmp_path) as found:
        yield found


@contextlib.contextmanager
def _subject(name: str, running: Running, directory: pathlib.Path) -> Iterator[Subject]:
    writing = Writing(glance_id=GLANCE_ID)
    if name == "memory":
        found = Subject(MemoryStore(store_settings(writing=writing)), None)
        yield found
        assert found.left() == []
        return
    server = running(S3_SERVER if name == FACE else name)
    bucket = f"contract-{secrets.token_hex(8)}"
    server.client().create_bucket(Bucket=bucket)
    store = s3_store(server, bucket, writing=writing)
    with contextlib.ExitStack() as stack:
        if name == FACE:
            url = stack.enter_context(serving.over(store, directory))
            store = _at(url, bucket)
        found = Subject(store, server)
        yield found
        assert found.left() == []
    server.client().delete_bucket(Bucket=bucket)


def _at(url: str, bucket: str) -> S3Store:
    """Return a store at a face, as an S3 client of it."""
    keys = Keys(serving.PAIR)
    return S3Store(store_settings(endpoint=url, bucket=bucket, keys=keys), TRANSFER)


@pytest.fixture
def store(subject: Subject) -> ObjectStore:
    return subject.store
