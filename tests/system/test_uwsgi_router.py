# SPDX-License-Identifier: Apache-2.0
"""The gateway under uWSGI as Kolla-Ansible runs it: behind uWSGI's own HTTP router."""

from __future__ import annotations

import random

import pytest

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.servers.cloud import Cloud
from tests.support.servers.identity import token

ALICE = token("alice", "acme", "member", "reader")
DATA = random.Random(7).randbytes(17 * 1024**2 + 3)  # noqa: S311


@pytest.fixture
def api(cloud: Cloud) -> Api:
    return cloud.api(ALICE, gateway=True, wsgi="uwsgi-router")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_upload_and_download(api: Api, cloud: Cloud, chunked: bool) -> None:
    image_id = api.create()
    # in pieces as large as glanceclient's
    sent = in_chunks(DATA, 1024**2) if chunked else DATA
    assert api.upload(image_id, sent).status == 204
    assert [key for key in cloud.objects("fast") if key.startswith(f"{image_id}.")]
    assert api.download(image_id).body == DATA
    part = api.download(image_id, Range="bytes=6000000-")
    assert (part.status, part.body) == (206, DATA[6_000_000:])


def test_a_refused_upload_is_answered(api: Api) -> None:
    image_id = api.create()
    assert api.upload(image_id, b"data").status == 204
    assert api.upload(image_id, in_chunks(DATA)).status == 409
    assert api.upload(image_id, DATA).status == 409
