# SPDX-License-Identifier: Apache-2.0
"""``copy`` and ``migrate``: images brought into another store, one after the other."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage.context import Context
from s3gateway.manage.copier import Copier
from s3gateway.manage.copier import Moved
from s3gateway.manage.copier import Unfit
from s3gateway.manage.copier import check

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_COPY = """
Copy an image's data into another S3 store, and add the copy to the image's locations.
Within one S3 server the server copies; otherwise the data passes through this host. The
copy is read back and compared with the digest that Glance shows before the image
refers to it. Glance serves the image all the time.

  s3gateway-manage copy 6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11 --to fast
"""

_MIGRATE = """
Copy all images of a store into an S3 store, as "copy" does, and have Glance delete
each one in the old store once its copy is verified. You can stop the command and run it
again; it skips images already moved. If it was killed during a copy, that image can be
retried after [s3gateway] claim_grace seconds. Each moved image gets a new updated_at.
Images that are not active are skipped.

  s3gateway-manage migrate --from file --to fast --dry-run
  s3gateway-manage migrate --from file --to fast
"""

_COLUMNS = ("image", "size", "state", "detail")

DONE, WOULD, SKIPPED, FAILED = "done", "would be", "skipped", "failed"


def declare(commands: Commands) -> None:
    """Declare both commands."""
    summary = "Copy an image to another store"
    one = arguments.add(commands, "copy", copy, summary=summary, text=_COPY)
    one.add_argument("image_id", metavar="IMAGE", help="the id of the image")
    _add_target(one)
    summary = "Move all images of a store to another store"
    many = arguments.add(commands, "migrate", migrate, summary=summary, text=_MIGRATE)
    many.add_argument(
        "--from", dest="source", metavar="STORE", required=True, help="any store"
    )
    _add_target(many)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="STORE", required=True, help="an S3 store")
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would be done"
    )


def copy(context: Context) -> bool:
    """Copy one image; return whether it is in the store now."""
    words = context.conf.command
    _prepare(context, words.to)
    try:
        images = [context.glance.show(words.image_id)]
    except Refused as refused:
        raise GatewayError(f"Image {words.image_id}: Glance says {refused}") from None
    return _run(context, images, source="", to=words.to, dry_run=words.dry_run)


def migrate(context: Context) -> bool:
    """Move all images of a store; return whether none is left that could be moved."""
    words = context.conf.command
    _prepare(context, words.to)
    source = words.source
    if source not in context.conf.enabled_backends or source == words.to:
        raise ConfigError(
            "DEFAULT", "enabled_backends", f"{source!r} is no other store of Glance"
        )
    found = context.output.progress(context.glance.images(), "images")
    images = [image for image in found if _is_in(image, source)]
    return _run(context, images, source=source, to=words.to, dry_run=words.dry_run)


def _prepare(context: Context, to: str) -> None:
    """Make sure that there is such a store, and be ready to be stopped."""
    context.need_locations()
    if not context.settings.multi_store:
        raise ConfigError(
            "DEFAULT", "enabled_backends", "not set; there is no other store"
        )
    if to not in context.settings.stores:
        names = ", ".join(context.settings.stores)
        raise ConfigError(
            "DEFAULT",
            "enabled_backends",
            f"{to!r} is no S3 store; those are {names or 'none'}",
        )
    # A service manager's stop is as good as Ctrl-C: what is half done is undone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _run(
    context: Context, images: list[Image], *, source: str, to: str, dry_run: bool
) -> bool:
    rows = list(_rows(context, images, source, to, dry_run))
    states = [row["state"] for row in rows]
    what = "moved" if source else "copied"
    if dry_run:
        summary = f"{states.count(WOULD)} images would be {what} to {to}"
    else:
        summary = f"{states.count(DONE)} images {what} to {to}"
    summary += f", {states.count(SKIPPED)} skipped, {states.count(FAILED)} failed"
    context.output.result(rows, _COLUMNS, summary)
    return FAILED not in states and SKIPPED not in states


def _rows(
    context: Context, images: Iterable[Image], source: str, to: str, dry_run: bool
) -> Iterator[dict[str, str]]:
    images = list(images)
    copier = Copier(context, to)
    total = 2 * sum(image.size or 0 for image in images)
    with context.output.bar(total, "bytes") as bar:
        for image in images:
            try:
                state, detail = _one(copier, image, source, bar.moved, dry_run)
            except Unfit as unfit:
                state, detail = SKIPPED, str(unfit)
            except (GatewayError, Refused) as error:
                state, detail = FAILED, str(error)
            size = str(image.size or 0)
            values = (image.id, size, state, detail)
            yield dict(zip(_COLUMNS, values, strict=True))


def _one(
    copier: Copier, image: Image, source: str, moved: Moved, dry_run: bool
) -> tuple[str, str]:
    """Copy or move one image; return the state and the detail of its row."""
    check(image)
    if dry_run:
        return WOULD, ""
    how = copier.copy(image.id, moved)
    if source:
        copier.leave(image.id, source)
    return DONE, how


def _is_in(image: Image, store: str) -> bool:
    return any(location.metadata.get("store") == store for location in image.locations)
