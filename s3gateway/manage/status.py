# SPDX-License-Identifier: Apache-2.0
"""``status``: the uploads that are under way, and those that have died.

An upload is seen by up to three things: a claim, a multipart upload, and the mark of an
image that is ``saving``.  Those of one upload are one row.
"""

from __future__ import annotations

import collections
import datetime
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreError
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage import faces
from s3gateway.manage.context import Context
from s3gateway.manage.output import iso
from s3gateway.manage.under_way import ALIVE
from s3gateway.manage.under_way import DEAD
from s3gateway.manage.under_way import UNKNOWN
from s3gateway.manage.under_way import Bucket
from s3gateway.manage.under_way import Found
from s3gateway.manage.under_way import Uploads
from s3gateway.manage.under_way import saving

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_COLUMNS = (
    "image",
    "store",
    "state",
    "gateway",
    "began_at",
    "last_sign_at",
    "silent_seconds",
    "received_bytes",
    "detail",
)

_TEXT = """
It shows to which image and store, on which host, since when, how long ago the last
sign of life was, and how many bytes are in S3, as far as that is known. An upload gives
a sign of life at least once in a fifth of [s3gateway] claim_grace. After claim_grace
seconds without one it is dead, and the next upload to the image, or gc --delete,
collects what it has left. The bytes are those of whole parts of a multipart upload. An
upload that is Glance's own is "unknown": nobody knows whether it is alive. Exit code 1:
an upload is dead.

  s3gateway-manage status
  s3gateway-manage status --json | jq '.rows[] | select(.state == "dead")'
"""


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "List the uploads that are under way"
    arguments.add(commands, "status", run, summary=summary, text=_TEXT)


def run(context: Context) -> bool:
    """Print the uploads; return whether none is dead.

    :raises GatewayError: if not all could be looked at; what was is printed
    """
    uploads = Uploads(context.settings.claim_grace)
    problems = [*_of_stores(context.stores, uploads), *_of_glance(context, uploads)]
    for problem in problems:
        context.output.note(problem)
    found = uploads.found()
    now = time.time()
    rows = [_row(upload, now) for upload in found]
    count = collections.Counter(upload.state for upload in found)
    summary = (
        f"{len(found)} uploads: {count[ALIVE]} alive, {count[DEAD]} dead, "
        f"{count[UNKNOWN]} unknown"
    )
    context.output.result(rows, _COLUMNS, summary)
    if problems:
        raise GatewayError("Not all uploads could be looked at.")
    return not count[DEAD]


def _of_stores(stores: Mapping[str, Bucket], uploads: Uploads) -> Iterator[str]:
    """Look into all stores; yield what is wrong."""
    for store in stores.values():
        try:
            uploads.look_into(store)
        except StoreError as error:
            faces.refuse(store, error)
            yield f"The uploads in store {store.name} are not known: {error}"


def _of_glance(context: Context, uploads: Uploads) -> Iterator[str]:
    """Look at the images that are ``saving``; yield what is wrong."""
    try:
        for image in saving(context.glance):
            uploads.look_at(image)
    except (GatewayError, Refused) as error:
        yield f"The images that are being saved are not known: {error}"


def _row(upload: Found, now: float) -> dict[str, Any]:
    silent = upload.silent
    values: Sequence[Any] = (
        upload.image_id,
        upload.store or None,
        upload.state,
        upload.gateway or None,
        _isotime(upload.since),
        _isotime(None if silent is None else now - silent),
        None if silent is None else max(round(silent), 0),
        upload.received,
        upload.detail,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _isotime(moment: float | None) -> str | None:
    if moment is None:
        return None
    return iso(datetime.datetime.fromtimestamp(round(moment), datetime.timezone.utc))
