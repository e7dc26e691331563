# SPDX-License-Identifier: Apache-2.0
"""``gc``: collects what uploads that died have left, and nothing else.

Never touched are: what is younger than the grace time, what an image refers to or may
refer to, and what does not say that it belongs to this Glance.  Nothing at all is
deleted if it would be so much that the database is rather the wrong one.
"""

from __future__ import annotations

import collections
import datetime
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3gateway.config.settings import Settings
from s3gateway.errors import Conflict
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.manage import arguments
from s3gateway.manage import drivers_uploads
from s3gateway.manage import selection
from s3gateway.manage.context import Context
from s3gateway.manage.leftovers import Finder
from s3gateway.manage.leftovers import Leftover
from s3gateway.manage.leftovers import spelled
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Row
from s3gateway.manage.output import iso
from s3gateway.manage.reasons import DOUBTFUL
from s3gateway.manage.reasons import SPARED
from s3gateway.manage.reasons import UNREADABLE
from s3gateway.store import ObjectStore
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import Claim
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import refers_to

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Find what uploads and copies that died have left: claims, multipart uploads and
objects. Nothing is deleted without --delete. Never deleted is what is younger than
[s3gateway] claim_grace, what an image refers to, what a running upload may need, and
what does not say that it belongs to this Glance ([s3gateway] glance_id).

A bucket belongs to exactly one Glance database. If the database is empty or older than
the bucket, it does not know the newer images, and their objects look like leftovers.
After you have restored Glance's database from a backup, do not run this with --delete
until you have registered the images that are newer than the backup, or given them up.
Two checks protect you: what is newer than the last change in the database, and what is
of images that the database has never had, stays. And nothing is deleted if the database
has no image, or if more than 100 objects or a tenth of all would go. --force turns
these checks off.

Exit code 1: something was found, or could not be deleted.

  s3gateway-manage gc
  s3gateway-manage gc --delete
  s3gateway-manage gc --delete --store fast --older-than 7d --limit 50
"""

_COLUMNS = ("code", "store", "key", "age_seconds", "state")

FOUND, COLLECTED, KEPT = STATES = ("found", "collected", "kept")

#: An upload that is alive after all notices within this time that its claim is gone.
_SETTLE = 5.0  # seconds

#: So many objects, or one of so many, do not go without --force.
_MANY = 100
_OF = 10

_ADVICE = "look at [database] connection; --force collects them all the same"


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Find and delete leftovers of failed uploads"
    parser = arguments.add(commands, "gc", run, summary=summary, text=_TEXT)
    parser.add_argument(
        "--delete", action="store_true", help="delete what is found, not only show it"
    )
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="look only in this store; may be repeated",
    )
    parser.add_argument(
        "--older-than",
        type=arguments.age,
        metavar="AGE",
        default=0.0,
        help="leave alone what is younger: 90s, 30m, 12h or 7d",
    )
    parser.add_argument(
        "--limit", type=arguments.number, metavar="N", help="delete at most N"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="delete even if this seems to be the wrong database",
    )


def run(context: Context) -> bool:
    """Print what is left; collect it if wanted.

    :return: whether nothing is left that should not be
    :raises GatewayError: if not all could be listed; what was is printed, or collected
    """
    context.need_locations()
    words, settings = context.words, context.settings
    names = selection.stores(context)
    finder = Finder(
        context.glance,
        context.stores,
        grace=settings.claim_grace,
        patience=words.older_than,
        delayed_delete=settings.delayed_delete,
        trusting=words.force,
    )
    found = list(context.output.progress(finder.find(names), "leftovers"))
    for note in finder.notes:
        context.output.note(note)
    doubt = "" if words.force else _doubt(finder, found)
    states = dict.fromkeys(found, FOUND)
    if words.delete and not doubt:
        states |= _collect(context, found[: words.limit])
    _report(context, finder, states, doubt)
    if not finder.complete:
        raise GatewayError("Not all stores could be looked through.")
    if any(finder.spared[reason] for reason in (*DOUBTFUL, UNREADABLE)):
        return False
    # What was found and is beyond the limit is for another time.
    bad = KEPT if words.delete and not doubt else FOUND
    return bad not in states.values()


def _collect(context: Context, found: Sequence[Leftover]) -> dict[Leftover, str]:
    """Collect leftovers; return what became of each, as far as it was done."""
    output = context.output
    collector = Collector(context.glance, context.stores, context.settings)
    states: dict[Leftover, str] = {}
    with output.interruptible(), output.bar(len(found), "leftovers") as bar:
        for leftover, is_gone in collector.collect(found):
            states[leftover] = COLLECTED if is_gone else KEPT
            attempt = leftover.attempt
            output.finished(
                f"{leftover.kind} {attempt.key} in {attempt.store} {states[leftover]}"
            )
            bar.moved(1)
    return states


class Collector:
    """Collects leftovers."""

    def __init__(
        self,
        operator: Operator,
        stores: Mapping[str, ObjectStore],
        settings: Settings,
    ) -> None:
        self._operator = operator
        self._stores = stores
        self._grace = settings.claim_grace
        self._delayed_delete = settings.delayed_delete

    def collect(self, found: Sequence[Leftover]) -> Iterator[tuple[Leftover, bool]]:
        """Collect leftovers; yield each with whether it is gone."""
        taken = {
            leftover: self._take_over(leftover)
            for leftover in found
            if leftover.kind == "claim"
        }
        if taken:
            time.sleep(_SETTLE)
        for leftover in found:
            claim = taken.get(leftover)
            attempts = claim.leftovers if claim else (leftover.attempt,)
            lost = leftover in taken and claim is None
            is_gone = not lost and self._drop(leftover, attempts)
            if is_gone and claim:
                claim.release()
            yield leftover, is_gone

    def _take_over(self, leftover: Leftover) -> Claim | None:
        """Make a claim ours, so that its upload notices should it be alive.

        ``None`` if an upload was faster.
        """
        store = self._stores[leftover.attempt.store]
        claim = Claim(store, leftover.image_id, leftover.attempt, self._grace)
        claim.key = leftover.attempt.key  # an older gateway may spell the id otherwise
        try:
            claim.seize()
        except Conflict:
            return None
        return claim

    def _drop(self, leftover: Leftover, attempts: Sequence[Attempt]) -> bool:
        """Drop what no image needs, whichever spelling of its id is the right one."""
        store = self._stores.get(leftover.attempt.store)
        if store and drivers_uploads.is_one(store, leftover.attempt.key):
            return drivers_uploads.abort(store, leftover.attempt)
        keys = [leftover.attempt.key, *(attempt.key for attempt in attempts)]
        ids = {leftover.image_id, *filter(None, map(spelled, keys))}
        images = self._shown(ids)
        if any(image.status == "saving" for image in images):
            # Somebody may be about to make it active, with what would be dropped.
            for image in images:
                if self._is_stuck(image):
                    self._operator.restore(image.id)
            images = self._shown(ids)
        if any(image.status == "saving" for image in images):
            return False
        if leftover.kind == "image":
            return True
        if not images and self._delayed_delete:
            return False
        kept = [attempt for attempt in attempts if not self._dropped(attempt, images)]
        return not kept

    def _shown(self, ids: Iterable[str]) -> list[Image]:
        return [image for image in map(self._operator.find, ids) if image is not None]

    def _dropped(self, attempt: Attempt, images: Sequence[Image]) -> bool:
        """Drop what an attempt has left but an object that one of the images needs."""
        needing = (image for image in images if refers_to(image, attempt.key))
        return not collect([attempt], next(needing, None), self._stores)

    def _is_stuck(self, image: Image) -> bool:
        """Whether a dead upload of ours has left an image ``saving``."""
        since = self._operator.left_saving(image.id)
        return since is not None and time.time() - since >= self._grace


def _doubt(finder: Finder, found: Sequence[Leftover]) -> str:
    """Return why the database is rather the wrong one, empty if it seems right."""
    going = sum(leftover.kind == "object" for leftover in found)
    there = finder.needed + going
    if finder.last_change is None and finder.spared:
        return f"Glance's database has no image: {_ADVICE}"
    if going > _MANY or going * _OF > there:
        return f"{going} of {there} objects would go: {_ADVICE}"
    return ""


def _report(
    context: Context, finder: Finder, states: Mapping[Leftover, str], doubt: str
) -> None:
    counts = collections.Counter(states.values())
    found, collected = len(states), counts[COLLECTED]
    if doubt:
        summary = f"{found} found, 0 collected: {doubt}"
    elif context.words.delete:
        summary = f"{collected} collected, {found - collected} left"
    else:
        summary = f"{found} found" + ("; --delete collects them" if found else "")
    for reason, count in sorted(finder.spared.items()):
        summary += f"; left alone: {count} {reason}"
    numbers = {state: counts[state] for state in STATES}
    numbers["found"] = found
    for reason, code in SPARED.items():
        numbers[f"spared_{code}"] = finder.spared[reason]
    rows = [_row(leftover, state) for leftover, state in states.items()]
    context.output.result(rows, _COLUMNS, summary, numbers)


def _row(leftover: Leftover, state: str) -> Row:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "code": leftover.kind,
        "store": leftover.attempt.store,
        "key": leftover.attempt.key,
        "image": leftover.image_id,
        "age_seconds": round(leftover.age),
        "modified_at": iso(now - datetime.timedelta(seconds=leftover.age)),
        "state": state,
    }
