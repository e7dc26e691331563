# SPDX-License-Identifier: Apache-2.0
"""Which images a command works on: what ``GET /v2/images`` shows, filtered."""

from __future__ import annotations

import argparse
import datetime
import math
import random
import sys
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from oslo_utils import timeutils

from s3gateway.errors import GatewayError
from s3gateway.errors import UsageError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage.context import Context

_VISIBILITIES = ("public", "community", "shared", "private")


def declare(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare the filters; return the group that they are in."""
    group = parser.add_argument_group("which images")
    group.add_argument(
        "--image",
        action="append",
        metavar="ID",
        default=[],
        help="only this image; may be repeated",
    )
    group.add_argument(
        "--project",
        action="append",
        metavar="ID",
        default=[],
        help="only images of this project; may be repeated",
    )
    group.add_argument(
        "--visibility", choices=_VISIBILITIES, help="only images of this visibility"
    )
    group.add_argument(
        "--older-than",
        type=arguments.age,
        metavar="AGE",
        default=0.0,
        help="only images that were last changed before that: 90s, 30m, 12h or 7d",
    )
    group.add_argument(
        "--since",
        type=arguments.moment,
        metavar="WHEN",
        help="only images that were changed since: 12h or 7d ago, or "
        "2026-11-27T22:00:00Z",
    )
    group.add_argument(
        "--limit", type=arguments.number, metavar="N", help="at most N images"
    )
    return group


def is_narrow(words: argparse.Namespace) -> bool:
    """Whether a command line has a filter."""
    return bool(
        words.image
        or words.project
        or words.visibility
        or words.older_than
        or words.since
        or words.limit
    )


def images(context: Context) -> Iterator[Image]:
    """Yield the images of the filters, without regard to their limit.

    :raises GatewayError: if Glance does not show one that was named
    """
    words = context.words
    found: Iterable[Image] = (named(context, image_id) for image_id in words.image)
    if not words.image:
        found = context.glance.images()
    return filter(_filter(words), context.output.progress(found, "images"))


def in_order(found: Iterable[Image], after: str = "") -> list[Image]:
    """Return images in the order of their ids, so that work on them can go on later.

    :param after: the id behind which to begin
    """
    return sorted((i for i in found if i.id > after), key=lambda image: image.id)


def sampled(found: Sequence[Image], percent: float) -> list[Image]:
    """Return so many of the images, chosen at random, in the same order."""
    count = math.ceil(len(found) * percent / 100)
    chosen = random.SystemRandom().sample(range(len(found)), count)
    return [found[number] for number in sorted(chosen)]


def ids(words: Sequence[str]) -> list[str]:
    """Return the ids or keys of a command line, each once; ``-`` is standard input.

    In a line of standard input the first word counts.

    :raises UsageError: if there is none
    """
    found: list[str] = []
    for word in words:
        if word == "-":
            lines = (line.split() for line in sys.stdin)
            found += [line[0] for line in lines if line]
        else:
            found.append(word)
    if not found:
        raise UsageError("-: standard input is empty; write one id or key a line")
    return list(dict.fromkeys(found))


def named(context: Context, image_id: str) -> Image:
    """Return the image of an id.

    :raises GatewayError: if Glance does not show it
    """
    try:
        return context.glance.show(image_id)
    except Refused as refused:
        raise GatewayError(f"Image {image_id}: Glance says {refused}") from None


def stores(context: Context) -> list[str]:
    """Return the names of the S3 stores that were named, or of all.

    :raises UsageError: if there is none of a name
    """
    wanted = context.words.store
    for name in wanted:
        need_store("--store", name, context.stores)
    return wanted or list(context.stores)


def need_store(option: str, name: str, known: Collection[str]) -> None:
    """Make sure that an option names one of the S3 stores.

    :raises UsageError: if it does not
    """
    if name not in known:
        names = ", ".join(known) or "none"
        raise UsageError(f"{option}: {name!r} is not an S3 store; those are {names}")


def _filter(words: argparse.Namespace) -> Callable[[Image], bool]:
    def is_wanted(image: Image) -> bool:
        shown = image.properties
        return (
            (not words.project or shown.get("owner") in words.project)
            and words.visibility in (None, shown.get("visibility"))
            and (not words.older_than or _age(image) >= words.older_than)
            and (not words.since or _changed(image) >= words.since)
        )

    return is_wanted


def _age(image: Image) -> float:
    """Return how many seconds ago an image was last changed."""
    return (timeutils.utcnow(with_timezone=True) - _changed(image)).total_seconds()


def _changed(image: Image) -> datetime.datetime:
    return timeutils.parse_isotime(image.properties["updated_at"])
