# SPDX-License-Identifier: Apache-2.0
"""A program: Glance's own S3 driver does all it can do, one step after another.

It runs with the Python of a Glance, whose glance_store and boto3 it uses, and has
nothing else of this project.  After each step it says the step's name and outcome, and
waits for a line::

    python driver.py glance-api.conf
"""

from __future__ import annotations

import functools
import io
import json
import socket
import sys
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import glance_store
from glance_store import location
from glance_store import multi_backend
from oslo_config import cfg

MIB = 1024**2
REFUSALS = (
    glance_store.exceptions.GlanceStoreException,
    glance_store.BackendException,
)


class Driver:
    """The driver of the stores ``fast`` and ``other``, whose bucket does not exist."""

    def __init__(self, config_file: str) -> None:
        self.conf = cfg.CONF
        self.conf.register_opt(cfg.DictOpt("enabled_backends"))
        self.conf(["--config-file", config_file], project="glance")
        glance_store.register_store_opts(self.conf)
        glance_store.create_multi_stores(self.conf)

    def store(self, name: str = "fast") -> Any:
        return multi_backend.get_store_from_store_identifier(name)

    def add(
        self,
        size: int,
        announced: int | None = None,
        image_id: str = "",
        store: str = "fast",
    ) -> str:
        data = bytes(range(256)) * (size // 256)
        added = self.store(store).add(
            image_id or str(uuid.uuid4()),
            io.BytesIO(data),
            len(data) if announced is None else announced,
            "sha512",
        )
        return str(added[0])

    def read(self, uri: str, **how: int) -> list[int]:
        found, size = self.store().get(self.location(uri), **how)
        data = b"".join(found)
        assert data == bytes(range(256)) * (len(data) // 256)
        return [len(data), size]

    def delete(self, found: dict[str, str], name: str) -> str:
        self.store().delete(self.location(found[name]))
        return "deleted"

    def location(self, uri: str) -> Any:
        find = location.get_location_from_uri_and_backend
        return find(uri, "fast", conf=self.conf)


def steps(driver: Driver) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each step, and what does it."""
    found: dict[str, str] = {}

    def added(name: str, **how: Any) -> str:
        found[name] = driver.add(**how)
        return "stored"

    yield "add in one request", lambda: added("small", size=MIB)
    yield "add in parts", lambda: added("large", size=12 * MIB)
    yield "add of unknown size", lambda: added("unknown", size=12 * MIB, announced=0)
    yield "add of nothing", lambda: added("empty", size=0)
    yield "get", lambda: driver.read(found["large"])
    yield "get of nothing", lambda: driver.read(found["empty"])
    yield (
        "get of a chunk",
        lambda: driver.read(found["large"], offset=256, chunk_size=512),
    )
    yield "size", lambda: driver.store().get_size(driver.location(found["large"]))
    yield (
        "add of what is there",
        lambda: driver.add(MIB, image_id=found["small"].rpartition("/")[2]),
    )
    yield (
        "add with a part that fails",
        lambda: driver.add(12 * MIB, image_id="dead" + str(uuid.uuid4())[4:]),
    )
    yield "add to a bucket that is not there", lambda: driver.add(MIB, store="other")
    for name in ("small", "large", "unknown", "empty"):
        yield (
            f"delete {name}",
            functools.partial(driver.delete, found, name),
        )
    yield "get of what is gone", lambda: driver.read(found["large"])


def resolve_localhost() -> None:
    """Resolve ``*.localhost`` (RFC 6761), as not every C library does."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = "localhost" if str(host).endswith(".localhost") else host
        return resolve(name, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


def main() -> None:
    resolve_localhost()
    driver = Driver(sys.argv[1])
    for name, do in steps(driver):
        try:
            outcome = do()
        except REFUSALS as error:
            outcome = type(error).__name__
        print(json.dumps([name, outcome]), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
