# SPDX-License-Identifier: Apache-2.0
"""S3 speaks TLS, with a certificate of an authority that only the operator knows."""

from __future__ import annotations

import contextlib
import pathlib
import random
import re
import ssl
from collections.abc import Callable
from collections.abc import Iterator

import pytest
import trustme

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.faults.faultproxy import FaultProxy
from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config

MIB = 1024**2
DATA = random.Random(17).randbytes(17 * MIB + 3)  # noqa: S311
STAND_ALONE = "stand-alone"

pytestmark = pytest.mark.full


@contextlib.contextmanager
def stores(cloud: Cloud, server: trustme.CA, trusted: pathlib.Path) -> Iterator[Config]:
    """Put TLS before S3; yield the stores that use it.

    :param server: whose certificate S3 has
    :param trusted: the authority that the stores are configured with
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.issue_cert("127.0.0.1").configure_cert(context)
    with FaultProxy(cloud.s3.endpoint, tls=context) as proxy:
        store = {"s3_store_host": proxy.endpoint, "s3_store_cacert": str(trusted)}
        yield {"fast": store, "cheap": store}


@pytest.fixture
def ours(tmp_path: pathlib.Path) -> tuple[trustme.CA, pathlib.Path]:
    """An authority, and the file that an operator is given."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, file


def served(cloud: Cloud, shape: str, config: Config) -> Api:
    if shape == STAND_ALONE:
        return Api(cloud.standalone(config=config).url, ALICE)
    return cloud.api(ALICE, gateway=True, wsgi=shape, config=config)


@pytest.mark.parametrize("shape", ["gunicorn", "uwsgi", STAND_ALONE])
def test_an_authority_of_our_own(
    clouds: Callable[[int], Cloud],
    ours: tuple[trustme.CA, pathlib.Path],
    shape: str,
) -> None:
    cloud = clouds(33)
    with stores(cloud, *ours) as config:
        api = served(cloud, shape, config)
        image_id = api.create()
        assert api.upload(image_id, in_chunks(DATA)).status == 204
        assert api.show(image_id)["status"] == "active"
        assert api.download(image_id).body == DATA
        part = api.download(image_id, Range="bytes=5000000-5999999")
        assert (part.status, part.body) == (206, DATA[5_000_000:6_000_000])
        [key] = cloud.kept(image_id)
        assert key.startswith(f"{image_id}."), "the gateway has written it"
        assert api.delete(image_id).status == 204
        assert not cloud.kept(image_id)


@pytest.mark.parametrize("shape", ["gunicorn", STAND_ALONE])
def test_another_authority(
    clouds: Callable[[int], Cloud],
    ours: tuple[trustme.CA, pathlib.Path],
    shape: str,
) -> None:
    cloud = clouds(33)
    with stores(cloud, trustme.CA(), ours[1]) as config:
        api = served(cloud, shape, config)
        image_id = api.create()
        answer = api.upload(image_id, DATA)
        assert answer.status == 500
        assert re.search(
            rb"Store fast (did not answer|broke off): SSLError", answer.body
        )
        assert api.show(image_id)["status"] == "queued"
        assert not cloud.kept(image_id)
        assert api.delete(image_id).status == 204
