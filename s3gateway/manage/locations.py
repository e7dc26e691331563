# SPDX-License-Identifier: Apache-2.0
"""``locations audit``: counts the keys in Glance's database."""

from __future__ import annotations

import argparse
import collections
import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from s3gateway import uris
from s3gateway.config.stores import StoreSettings
from s3gateway.glance.image import Location
from s3gateway.glance.image import store_of
from s3gateway.manage import arguments
from s3gateway.manage import scrubbing
from s3gateway.manage import sealing
from s3gateway.manage import selection
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output

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

_COLUMNS = ("store", "key_id", "locations", "state")
_BY_IMAGE = ("image", *_COLUMNS)

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
    scrubbing.declare(group)
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
    used = in_state(counts, IN_USE) + in_state(counts, SEALED)
    unreadable = in_state(counts, UNREADABLE)
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
    service = uris.service_of(face)
    # Where the keys of S3 are known: until sealing ends the face may take them as well.
    of_s3 = {
        pair.access_key
        for store in stores.values()
        if uris.service_of(store.endpoint) != service
        for pair in store.signing_keys()
    }
    for image_id, location, needed in output.progress(_all(operator), "locations"):
        if location.url and not uris.is_s3(location.url):
            continue
        uri = uris.try_parse(location.url)
        store = store_of(location, stores) or str(location.metadata.get("store"))
        state = IN_USE if needed else DELETED
        if uri and _is_at(uri, face) and uri.access_key not in of_s3:
            state = SEALED
        if not location.url:
            state = UNREADABLE
        key_id = uri.access_key if uri else ""
        found[Kind(store, key_id, state, image_id if by_image else "")] += 1
    return found


def _is_at(uri: uris.StoredURI, face: str) -> bool:
    """Whether a location is at the face; none is if there is no face.

    Glance's driver up to 32 speaks TLS if the location says so, whatever its section
    says.  And it speaks none to a host that its section has with http.
    """
    needs_tls = uris.scheme_of(face) == "https"
    speaks_it = uri.scheme == "s3+https" or not needs_tls
    return uri.service == uris.service_of(face) and speaks_it


def in_state(counts: Mapping[Kind, int], state: str) -> int:
    """Return how many locations are of a state."""
    return sum(n for kind, n in counts.items() if kind.state == state)


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
