# SPDX-License-Identifier: Apache-2.0
"""Commands that have to see the bucket, where Glance knows nothing but a face."""

from __future__ import annotations

import json
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any
from typing import cast

import pytest

from s3gateway.config.keys import Keys
from s3gateway.errors import ConfigError
from s3gateway.errors import StoreError
from s3gateway.manage import faces
from s3gateway.manage import main
from s3gateway.manage.leftovers import Finder
from s3gateway.manage.main import USAGE
from s3gateway.manage.operator import Operator
from s3gateway.s3.store import S3Store
from tests.support import schema
from tests.support.face import serving
from tests.support.face.serving import PAIR
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER

GLANCE = """
[DEFAULT]
enabled_backends = fast:s3, local:file
[glance_store]
default_backend = fast
[fast]
s3_store_host = {host}
s3_store_access_key = {pair.access_key}
s3_store_secret_key = {pair.secret_key}
s3_store_bucket = fast
"""
SAYS = "the face of a sealed gateway, which shows no bucket: run this command on the"
KEY = f"{uuid.uuid4()}.0123456789abcdef"


@pytest.fixture
def behind() -> MemoryStore:
    """What is behind the face."""
    return MemoryStore(store_settings())


@pytest.fixture
def url(behind: MemoryStore, tmp_path: pathlib.Path) -> Iterator[str]:
    with serving.over(behind, tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["restore", "--store", "fast", "--project", "acme", KEY],
        ["copy", "--to", "fast", str(uuid.uuid4())],
        ["migrate", "--from", "local", "--to", "fast"],
        ["migrate", "--from", "local", "--to", "fast", "--dry-run"],
    ],
    ids=lambda words: words[0],
)
def test_it_is_said_where_a_command_belongs(
    words: list[str],
    url: str,
    behind: MemoryStore,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "glance-api.conf"
    config.write_text(GLANCE.format(host=url, pair=PAIR))
    behind.put(KEY, [memoryview(b"data")])
    code = main([f"--config-file={config}", "--json", *words])
    said: dict[str, Any] = schema.valid(json.loads(capsys.readouterr().out))
    assert code == USAGE
    assert said["error"].startswith(f"[fast] s3_store_host: {SAYS}")
    assert list(behind.objects_by_key) == [KEY]


def test_gc_does_not_take_a_face_for_an_empty_bucket(url: str) -> None:
    store = S3Store(store_settings(endpoint=url, keys=Keys(PAIR)), TRANSFER)
    operator = cast("Operator", None)  # it is not asked
    finder = Finder(operator, {"fast": store}, grace=1, patience=1)
    with pytest.raises(ConfigError, match=SAYS):
        list(finder.find(["fast"]))


def test_a_server_that_lists_no_uploads_is_none(behind: MemoryStore) -> None:
    assert not faces.is_one(behind)
    faces.refuse(behind)
    error = StoreError("Store fast answered 501 NotImplemented")
    error.code = "NotImplemented"
    faces.refuse(behind, error)
