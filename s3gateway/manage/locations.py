# SPDX-License-Identifier: Apache-2.0
"""``locations audit`` and ``locations scrub``: keys in Glance's database."""

from __future__ import annotations

import argparse
import collections
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from s3gateway import uris
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from s3gateway.manage import arguments
from s3gateway.manage import sealing
from s3gateway.manage import selection
from s3gateway.manage import work
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output
from s3gateway.manage.output import Row
from s3gateway.manage.work import UNLIMITED
from s3gateway.manage.work import Pace

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_AUDIT = """
Count the S3 locations of all images by store and by the access key id in them. No
secret key is shown. Glance up to 32 writes both keys into each location, and needs
them there. Where Glance is installed its database is read, with the rows of deactivated
and of deleted images; "glance-manage db purge" removes the latter. Exit code 1: a
location holds an S3 key. A key of the face of a sealed gateway is none.

--images lists the images that hold a key; as JSON or CSV it lists all of them.

  s3gateway-manage locations audit
  s3gateway-manage locations audit --images --store fast
  s3gateway-manage locations audit --face http://gateway:9293
  s3gateway-manage locations audit --json | jq '.rows[]'
"""

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

_COLUMNS = ("store", "key_id", "locations", "state")
_BY_IMAGE = ("image", *_COLUMNS)
_IMAGE = ("image",)

#: Of locations: of an image, of one that was deleted, at the face of a sealed gateway,
#: encrypted with a key that Glance's configuration has not.
IN_USE, DELETED, SEALED, UNREADABLE = ("in_use", "deleted", "sealed", "unreadable")


@dataclasses.dataclass(frozen=True, order=True)
class Kind:
    """What locations that are counted together have in common.

    :ivar key_id: of the access key in them, empty if there is none
    :ivar image: the id of their image, empty if they are of any
    """

    store: str
    key_id: str
    state: str
    image: str = ""


def declare(commands: Commands) -> None:
    """Declare the commands."""
    summary = "Find, remove and replace S3 keys in Glance's database"
    group = arguments.add_group(commands, "locations", summary)
    parser = arguments.add(
        group,
        "audit",
        _audit,
        summary="Count locations that hold S3 keys",
        text=_AUDIT,
        title="locations audit",
    )
    declare_face(parser)
    parser.add_argument(
        "--images", action="store_true", help="list the images, not only their number"
    )
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="only locations in this S3 store; may be repeated",
    )
    scrubbing = arguments.add(
        group,
        "scrub",
        _scrub,
        summary="Have Glance remove S3 keys from locations",
        text=_SCRUB,
        title="locations scrub",
    )
    scrubbing.add_argument(
        "--dry-run", action="store_true", help="only list the images"
    )
    scrubbing.add_argument(
        "--limit", type=arguments.number, metavar="N", help="rewrite at most N images"
    )
    work.declare_rate(scrubbing, "images")
    sealing.declare(group)


def declare_face(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that tells keys of the face from keys of S3."""
    parser.add_argument(
        "--face",
        type=sealing.url,
        metavar="URL",
        help="of the S3 face: locations there hold its keys, and none of S3; by "
        "default [s3gateway] face_url",
    )


def _audit(context: Context) -> bool:
    """Count the locations by store and by the access key in them.

    :return: whether no location holds a key of S3
    """
    words = context.words
    counts = count(
        context.glance,
        {name: store.settings for name, store in context.stores.items()},
        context.output,
        context.face,
        by_image=words.images,
    )
    if words.store:
        names = selection.stores(context)
        counts = collections.Counter(
            {k: n for k, n in counts.items() if k.store in names}
        )
    return report(context.output, counts, by_image=words.images)


def _scrub(context: Context) -> bool:
    words = context.words
    if words.dry_run:
        return show(context.glance, context.output)
    return scrub(context.glance, context.output, words.limit, Pace(words.rate))


def report(
    output: Output, counts: collections.Counter[Kind], *, by_image: bool = False
) -> bool:
    """Print what was counted; a table of images has those only that may hold a key.

    :return: whether no location holds a key of S3
    """
    shown = sorted(counts)
    if by_image and output.for_people:
        shown = [kind for kind in shown if _may_leak(kind)]
    rows = [
        {
            **({"image": kind.image} if by_image else {}),
            "store": kind.store,
            "key_id": kind.key_id or None,
            "locations": counts[kind],
            "state": kind.state,
        }
        for kind in shown
    ]
    used = sum(n for kind, n in counts.items() if kind.state in (IN_USE, SEALED))
    unreadable = sum(n for kind, n in counts.items() if kind.state == UNREADABLE)
    leaking, left = with_key(counts, IN_USE), with_key(counts, DELETED)
    summary = f"{leaking} of {used} S3 locations hold credentials"
    if left:
        summary += f", and {left} rows of deleted images: run glance-manage db purge"
    if unreadable:
        summary += f"; metadata_encryption_key does not decrypt {unreadable} more"
    found = {"locations": used, "with_key": leaking, "deleted_with_key": left}
    output.result(rows, _BY_IMAGE if by_image else _COLUMNS, summary, found)
    return not (leaking or left or unreadable)


def _may_leak(kind: Kind) -> bool:
    return kind.state == UNREADABLE or bool(kind.key_id and kind.state != SEALED)


def count(
    operator: Operator,
    stores: Mapping[str, StoreSettings],
    output: Output,
    face: str,
    *,
    by_image: bool = False,
) -> collections.Counter[Kind]:
    """Count the S3 locations of all images, of deleted ones too where they are seen.

    :param face: URL of the S3 face, empty if there is none
    :param by_image: whether to count those of each image by themselves
    """
    found: collections.Counter[Kind] = collections.Counter()
    service = uris.service_of(face) if face else None
    for image_id, location, needed in output.progress(_all(operator), "locations"):
        if location.url and not uris.is_s3(location.url):
            continue
        uri = uris.try_parse(location.url)
        store = store_of(location, stores) or str(location.metadata.get("store"))
        state = IN_USE if needed else DELETED
        if uri is not None and uri.service == service:
            state = SEALED
        if not location.url:
            state = UNREADABLE
        key_id = uri.access_key if uri else ""
        found[Kind(store, key_id, state, image_id if by_image else "")] += 1
    return found


def with_key(counts: Mapping[Kind, int], state: str) -> int:
    """Return how many locations of a state hold a key."""
    return sum(n for kind, n in counts.items() if kind.key_id and kind.state == state)


def _all(operator: Operator) -> Iterator[tuple[str, Location, bool]]:
    """Yield all locations with their images' ids, and whether Glance needs each."""
    if operator.rows is not None:
        for row in operator.rows.all():
            yield row.image_id, Location(row.url, row.metadata), row.needed
        return
    for image in operator.images():
        for location in image.locations:
            yield image.id, location, True


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
