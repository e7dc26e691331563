# SPDX-License-Identifier: Apache-2.0
"""``gc``: collects what uploads that died have left, and nothing else.

Never touched are: what is younger than the grace time, what an image refers to or may
refer to, and what does not say that it belongs to this Glance.  Nothing at all is
deleted if it would be so much that the database is rather the wrong one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from s3gateway.config.settings import Settings
from s3gateway.errors import ConfigError
from s3gateway.errors import Conflict
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.manage.context import Context
from s3gateway.manage.leftovers import DOUBTFUL
from s3gateway.manage.leftovers import UNREADABLE
from s3gateway.manage.leftovers import Finder
from s3gateway.manage.leftovers import Leftover
from s3gateway.manage.leftovers import spelled
from s3gateway.manage.operator import Operator
from s3gateway.store import ObjectStore
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import Claim
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import refers_to

_COLUMNS = ("kind", "store", "key", "age")

#: An upload that is alive after all notices within this time that its claim is gone.
_SETTLE = 5.0  # seconds

#: So many objects, or one of so many, do not go without --force.
_MANY = 100
_OF = 10

_ADVICE = "look at [database] connection; --force collects them all the same"


def run(context: Context) -> bool:
    """Print what is left; collect it if wanted.

    :return: whether nothing is left
    :raises GatewayError: if not all could be listed; what was is printed, or collected
    """
    context.need_locations()
    words, settings = context.conf.command, context.settings
    names = _names(words.store, context.stores)
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
    kept = found
    if words.delete and not doubt:
        collector = Collector(context.glance, context.stores, settings)
        kept = collector.collect(found[: words.limit])
        kept += found[len(found[: words.limit]) :]
    rows = [_row(leftover) for leftover in kept]
    summary = _summary(found, kept, doubt, delete=words.delete)
    context.output.result(rows, _COLUMNS, summary + _left_alone(finder))
    if not finder.complete:
        raise GatewayError("Not all stores could be looked through.")
    doubtful = any(finder.spared[reason] for reason in (*DOUBTFUL, UNREADABLE))
    return not kept and not doubtful


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

    def collect(self, found: Sequence[Leftover]) -> list[Leftover]:
        """Collect leftovers; return those that had to stay."""
        taken = {
            leftover: self._take_over(leftover)
            for leftover in found
            if leftover.kind == "claim"
        }
        if taken:
            time.sleep(_SETTLE)
        kept = []
        for leftover in found:
            claim = taken.get(leftover)
            attempts = claim.leftovers if claim else (leftover.attempt,)
            lost = leftover in taken and claim is None
            if lost or not self._drop(leftover, attempts):
                kept.append(leftover)
            elif claim:
                claim.release()
        return kept

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


def _names(wanted: Sequence[str], stores: Mapping[str, ObjectStore]) -> Sequence[str]:
    """Return the names of the stores to look through.

    :raises ConfigError: if there is none of a name
    """
    for name in wanted:
        if name not in stores:
            raise ConfigError("command line", "--store", f"{name!r} is no S3 store")
    return wanted or list(stores)


def _doubt(finder: Finder, found: Sequence[Leftover]) -> str:
    """Return why the database is rather the wrong one, empty if it seems right."""
    going = sum(leftover.kind == "object" for leftover in found)
    there = finder.needed + going
    if finder.last_change is None and finder.spared:
        return f"Glance's database has no image: {_ADVICE}"
    if going > _MANY or going * _OF > there:
        return f"{going} of {there} objects would go: {_ADVICE}"
    return ""


def _summary(
    found: Sequence[Leftover], kept: Sequence[Leftover], doubt: str, *, delete: bool
) -> str:
    if doubt:
        return f"{len(found)} found, 0 collected: {doubt}"
    if delete:
        return f"{len(found) - len(kept)} collected, {len(kept)} left"
    return f"{len(found)} found" + ("; --delete collects them" if found else "")


def _left_alone(finder: Finder) -> str:
    return "".join(
        f"; left alone: {count} {reason}"
        for reason, count in sorted(finder.spared.items())
    )


def _row(leftover: Leftover) -> dict[str, str]:
    values = (
        leftover.kind,
        leftover.attempt.store,
        leftover.attempt.key,
        f"{leftover.age:.0f} s",
    )
    return dict(zip(_COLUMNS, values, strict=True))
