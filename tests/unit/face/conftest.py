# SPDX-License-Identifier: Apache-2.0
"""A face over a store in memory."""

from __future__ import annotations

import dataclasses
import pathlib
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from s3gateway.config.face import FaceKeys
from s3gateway.face.app import Face
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.http.wsgi import call
from s3gateway.upload.written import Written
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.unit.face import signing

MIB = 1024**2
IMAGE = "6f2c5a1e-0000-4000-8000-000000000000"
KEY = f"/fast/{IMAGE}"


@dataclasses.dataclass
class Ground:
    """A face, its store, and requests to it."""

    face: Face
    store: MemoryStore
    written: Written
    keys: FaceKeys

    def ask(self, method: str, target: str, body: bytes = b"", **how: Any) -> Reply:
        """Send a request that is signed; see ``signing.request``."""
        return self.send(signing.request(method, target, body, **how))

    def send(self, environ: Environ) -> Reply:
        answer = call(self.face, environ)
        return Reply(answer, answer.read())


@dataclasses.dataclass
class Reply:
    """An answer that was read."""

    answer: Answer
    body: bytes

    @property
    def status(self) -> int:
        return self.answer.code

    @property
    def code(self) -> str:
        """The code of an error, empty if it is none."""
        return self.text("Code") if self.status >= 400 else ""

    def text(self, name: str) -> str:
        root = ElementTree.fromstring(self.body)  # noqa: S314  it is ours
        return root.findtext(f"{{*}}{name}") or ""


@pytest.fixture
def ground(tmp_path: pathlib.Path) -> Ground:
    pair = signing.PAIR
    path = tmp_path / "face-keys"
    path.write_text(f"{pair.access_key} {pair.secret_key}\n")
    path.chmod(0o600)
    store = MemoryStore(store_settings(region="eu-central-1"))
    written = Written()
    transfer = dataclasses.replace(TRANSFER, retry_time=0.2)
    keys = FaceKeys(str(path))
    face = Face(keys, {"fast": store}, transfer, written)
    return Ground(face, store, written, keys)
