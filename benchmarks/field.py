# SPDX-License-Identifier: Apache-2.0
"""The measured servers: one Glance release, stock and with the filter both ways.

All have the same database, the same buckets and the same server, gunicorn or uWSGI with
one worker process; only one of them is ever at work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator

from benchmarks.client import Client
from benchmarks.client import Failed
from benchmarks.link import counted
from benchmarks.workers import Workers
from tests.support.clients.api import Api
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import glance
from tests.support.servers import identity
from tests.support.servers import standalone
from tests.support.servers.glance import Config
from tests.support.servers.glance import GlanceSpec
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.standalone import GatewaySpec

STOCK = "stock"
GATEWAY = "gateway"
#: The gateway that registers uploads through Glance's API.
BY_API = "by API"
#: The gateway that keeps pieces of images on disk.
HOT = "hot_images"
#: Stock Glance whose S3 is the face of a sealed gateway; both count.
FACE = "face"

BUCKET = "benchmark"
TOKEN = identity.token("alice", "bench", "member", "reader")

_MIB = 1024**2
_WARM = _MIB  # of an image that warms up; a large one would leave buffers
_HOT_IMAGES = "20GiB"  # more than all images that are measured
_THREADS = 72  # of each Glance: more than ever ask at once

#: How far away S3 is; what ``benchmarks.link`` is told.
LINES = {
    "near": (),
    "far": ("--delay=0.010", f"--rate={50 * _MIB}"),
    "slow": (f"--shared={20 * _MIB}",),
    # Both count what is read from S3.  The second has 1 Gbit/s in all.
    "counted": ("--delay=0",),
    "far-counted": ("--delay=0.010", f"--rate={50 * _MIB}", "--shared=125000000"),
}


@dataclasses.dataclass(frozen=True)
class Side:
    """A running Glance, perhaps with a gateway behind it."""

    api: Api
    client: Client
    workers: Workers


@dataclasses.dataclass(frozen=True)
class Ground:
    """What all fields stand on.

    :ivar database: the URL of Glance's database, which is in place
    :ivar sql: runs a statement on it
    :ivar release: of Glance, as in the name of its environment
    :ivar wsgi: the server of each Glance, as in ``GlanceSpec``
    :ivar config: options of each Glance, by section
    :ivar threads: of each Glance
    """

    s3: S3Server
    database: str
    sql: Callable[[str], str]
    directory: pathlib.Path
    release: int = 33
    wsgi: str = "gunicorn"
    config: Config = dataclasses.field(default_factory=dict)
    threads: int = _THREADS

    @property
    def bin_dir(self) -> pathlib.Path:
        return environments.bin_dir(f"glance-{self.release}")


@dataclasses.dataclass(frozen=True)
class Field:
    """The Glances, and S3 as they see it."""

    ground: Ground
    line: str
    s3: S3Server
    sides: dict[str, Side]

    def came_from_s3(self) -> int:
        """Return how many bytes S3 has sent so far, 0 if nobody counts them."""
        path = _count_of(self.ground, self.line)
        return counted(path) if path.exists() else 0


@contextlib.contextmanager
def laid_out(
    ground: Ground, line: str, *, more: Collection[str] = ()
) -> Iterator[Field]:
    """Start the Glances, with S3 as far away as the line says.

    :param more: sides that only some cases have: ``FACE``, ``HOT``
    """
    with contextlib.ExitStack() as stack:
        seen = ground.s3
        if LINES[line]:
            seen = stack.enter_context(behind(ground, line))
        sides = stack.enter_context(both(ground, seen, line))
        if HOT in more:
            sides[HOT] = stack.enter_context(serving(ground, seen, line, HOT))
        if FACE in more:
            sides[FACE] = stack.enter_context(_sealed(ground, seen, line))
        yield Field(ground, line, seen, sides)


@contextlib.contextmanager
def both(ground: Ground, s3: S3Server, name: str) -> Iterator[dict[str, Side]]:
    """Start the Glances, on S3 as it is seen through a proxy."""
    with contextlib.ExitStack() as stack:
        yield {
            side: stack.enter_context(serving(ground, s3, name, side))
            for side in (STOCK, GATEWAY, BY_API)
        }


@contextlib.contextmanager
def serving(ground: Ground, s3: S3Server, name: str, side: str) -> Iterator[Side]:
    """Start one Glance."""
    directory = ground.directory / f"{name}-{side}".replace(" ", "-")
    own = {
        BY_API: {"registration": "api"},
        HOT: {"hot_images": _HOT_IMAGES, "hot_images_dir": str(directory / "hot")},
    }
    spec = GlanceSpec(
        bin_dir=ground.bin_dir,
        gateway=side != STOCK,
        wsgi=ground.wsgi,
        threads=ground.threads,
        config=glance.merged(ground.config, {"s3gateway": own.get(side, {})}),
    )
    with glance.serving(spec, directory, stores(s3), ground.database) as running:
        api = Api(running.url, TOKEN)
        _warm_up(api, side)
        yield Side(api, Client(running.url, TOKEN), Workers(running.server.pid))


@contextlib.contextmanager
def _sealed(ground: Ground, s3: S3Server, name: str) -> Iterator[Side]:
    """Start a Glance behind the face of a sealed gateway."""
    port = free_port()
    real = stores(s3)
    at_face = {"fast": standalone.behind_face(f"http://127.0.0.1:{port}")["fast"]}
    spec = GlanceSpec(
        bin_dir=ground.bin_dir,
        gateway=False,
        wsgi=ground.wsgi,
        threads=_THREADS,
        config=glance.merged(ground.config, at_face),
    )
    home = ground.directory / f"{name}-{FACE}"
    with glance.serving(spec, home, real, ground.database) as running:
        url = {"s3gateway": {"glance_url": running.url}}
        config = glance.merged(real, ground.config, url)
        behind = GatewaySpec(face=port, config=config)
        with standalone.serving(behind, home / "gateway") as gateway:
            api = Api(running.url, TOKEN)
            _warm_up(api, FACE)
            workers = Workers(running.server.pid, gateway.server.pid)
            yield Side(api, Client(running.url, TOKEN), workers)


def _warm_up(api: Api, side: str) -> None:
    """Make each side do its first-time work, and check which side moves the bytes."""
    image = api.create(name="first")
    api.upload(image, bytes(_WARM))
    api.download(image)
    [location] = api.show(image)["locations"]
    if (location["url"] == f"s3://fast/{image}") != (side not in (STOCK, FACE)):
        raise Failed(f"{side} is not what was measured")
    api.delete(image)


def stores(s3: S3Server) -> Config:
    """Return one S3 store with glance_store's own defaults for parts."""
    section = glance.s3_store(s3, BUCKET)
    del section["s3_store_large_object_size"]
    del section["s3_store_large_object_chunk_size"]
    return {
        "DEFAULT": {"enabled_backends": "fast:s3", "debug": "false"},
        "glance_store": {"default_backend": "fast"},
        "fast": section,
    }


def _count_of(ground: Ground, line: str) -> pathlib.Path:
    return ground.directory / f"link-{line}.count"


@contextlib.contextmanager
def behind(ground: Ground, line: str) -> Iterator[S3Server]:
    """Put a proxy before S3 that makes it as far away as the line says."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.link", f"--port={port}"]
    scheme, _, target = ground.s3.endpoint.partition("://")
    log = ground.directory / f"link-{line}.log"
    count = f"--count={_count_of(ground, line)}"
    options = [f"--target={target}", count, *LINES[line]]
    with Server("link", [*command, *options], log=log, cwd=glance.ROOT) as server:
        server.wait_for_port(port)
        yield dataclasses.replace(ground.s3, endpoint=f"{scheme}://127.0.0.1:{port}")
