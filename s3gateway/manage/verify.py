# SPDX-License-Identifier: Apache-2.0
"""``verify``: whether each image's data in S3 is there, and is what it should be."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from s3gateway.download.failover import Copy
from s3gateway.errors import GatewayError
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.glance.api import Image
from s3gateway.manage import arguments
from s3gateway.manage import copies
from s3gateway.manage.context import Context

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Check that each image's objects are in S3 and have the size that Glance shows. With
--deep, read each object and compare its digest; that takes as long as downloading it.
Exit code 1: an object is missing, or has another size or other data.

  s3gateway-manage verify --all
  s3gateway-manage verify --deep --image 6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11
"""

_COLUMNS = ("image", "store", "state", "detail")

Moved = Callable[[int], None]

OK, BAD, UNKNOWN = "ok", "bad", "unknown"
ELSEWHERE, HIDDEN = "not in S3", "not shown"

_WITHOUT_DATA = ("queued", "saving", "importing", "killed", "deleted")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found out about one copy of an image."""

    image: str
    store: str
    state: str
    detail: str = ""


class Verifier:
    """Looks at copies; a store that says no to all is asked no more."""

    def __init__(self, context: Context, *, deep: bool) -> None:
        self._context = context
        self._deep = deep
        self._down: dict[str, str] = {}

    def verdicts(self, images: list[Image]) -> Iterator[Verdict]:
        """Yield a verdict for each copy of the images."""
        total = sum(image.size or 0 for image in images) if self._deep else len(images)
        unit = "bytes" if self._deep else "images"
        with self._context.output.bar(total, unit) as bar:
            for image in images:
                yield from self._of_image(image, bar.moved)
                if not self._deep:
                    bar.moved(1)

    def _of_image(self, image: Image, moved: Moved) -> Iterator[Verdict]:
        if image.status in _WITHOUT_DATA or image.size == 0:
            return
        if not image.locations:
            why = f"Glance shows no location of an image that is {image.status}"
            yield Verdict(image.id, "", HIDDEN, why)
        for location in image.locations:
            copy = copies.copy_at(location, self._context.stores)
            if copy is None:
                named = str(location.metadata.get("store", ""))
                yield Verdict(image.id, named, ELSEWHERE)
            else:
                yield self._of_copy(image, copy, moved)

    def _of_copy(self, image: Image, copy: Copy, moved: Moved) -> Verdict:
        name = copy.store.name
        if name in self._down:
            return Verdict(image.id, name, UNKNOWN, self._down[name])
        try:
            problem = self._problem(image, copy, moved)
        except StoreError as error:
            if error.store_wide:
                self._down[name] = str(error)
            state = UNKNOWN if error.store_wide or _may_pass(error) else BAD
            return Verdict(image.id, name, state, str(error))
        return Verdict(image.id, name, BAD if problem else OK, problem)

    def _problem(self, image: Image, copy: Copy, moved: Moved) -> str:
        copies.has_size(image, copy)
        if not self._deep:
            return ""
        if not copies.digest_of(image)[1]:
            return "Glance knows no digest of it"
        retry_time = self._context.settings.transfer.retry_time
        same = copies.has_digest(
            image,
            copy,
            retry_time=retry_time,
            moved=moved,
        )
        return "" if same else "its digest is another one"


def _may_pass(error: StoreError) -> bool:
    """Whether an object may be read another time, or by somebody else."""
    return isinstance(error, (StoreUnavailable, StoreDenied))


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Verify image data in S3"
    parser = arguments.add(commands, "verify", run, summary=summary, text=_TEXT)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--image", action="append", metavar="ID", default=[], help="may be repeated"
    )
    which.add_argument("--all", action="store_true", help="all images")
    parser.add_argument(
        "--deep", action="store_true", help="read them and compare their digests"
    )


def run(context: Context) -> bool:
    """Print what is not as it should be; return whether all is.

    :raises GatewayError: if nothing is wrong but not all could be looked at, or nothing
        was there to be looked at
    """
    context.need_locations()
    words = context.conf.command
    images = (
        [context.glance.show(image_id) for image_id in words.image]
        if words.image
        else list(context.output.progress(context.glance.images(), "images"))
    )
    verdicts = list(Verifier(context, deep=words.deep).verdicts(images))
    counts = collections.Counter(verdict.state for verdict in verdicts)
    shown = [v for v in verdicts if words.image or v.state in (BAD, UNKNOWN)]
    summary = (
        f"{len(images)} images: {counts[OK]} copies in S3 are as they should be, "
        f"{counts[BAD]} are not, {counts[UNKNOWN]} could not be looked at, "
        f"{counts[ELSEWHERE]} are not in S3, {counts[HIDDEN]} images do not show theirs"
    )
    context.output.result([vars(v) for v in shown], _COLUMNS, summary)
    if not counts[OK] + counts[BAD] + counts[UNKNOWN]:
        raise GatewayError("Nothing was looked at: no image has a copy in S3.")
    if counts[UNKNOWN] and not counts[BAD]:
        raise GatewayError(f"{counts[UNKNOWN]} copies could not be looked at.")
    return not counts[BAD]
