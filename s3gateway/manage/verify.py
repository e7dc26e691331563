# SPDX-License-Identifier: Apache-2.0
"""``verify``: whether each image's data in S3 is there, and is what it should be."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3gateway.download.failover import Copy
from s3gateway.errors import GatewayError
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import UsageError
from s3gateway.glance.api import Image
from s3gateway.manage import arguments
from s3gateway.manage import copies
from s3gateway.manage import faces
from s3gateway.manage import selection
from s3gateway.manage import work
from s3gateway.manage.codes import code_of
from s3gateway.manage.context import Context
from s3gateway.manage.output import sized
from s3gateway.manage.work import Work

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Check that each image's objects are in S3 and have the size that Glance shows. With
--deep, read each object and compare its digest; that takes as long as downloading it.
Choose images with --all or by filters; filters are combined. Images are looked at in
the order of their ids: where a run was stopped by --limit or Ctrl-C, it says behind
which id the next one goes on. Exit code 1: an object is missing, or has another size or
other data.

  s3gateway-manage verify --all
  s3gateway-manage verify --since 1d
  s3gateway-manage verify --deep --sample 5%
  s3gateway-manage verify --deep --limit 500 --after "$LAST"
  s3gateway-manage verify --deep --image 6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11
  s3gateway-manage verify --deep --store fast --concurrency 4 --bandwidth 200MiB
"""

_COLUMNS = ("image", "store", "state", "code", "detail")

Moved = Callable[[int], None]

OK, BAD, UNKNOWN, SKIPPED = STATES = ("ok", "bad", "unknown", "skipped")

_WITHOUT_DATA = ("queued", "saving", "importing", "killed", "deleted")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found out about one copy of an image.

    :ivar code: which does not change; ``ok``, or why the state is another
    """

    image: str
    store: str
    state: str
    code: str
    detail: str = ""


class Verifier:
    """Looks at copies; a store that says no to all is asked no more.

    :param names: of the stores to look at
    :param moved: called with the number of bytes whenever some were read
    """

    def __init__(
        self, context: Context, *, names: Collection[str], deep: bool, moved: Moved
    ) -> None:
        self._context = context
        self._names = names
        self._deep = deep
        self._moved = moved
        self._down: dict[str, tuple[str, str]] = {}

    def verdicts(self, image: Image) -> Iterator[Verdict]:
        """Yield a verdict for each copy of an image."""
        if image.status in _WITHOUT_DATA or image.size == 0:
            return
        if not image.locations:
            why = f"Glance shows no location of an image that is {image.status}"
            yield Verdict(image.id, "", SKIPPED, "not_shown", why)
        for location in image.locations:
            copy = copies.copy_at(location, self._context.stores)
            if copy is None:
                named = str(location.metadata.get("store", ""))
                yield Verdict(image.id, named, SKIPPED, "not_in_s3")
            elif copy.store.name in self._names:
                yield self._of_copy(image, copy)

    def _of_copy(self, image: Image, copy: Copy) -> Verdict:
        name = copy.store.name
        if name in self._down:
            return Verdict(image.id, name, UNKNOWN, *self._down[name])
        try:
            code, detail = self._problem(image, copy)
        except StoreError as error:
            code, detail = code_of(error), str(error)
            if error.store_wide:
                self._down[name] = (code, detail)
            state = UNKNOWN if error.store_wide or _may_pass(error) else BAD
            return Verdict(image.id, name, state, code, detail)
        return Verdict(image.id, name, BAD if code else OK, code or "ok", detail)

    def _problem(self, image: Image, copy: Copy) -> tuple[str, str]:
        """Return the code of what is wrong with a copy, and a few words; or empty."""
        copies.has_size(image, copy)
        if not self._deep:
            return "", ""
        if not copies.digest_of(image)[1]:
            return "no_digest", "Glance knows no digest of it"
        retry_time = self._context.settings.transfer.retry_time
        if copies.has_digest(image, copy, retry_time=retry_time, moved=self._moved):
            return "", ""
        return "digest", "its digest is another one"


def _may_pass(error: StoreError) -> bool:
    """Whether an object may be read another time, or by somebody else.

    A face takes no If-Match, with which a read that broke off goes on.
    """
    is_refused = isinstance(error, StoreDenied) or faces.may_say(error)
    return is_refused or isinstance(error, StoreUnavailable)


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Verify image data in S3"
    parser = arguments.add(commands, "verify", run, summary=summary, text=_TEXT)
    group = selection.declare(parser)
    group.add_argument("--all", action="store_true", help="all images")
    group.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="only copies in this S3 store; may be repeated",
    )
    group.add_argument(
        "--after", metavar="ID", default="", help="only images behind this id"
    )
    group.add_argument(
        "--sample",
        type=arguments.percentage,
        metavar="N%",
        help="only this share of the images, chosen at random",
    )
    parser.add_argument(
        "--deep", action="store_true", help="read them and compare their digests"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only show how much there is to do"
    )
    work.declare(parser)


def run(context: Context) -> bool:
    """Print what is not as it should be; return whether all is.

    :raises UsageError: if no image was chosen
    :raises GatewayError: if nothing is wrong but not all could be looked at, or nothing
        was there to be looked at
    """
    words = context.words
    if words.all and words.image:
        raise UsageError("--all cannot be combined with --image")
    narrow = words.store or words.after or words.sample or selection.is_narrow(words)
    if not (words.all or narrow):
        raise UsageError("choose images: --all, --image, or one of the other filters")
    context.need_locations()
    names = selection.stores(context)
    images, left = _chosen(context)
    if words.dry_run:
        return _plan(context, images, names)
    verdicts = _verdicts(context, images, names, left)
    _report(context, len(images), verdicts)
    counts = collections.Counter(verdict.state for verdict in verdicts)
    if context.output.interrupted:
        return False
    part = words.since or words.older_than or words.after  # of it nothing may be left
    if not (counts[OK] + counts[BAD] + counts[UNKNOWN] or part):
        raise GatewayError("Nothing was looked at: no image has a copy in S3.")
    if counts[UNKNOWN] and not counts[BAD]:
        raise GatewayError(f"{counts[UNKNOWN]} copies could not be looked at.")
    return not counts[BAD]


def _chosen(context: Context) -> tuple[list[Image], int]:
    """Return the images to look at, and how many are left for another time."""
    words = context.words
    found = selection.in_order(selection.images(context), words.after)
    if words.sample:
        found = selection.sampled(found, words.sample)
    images = found[: words.limit]
    return images, 0 if words.sample else len(found) - len(images)


def _plan(context: Context, images: Sequence[Image], names: Collection[str]) -> bool:
    """Print how much there is to do."""
    numbers = {"images": len(images), "size_bytes": _size(context, images, names)}
    summary = f"{len(images)} images would be looked at"
    if context.words.deep:
        rate = context.words.bandwidth
        summary += f" and {sized(numbers['size_bytes'])} read; "
        summary += work.time_needed(numbers["size_bytes"], rate)
        if rate:
            numbers["estimated_seconds"] = numbers["size_bytes"] // rate
    context.output.result([], _COLUMNS, summary, numbers)
    return True


def _size(context: Context, images: Sequence[Image], names: Collection[str]) -> int:
    """Return how many bytes the copies of images are."""
    found = (
        (image, copies.copy_at(location, context.stores))
        for image in images
        for location in image.locations
    )
    return sum(image.size or 0 for image, c in found if c and c.store.name in names)


def _verdicts(
    context: Context, images: Sequence[Image], names: Collection[str], left: int
) -> list[Verdict]:
    """Look at images; the output learns behind which the next run goes on."""
    words, output = context.words, context.output
    size = _size(context, images, names)
    total, unit = (size, "bytes") if words.deep else (len(images), "images")
    done: set[str] = set()
    with output.bar(total, unit) as bar:
        working = Work.of(words, output, bar)
        verifier = Verifier(context, names=names, deep=words.deep, moved=working.moved)

        def verify(image: Image) -> Iterator[Verdict]:
            yield from verifier.verdicts(image)
            done.add(image.id)
            if not words.deep:
                bar.moved(1)

        verdicts = working.each(verify, images, _line)
    if not words.sample and (left or len(done) < len(images)):
        whole = itertools.takewhile(lambda image: image.id in done, images)
        output.resume_after = max((i.id for i in whole), default=words.after)
    return verdicts


def _line(verdict: Verdict) -> str:
    where = f" in {verdict.store}" if verdict.store else ""
    detail = f": {verdict.detail}" if verdict.detail else ""
    return f"{verdict.image}{where} {verdict.state} {verdict.code}{detail}"


def _report(context: Context, images: int, verdicts: Sequence[Verdict]) -> None:
    """Print those that are not as they should be; of images that were named, all."""
    counts = collections.Counter(verdict.state for verdict in verdicts)
    codes = collections.Counter(verdict.code for verdict in verdicts)
    everything = context.words.image or not context.output.for_people
    shown = [v for v in verdicts if everything or v.state in (BAD, UNKNOWN)]
    summary = (
        f"{images} images: {counts[OK]} copies in S3 are as they should be, "
        f"{counts[BAD]} are not, {counts[UNKNOWN]} could not be looked at, "
        f"{codes['not_in_s3']} are not in S3, "
        f"{codes['not_shown']} images do not show theirs"
    )
    if context.output.resume_after:
        summary += f"; go on with --after {context.output.resume_after}"
    numbers = {"images": images, **{state: counts[state] for state in STATES}}
    rows = [dataclasses.asdict(verdict) for verdict in shown]
    context.output.result(rows, _COLUMNS, summary, numbers)
