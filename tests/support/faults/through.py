# SPDX-License-Identifier: Apache-2.0
"""A Glance with the filter whose way to S3 can be made to fail."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import psutil
import requests

from tests.support.clients.api import Api
from tests.support.faults import s3_faults
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.s3_faults import Meter
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance
from tests.support.servers.glance import merged

#: Impatient, so that no test waits for what takes a minute with an operator.
IMPATIENT = {"connect_timeout": "2", "read_timeout": "2", "retry_time": "6"}
_LATE = 1.0  # seconds, of the two that the gateway waits for an answer


@dataclasses.dataclass(frozen=True)
class Through:
    """What a test of faults needs."""

    cloud: Cloud
    proxy: FaultProxy
    glance: Glance
    api: Api

    @property
    def is_by_api(self) -> bool:
        """Whether uploads are registered through Glance's API."""
        return self.glance.spec.config["s3gateway"].get("registration") == "api"

    def left(self, image_id: str) -> list[str]:
        """Return the keys of all objects and open uploads of an image."""
        return self.cloud.kept(image_id)

    @contextlib.contextmanager
    def image(self, data: bytes) -> Iterator[str]:
        """Upload an image and yield its id; delete it when the faults are over."""
        image_id = self.api.create()
        assert self.api.upload(image_id, data).status == 204
        yield image_id
        self.proxy.clear()
        self.api.delete(image_id)

    def meter(self, image_id: str, rate: int) -> Meter:
        """Count what S3 sends of an image, at so many bytes a second.

        The first answer is late: others begin meanwhile, on a busy machine too.
        """
        late = s3_faults.Delay(_LATE)
        self.proxy.add(late, method="GET", key=image_id)
        limit = s3_faults.Rate(rate)
        self.proxy.add(limit, method="GET", key=image_id, times=None)
        return self.proxy.add(Meter(), method="GET", key=image_id, times=None)

    def download_at_once(self, image_id: str, data: bytes, count: int) -> None:
        """Download an image several times at once; each client gets all of it."""
        with futures.ThreadPoolExecutor(count) as pool:
            answers = pool.map(lambda _: received(self.api, image_id), range(count))
            assert [(whole, got == data) for got, whole in answers] == [
                (True, True)
            ] * count

    def worker(self) -> psutil.Process:
        """Return the process that serves requests."""
        [worker] = psutil.Process(self.glance.server.pid).children()
        return worker

    def die_during(
        self,
        image_id: str,
        data: bytes | Iterable[bytes],
        where: Mapping[str, str],
        *,
        done: bool,
    ) -> None:
        """Upload, and kill the worker at a request to S3.

        :param where: the request, as ``FaultProxy.add`` has it; ``ID`` is the image's
        :param done: whether S3 has carried it out
        """
        stall = s3_faults.Stall(done=done)
        self.proxy.add(
            stall,
            method=where.get("method", ""),
            key=where.get("key", "").replace("ID", image_id),
            query=where.get("query", ""),
        )

        def upload() -> None:
            with contextlib.suppress(requests.ConnectionError):
                self.api.upload(image_id, data)

        client = threading.Thread(target=upload)
        client.start()
        assert stall.reached.wait(60)
        worker = self.worker()
        worker.kill()
        psutil.wait_procs([worker], timeout=30)
        stall.drop()
        self.proxy.clear()
        client.join()


@contextlib.contextmanager
def through_proxy(
    cloud: Cloud,
    token: str,
    *,
    stores: Any = None,
    options: Any = None,
    config: Any = None,
    **how: Any,
) -> Iterator[Through]:
    """Serve a Glance whose S3 stores are behind a proxy.

    :param stores: more options of the stores
    :param options: more options of the section ``s3gateway``
    """
    with FaultProxy(cloud.s3.endpoint) as proxy:
        store = {"s3_store_host": proxy.endpoint, **(stores or {})}
        behind = {
            "fast": store,
            "cheap": store,
            "s3gateway": {**IMPATIENT, **(options or {})},
        }
        running = cloud.glance(gateway=True, config=merged(behind, config or {}), **how)
        yield Through(cloud, proxy, running, Api(running.url, token))


def received(api: Api, image_id: str, query: str = "") -> tuple[bytes, bool]:
    """Download an image; return what came, and whether it ended as it should."""
    answer = requests.get(
        f"{api.url}/v2/images/{image_id}/file{query}",
        headers={"X-Auth-Token": api.token},
        stream=True,
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    data = bytearray()
    try:
        for piece in answer.iter_content(64 * 1024):
            data += piece
    except requests.RequestException:
        return bytes(data), False
    return bytes(data), True
