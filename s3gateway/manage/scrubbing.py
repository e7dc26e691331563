# SPDX-License-Identifier: Apache-2.0
"""``locations scrub``: has Glance take the keys out of its database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from s3gateway import uris
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage import work
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output
from s3gateway.manage.output import Row
from s3gateway.manage.work import UNLIMITED
from s3gateway.manage.work import Pace

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_SCRUB = """
Have Glance 33 or later take the keys out of its locations. Glance does that itself when
it shows an image; this shows all images that have one. Each gets a new updated_at. An
older Glance cannot read a location without keys: there the command refuses. Change the
keys afterwards: everybody who has seen the locations knows them.

--dry-run lists the images, with an older Glance, too. Images beyond --limit are for
another time: they do not make the exit code 1.

  s3gateway-manage locations scrub --dry-run
  s3gateway-manage locations scrub --limit 1000
"""

_IMAGE = ("image",)


def declare(group: Commands) -> None:
    """Declare the command in the group ``locations``."""
    parser = arguments.add(
        group,
        "scrub",
        _scrub,
        summary="Have Glance remove S3 keys from locations",
        text=_SCRUB,
        title="locations scrub",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list the images")
    parser.add_argument(
        "--limit", type=arguments.number, metavar="N", help="rewrite at most N images"
    )
    work.declare_rate(parser, "images")


def _scrub(context: Context) -> bool:
    words = context.words
    if words.dry_run:
        return show(context.glance, context.output)
    return scrub(context.glance, context.output, words.limit, Pace(words.rate))


def show(operator: Operator, output: Output) -> bool:
    """List the images that have a key in a location; return whether there is none."""
    kept = _leaking(operator)
    summary = f"{len(kept)} images hold a key in a location"
    output.result(_rows(kept), _IMAGE, summary, {"rewritten": 0, "left": len(kept)})
    return not kept


def scrub(
    operator: Operator,
    output: Output,
    limit: int | None = None,
    pace: Pace = UNLIMITED,
) -> bool:
    """Have Glance rewrite the locations that hold a key, by showing their images.

    :param limit: so many images at most
    :param pace: of showing one after the other
    :return: whether all that it was to rewrite were rewritten
    :raises GatewayError: if this Glance needs the keys
    """
    if operator.traits.credentials_in_uris:
        raise GatewayError(
            "This Glance (glance_store before 5.6) reads and deletes images with the "
            "credentials in their locations: they cannot be taken out. Upgrade first."
        )
    output.note(
        "Each rewritten image gets another updated_at; Cinder's image-volume cache "
        "compares that and will cache the image anew."
    )
    wanted = _leaking(operator)[:limit]
    for image_id in output.progress(wanted, f"of {len(wanted)} images"):
        pace.wait()
        try:
            operator.show(image_id)
        except Refused as refused:
            output.note(f"{image_id}: Glance answered {refused.answer.status}")
    kept = _leaking(operator)
    failed = set(wanted) & set(kept)
    done = len(wanted) - len(failed)
    summary = f"{done} images rewritten, {len(kept)} left"
    counts = {"rewritten": done, "left": len(kept)}
    output.result(_rows(kept), _IMAGE, summary, counts)
    return not failed


def _leaking(operator: Operator) -> list[str]:
    """Return the ids of the images that have a key in a location."""
    return [image.id for image in operator.images() if _holds_key(image)]


def _rows(ids: Iterable[str]) -> list[Row]:
    return [{"image": image_id} for image_id in ids]


def _holds_key(image: Image) -> bool:
    found = (uris.try_parse(each.url) for each in image.locations)
    return any(uri is not None and uri.access_key for uri in found)
