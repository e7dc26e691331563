# SPDX-License-Identifier: Apache-2.0
"""Compares ``hot_images`` with Glance's own cache: ``python -m benchmarks.hot``.

Each side has several worker processes, and a new private image for each course.  A
storm is many downloads of it at once; then come some one after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

from benchmarks import field
from benchmarks import workers
from benchmarks.__main__ import Setting
from benchmarks.__main__ import ground
from benchmarks.__main__ import source
from benchmarks.client import Client
from benchmarks.field import Field
from benchmarks.field import Ground
from benchmarks.field import Side
from benchmarks.report import Table
from benchmarks.workers import Watch
from benchmarks.workers import Workers
from tests.support import isolation
from tests.support.clients.api import Api
from tests.support.s3.s3server import S3Server
from tests.support.servers import glance
from tests.support.servers.glance import GlanceSpec

CACHE = "stock with cache"
GATEWAY = "gateway"
HOT = "gateway, hot_images"

_MIB = 1024**2
_GIB = 1024**3
_AFTER = 8  # downloads one after the other
_HEADINGS = ["S3", "work", "side", "seconds", "CPU s/GiB", "images' size from S3"]
_HEADINGS += ["MiB on disk"]


@dataclasses.dataclass(frozen=True)
class Sample:
    """What some downloads have cost.

    :ivar cpu: CPU seconds of the workers per GiB that clients got
    :ivar asked: what S3 has sent, as a multiple of the image
    :ivar disk: what the cache, or the directory, has in the end, in MiB
    """

    line: str
    work: str
    side: str
    seconds: float
    cpu: float
    asked: float
    disk: float

    def row(self) -> list[str]:
        """Return it as a row of the table."""
        figures = [f"{self.seconds:.2f}", f"{self.cpu:.2f}", f"{self.asked:.2f}"]
        return [self.line, self.work, self.side, *figures, f"{self.disk:.0f}"]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A Glance, and where it keeps what it has read."""

    side: Side
    kept: pathlib.Path


@contextlib.contextmanager
def contestants(
    ground: Ground, s3: S3Server, line: str, count: int
) -> Iterator[dict[str, Contestant]]:
    """Start a Glance for each side.

    :param count: worker processes of each
    """
    with contextlib.ExitStack() as stack:
        found = {}
        for name in (CACHE, GATEWAY, HOT):
            directory = ground.directory / f"{line}-{name}".replace(" ", "-")
            hot = directory / "hot"
            options = {"hot_images": "20GiB", "hot_images_dir": str(hot)}
            spec = GlanceSpec(
                bin_dir=ground.bin_dir,
                gateway=name != CACHE,
                flavor="keystone+cachemanagement" if name == CACHE else "keystone",
                workers=count,
                threads=72,
                config={"s3gateway": options} if name == HOT else {},
            )
            running = stack.enter_context(
                glance.serving(spec, directory, field.stores(s3), ground.database)
            )
            api = Api(running.url, field.TOKEN)
            _wake(api, count)
            client = Client(running.url, field.TOKEN)
            side = Side(api, client, Workers(running.server.pid))
            kept = directory / "cache" if name == CACHE else hot
            found[name] = Contestant(side, kept)
        yield found


def _wake(api: Api, count: int) -> None:
    """Let each worker do its first-time work."""
    image = api.create(name="first")
    api.upload(image, bytes(_MIB))
    with futures.ThreadPoolExecutor(4 * count) as pool:
        list(pool.map(api.download, [image] * 4 * count))
    api.delete(image)


class Course:
    """Lets a side work on new images.

    :param size: of an image in MiB
    :param clients: of a storm
    """

    def __init__(
        self, field: Field, file: pathlib.Path, size: int, clients: int
    ) -> None:
        self._field = field
        self._file = file
        self._size = size
        self._clients = clients

    def run(self, name: str, contestant: Contestant) -> Iterator[Sample]:
        """Yield what a storm, and downloads one after the other, have cost."""
        storm = f"{self._clients} at once"
        with self._image(contestant) as download:
            yield self._sample(name, storm, contestant, download, self._clients, 1)
            work = f"then {_AFTER} in turn"
            yield self._sample(name, work, contestant, download, 1, _AFTER)
        with self._image(contestant) as download:
            work = f"{_AFTER} in turn"
            yield self._sample(name, work, contestant, download, 1, _AFTER)

    @contextlib.contextmanager
    def _image(self, contestant: Contestant) -> Iterator[Callable[[], object]]:
        side, size = contestant.side, self._size * _MIB
        image = side.api.create(name="hot", visibility="private")
        side.client.upload(image, self._file, size, chunked=False)
        try:
            yield lambda: side.client.download(image, size)
        finally:
            side.api.delete(image)

    def _sample(
        self,
        name: str,
        work: str,
        contestant: Contestant,
        download: Callable[[], object],
        at_once: int,
        times: int,
    ) -> Sample:
        workers.wait_until_calm()
        before = self._field.came_from_s3()
        contestant.side.workers.begin()
        with futures.ThreadPoolExecutor(at_once) as pool, Watch() as watch:
            for _ in range(times):
                for each in [pool.submit(download) for _ in range(at_once)]:
                    each.result()
        cost = contestant.side.workers.end()
        return Sample(
            line=self._field.line,
            work=work,
            side=name,
            seconds=watch.seconds,
            cpu=cost.cpu / (at_once * times * self._size * _MIB / _GIB),
            asked=(self._field.came_from_s3() - before) / (self._size * _MIB),
            disk=_used(contestant.kept) / _MIB,
        )


def _used(directory: pathlib.Path) -> int:
    """Return how much the files below a directory take on disk, in bytes."""
    return sum(path.lstat().st_blocks * 512 for path in directory.rglob("*"))


def main() -> None:
    """Measure and print, and write a table if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="MiB of an image")
    parser.add_argument("--clients", type=int, default=64, help="of a storm")
    parser.add_argument("--workers", type=int, default=4, help="processes of a side")
    parser.add_argument("--lines", nargs="*", default=["counted", "far-counted"])
    parser.add_argument("--output", type=pathlib.Path, help="a directory")
    options = parser.parse_args()
    isolation.apply()
    rows = []
    with ground(Setting()) as found, source(options.size) as file:
        for line in options.lines:
            with (
                field.behind(found, line) as s3,
                contestants(found, s3, line, options.workers) as sides,
            ):
                for name, contestant in sides.items():
                    laid_out = Field(found, line, s3, {name: contestant.side})
                    course = Course(laid_out, file, options.size, options.clients)
                    for sample in course.run(name, contestant):
                        rows.append(sample.row())
                        print(*rows[-1], sep="  ", flush=True)
    table = Table("hot-images", _HEADINGS, rows)
    print("", table.text(), sep="\n")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        table.write(options.output)


if __name__ == "__main__":
    main()
