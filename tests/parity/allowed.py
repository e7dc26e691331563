# SPDX-License-Identifier: Apache-2.0
"""Every difference from stock Glance that is meant, by name and with its reason.

A difference that no entry here allows fails the row; an entry that allows
nothing any more fails the table.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from s3gateway import uris
from tests.parity import rows
from tests.parity.compare import ABSENT
from tests.parity.compare import Difference


@dataclasses.dataclass(frozen=True)
class Allowed:
    """A difference that is meant.

    :ivar by_api: whether only uploads that are registered through the API have it
    :ivar by_chance: whether it may not be there, as Glance itself is not always alike
    """

    name: str
    reason: str
    applies: Callable[[Difference], bool]
    by_api: bool = False
    by_chance: bool = False


def _is_file(difference: Difference, *methods: str) -> bool:
    return bool(
        re.fullmatch(
            rf"({'|'.join(methods)}) /v2/images/<id \d+>/file(\?.*)?", difference.what
        )
    )


def _is_masked(difference: Difference) -> bool:
    return (
        difference.field.endswith(("].url", "direct_url"))
        and uris.is_s3(str(difference.stock))
        and bool(re.fullmatch(r"s3://\w+/<id \d+>", str(difference.gateway)))
    )


def _is_offer(difference: Difference) -> bool:
    return (
        _is_file(difference, "GET", "HEAD")
        and difference.field
        in ("header accept-ranges", "header etag", "header last-modified")
        and difference.stock == ABSENT
    )


def _names_internal_stores(difference: Difference) -> bool:
    def external(names: str) -> list[str]:
        return [name for name in names.split(",") if not name.startswith("os_glance_")]

    return difference.field == "header openstack-image-store-ids" and (
        external(difference.stock) == external(difference.gateway)
    )


def _is_left_behind(difference: Difference) -> bool:
    fields = ("checksum", "direct_url", "locations", "os_hash_algo", "os_hash_value")
    return (
        difference.row.startswith("format: ")
        and difference.field in [f"body.{field}" for field in (*fields, "stores")]
        and difference.gateway in (None, ABSENT, [])
    )


ALLOWED = [
    Allowed(
        "masked locations",
        "users see s3://<store>/<image id> in place of host, bucket and credentials",
        _is_masked,
    ),
    Allowed(
        "ranges and validators are offered",
        "stock's S3 driver knows no ranges; the gateway does and says so",
        _is_offer,
    ),
    Allowed(
        "ranges are served",
        "stock answers 400 to a range of an image in S3",
        lambda difference: (
            _is_file(difference, "GET") and difference.statuses == (400, 206)
        ),
    ),
    Allowed(
        "416 names the size",
        "RFC 9110, 15.5.17, asks for a Content-Range that stock's 416 has not",
        lambda difference: (
            difference.statuses == (416, 416)
            and difference.field == "header content-range"
        ),
    ),
    Allowed(
        "HEAD is answered",
        "stock answers 405; clients that resume, and Ironic, ask before they read",
        lambda difference: (
            _is_file(difference, "HEAD") and difference.statuses == (405, 200)
        ),
    ),
    Allowed(
        "no status saving",
        "the data is registered when it is complete: the image stays queued until "
        "it is active",
        lambda difference: (
            difference.what.endswith(" while its data comes in")
            and difference.field == "body.status"
            and (difference.stock, difference.gateway) == ("saving", "queued")
        ),
        by_api=True,
    ),
    Allowed(
        "nothing left of a refused upload",
        "stock keeps digests and a location on the queued image when the content "
        "is refused after it was stored",
        _is_left_behind,
    ),
    Allowed(
        "order of several formats",
        "Glance names them in the order of a set, which is another each time",
        lambda difference: (
            "Multiple formats detected" in str(difference.stock)
            and sorted(str(difference.stock)) == sorted(str(difference.gateway))
        ),
        by_chance=True,
    ),
    Allowed(
        "not stuck in saving",
        "stock leaves the image saving for ever when a quota is exceeded in the end",
        lambda difference: (
            difference.row == "upload over the user's storage quota"
            and difference.field == "body.status"
            and (difference.stock, difference.gateway) == ("saving", "queued")
        ),
    ),
    Allowed(
        "words of a storage quota",
        "the quota is checked by Glance when the data is registered, which it says "
        "in other words than for an upload",
        lambda difference: (
            difference.row == "upload over the user's storage quota"
            and difference.statuses == (413, 413)
        ),
        by_api=True,
    ),
    Allowed(
        "virtual_size of a deactivated image",
        "it is kept with the location, and Glance does not show the locations of "
        "a deactivated image",
        lambda difference: (
            difference.row == "download of a deactivated image"
            and difference.field == "body.virtual_size"
        ),
        by_api=True,
    ),
    Allowed(
        "an object in the way",
        "stock writes under the image's id and answers 500, for ever, when an "
        "object is there; the gateway writes under a key of its own",
        lambda difference: difference.row == rows.OBJECT_IN_THE_WAY,
    ),
    Allowed(
        "nothing left of a client that went away",
        "stock leaves an open multipart upload in S3 for ever",
        lambda difference: (
            difference.row == rows.CLIENT_GONE
            and (difference.field, difference.gateway) == ("count", 0)
        ),
    ),
    Allowed(
        "internal stores in OpenStack-image-store-ids",
        "whether Glance names its two internal stores there depends on which of "
        "its own drivers it used last",
        _names_internal_stores,
        by_chance=True,
    ),
]


def allowance(difference: Difference, *, by_api: bool) -> Allowed | None:
    """Return what allows a difference.

    :param by_api: whether uploads are registered through the API
    """
    return next(
        (
            allowed
            for allowed in ALLOWED
            if (by_api or not allowed.by_api) and allowed.applies(difference)
        ),
        None,
    )
