# SPDX-License-Identifier: Apache-2.0
"""``bench``: POST, PUT, GET and DELETE of many images, and how long each took.

It is what users of the cloud do, with a user's token, over HTTP.  Whatever goes wrong,
the images are deleted in the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from s3gateway.config.stores import MIB
from s3gateway.errors import UsageError
from s3gateway.manage import arguments
from s3gateway.manage import sample
from s3gateway.manage import user_api
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output
from s3gateway.manage.output import Row
from s3gateway.manage.output import sized
from s3gateway.manage.sample import Pattern
from s3gateway.manage.user_api import UserApi
from s3gateway.manage.work import Work

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_COLUMNS = (
    "step",
    "images",
    "failed",
    "seconds",
    "mib_per_second",
    "p50_seconds",
    "p99_seconds",
)
_IMAGES, _SIZE = 8, 64  # MiB each

CREATE, UPLOAD, DOWNLOAD, DELETE = STEPS = ("create", "upload", "download", "delete")
#: The steps that move an image's data.
_MOVING = (UPLOAD, DOWNLOAD)

_TEXT = """
It does what users do: creates images, uploads them, downloads and compares them, and
deletes them, several at once. For each step it prints how many failed, how long the
step took, how fast data was moved, and how long one image took: half of them at most
p50_seconds, 99 of 100 at most p99_seconds. The images are deleted whatever happens; if
the command itself is killed (SIGKILL), delete those named "s3gateway-manage bench".

It loads the network, Glance's hosts and S3 as users do, and the images count for the
quotas of their project. So it needs --yes, and says without it what it would do. One
process sends and receives all data: if it keeps a processor busy, run it on several
hosts at once.

The user is that of --os-cloud, of the variables OS_*, of [check_user] or of
[service_user], whichever is there first. The address is that of the catalog, or --url.
Exit code 1: a request failed, or data was not what had been sent.

  s3gateway-manage bench --os-cloud mycloud --yes
  s3gateway-manage bench --os-cloud mycloud --images 64 --size 256 --concurrency 8 --yes
"""


@dataclasses.dataclass(frozen=True)
class Took:
    """How long a step of an image took, and what went wrong with it."""

    step: str
    image: str
    seconds: float
    problem: str = ""


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Measure uploads and downloads through the running API"
    parser = arguments.add(commands, "bench", run, summary=summary, text=_TEXT)
    user_api.declare(parser)
    parser.add_argument(
        "--store", metavar="NAME", default="", help="where to; Glance's default if not"
    )
    for name, default, what in (
        ("images", _IMAGES, "so many images"),
        ("size", _SIZE, "of each image, in MiB"),
        ("concurrency", 1, "so many at once"),
    ):
        parser.add_argument(
            f"--{name}",
            type=arguments.number,
            metavar="MIB" if name == "size" else "N",
            default=default,
            help=f"{what}; {default} by default",
        )
    parser.add_argument("--yes", action="store_true", help="do it")


def run(context: Context) -> bool:
    """Print how long each step took; return whether none failed.

    :raises UsageError: if it was not told to do it, or there are no credentials
    :raises GlanceError: if there is no token or no address
    """
    words = context.words
    size = words.size * MIB
    total = sized(words.images * size)
    if not words.yes:
        raise UsageError(
            f"--yes: it is needed to upload, download and delete {words.images} images "
            f"of {sized(size)}, {total} in all"
        )
    api = user_api.of_command(context.conf, words)
    context.output.note(f"{api.who} at {api.url}")
    bench = Bench(
        api, context.output, size=size, store=words.store, concurrency=words.concurrency
    )
    rows = bench.rows(words.images)
    failed = sum(row["failed"] for row in rows)
    counts = {"images": words.images, "size_bytes": size, "failed": failed}
    summary = f"{words.images} images of {sized(size)}, {failed} requests failed"
    context.output.result(rows, _COLUMNS, summary, counts)
    return not failed


class Bench:
    """Images that are uploaded and downloaded, so many at once.

    :param size: of each, in bytes
    :param store: that is asked for; Glance's default if empty
    """

    def __init__(
        self, api: UserApi, output: Output, *, size: int, store: str, concurrency: int
    ) -> None:
        self._api = api
        self._output = output
        self._size = size
        self._noise = sample.noise()
        self._headers = {**user_api.OCTETS, "X-OpenStack-Image-Size": str(size)}
        if store:
            self._headers["X-Image-Meta-Store"] = store
        self._concurrency = concurrency
        self._data: dict[str, Pattern] = {}
        self._left: dict[str, None] = {}
        self._moved: Callable[[int], None] = lambda count: None

    def rows(self, count: int) -> list[Row]:
        """Do all steps with so many images; return a row for each."""
        ids = [str(uuid.uuid4()) for _ in range(count)]  # ours: known whatever happens
        rows = []
        try:
            for step, do in ((CREATE, self._create), (UPLOAD, self._upload)):
                row, ids = self._step(step, do, ids)
                rows.append(row)
            row, _ = self._step(DOWNLOAD, self._download, ids)
            rows.append(row)
        finally:
            self._output.interrupted, before = False, self._output.interrupted
            row, _ = self._step(DELETE, self._delete, list(self._left))
            rows.append(row)
            self._output.interrupted |= before
        for image_id in self._left:
            self._output.note(f"Image {image_id} could not be deleted: delete it.")
        return rows

    def _step(
        self, step: str, do: Callable[[str], str], ids: Sequence[str]
    ) -> tuple[Row, list[str]]:
        """Do a step with images; return its row, and those with which it went well."""
        if self._output.interrupted:
            return _row(step, [], 0.0, 0), []
        began = time.monotonic()
        moving = step in _MOVING
        total, unit = (len(ids) * self._size, "bytes") if moving else (len(ids), step)
        with self._output.bar(total, unit) as bar:
            working = Work(self._output, bar, concurrency=self._concurrency)
            self._moved = working.moved if moving else lambda count: None

            def one(image_id: str) -> Iterator[Took]:
                yield _timed(step, image_id, do)

            found = working.each(one, ids, _line)
        well = [took.image for took in found if not took.problem]
        size = len(well) * self._size if moving else 0
        return _row(step, found, time.monotonic() - began, size), well

    def _count(self, count: int) -> None:
        """Count bytes for the step that moves them now."""
        self._moved(count)

    def _create(self, image_id: str) -> str:
        self._left[image_id] = None  # whatever is answered
        body = user_api.new_image(image_id, "s3gateway-manage bench")
        status = self._api.ask("POST", "/v2/images", body, user_api.JSON).status
        if 400 <= status < 500:
            del self._left[image_id]
        return _unless(status, 201)

    def _upload(self, image_id: str) -> str:
        data = self._data[image_id] = Pattern(self._noise, self._size, self._count)
        path = f"/v2/images/{image_id}/file"
        return _unless(self._api.ask("PUT", path, data, self._headers).status, 204)

    def _download(self, image_id: str) -> str:
        with self._api.download(f"/v2/images/{image_id}/file") as incoming:
            if incoming.status != 200:
                return _unless(incoming.status, 200)
            same = self._data[image_id].is_the_same(incoming.chunks)
        return "" if same else "the data is not what was sent"

    def _delete(self, image_id: str) -> str:
        status = self._api.ask("DELETE", f"/v2/images/{image_id}").status
        if status in (204, 404):
            del self._left[image_id]
            return ""
        return _unless(status, 204)


def _timed(step: str, image_id: str, do: Callable[[str], str]) -> Took:
    began = time.monotonic()
    problem = "no whole answer"
    with contextlib.suppress(*user_api.NO_ANSWER):
        problem = do(image_id)
    return Took(step, image_id, time.monotonic() - began, problem)


def _unless(status: int, expected: int) -> str:
    return "" if status == expected else f"answered {status}, not {expected}"


def _row(step: str, found: Sequence[Took], seconds: float, size: int) -> Row:
    times = sorted(took.seconds for took in found if not took.problem)
    moving = bool(size) and seconds > 0
    values: Sequence[Any] = (
        step,
        len(found),
        len(found) - len(times),
        round(seconds, 3),
        round(size / MIB / seconds, 1) if moving else None,
        _percentile(times, 50),
        _percentile(times, 99),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _percentile(times: Sequence[float], share: int) -> float | None:
    """Return the time within which this share of all was done, in percent."""
    if not times:
        return None
    return round(times[math.ceil(len(times) * share / 100) - 1], 3)


def _line(took: Took) -> str:
    return f"{took.step} {took.image}: {took.problem or 'ok'}, {took.seconds:.3f} s"
