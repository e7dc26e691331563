# SPDX-License-Identifier: Apache-2.0
"""``locations audit`` and ``locations scrub``: keys in Glance's database."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from s3gateway import uris
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.image import store_of
from s3gateway.manage import arguments
from s3gateway.manage.context import Context
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output
from s3gateway.manage.output import Row

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_AUDIT = """
Count the S3 locations of all images by store and by the access key id in them. No
secret key is shown. Glance up to 32 writes both keys into each location, and needs
them there. Exit code 1: a location holds a key.

  s3gateway-manage locations audit
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

_COLUMNS = ("store", "key_id", "locations")
_IMAGE = ("image",)


def declare(commands: Commands) -> None:
    """Declare both commands."""
    summary = "Find and remove S3 keys in Glance's database"
    group = arguments.add_group(commands, "locations", summary)
    arguments.add(
        group,
        "audit",
        _audit,
        summary="Count locations that hold S3 keys",
        text=_AUDIT,
        title="locations audit",
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


def _audit(context: Context) -> bool:
    stores = {name: store.settings for name, store in context.stores.items()}
    return audit(context.glance, stores, context.output)


def _scrub(context: Context) -> bool:
    if context.words.dry_run:
        return show(context.glance, context.output)
    return scrub(context.glance, context.output, context.words.limit)


def audit(
    operator: Operator, stores: Mapping[str, StoreSettings], output: Output
) -> bool:
    """Count the locations by store and by the access key in them.

    :return: whether no location holds a key
    """
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for image in output.progress(operator.images(), "images"):
        counts.update(_keys_of(image, stores))
    rows = [
        {"store": store, "key_id": key or None, "locations": count}
        for (store, key), count in sorted(counts.items())
    ]
    leaking = sum(count for (_, key), count in counts.items() if key)
    total = counts.total()
    summary = f"{leaking} of {total} S3 locations hold credentials"
    found = {"locations": total, "with_key": leaking}
    output.result(rows, _COLUMNS, summary, found)
    return not leaking


def show(operator: Operator, output: Output) -> bool:
    """List the images that have a key in a location; return whether there is none."""
    kept = _leaking(operator)
    summary = f"{len(kept)} images hold a key in a location"
    output.result(_rows(kept), _IMAGE, summary, {"rewritten": 0, "left": len(kept)})
    return not kept


def scrub(operator: Operator, output: Output, limit: int | None = None) -> bool:
    """Have Glance rewrite the locations that hold a key, by showing their images.

    :param limit: so many images at most
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


def _keys_of(
    image: Image, stores: Mapping[str, StoreSettings]
) -> Iterator[tuple[str, str]]:
    """Yield the store and the access key of each of an image's S3 locations."""
    for location in image.locations:
        if uris.is_s3(location.url):
            uri = uris.try_parse(location.url)
            store = store_of(location, stores) or str(location.metadata.get("store"))
            yield store, uri.access_key if uri else ""


def _holds_key(image: Image) -> bool:
    return any(key for _, key in _keys_of(image, {}))
