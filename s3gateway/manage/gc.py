# SPDX-License-Identifier: Apache-2.0
"""``gc``: what uploads that died have left, and nothing else.

Never touched are: what is younger than the grace time, what an image refers to or
may refer to, and whatever the gateway has not written itself.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from s3gateway import uris
from s3gateway.config.settings import Settings
from s3gateway.errors import Conflict
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output
from s3gateway.store import Listed
from s3gateway.store import ObjectStore
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import Claim
from s3gateway.upload.leftovers import collect
from s3gateway.upload.leftovers import refers_to

_COLUMNS = ("kind", "store", "key", "age")

# <image id>.<nonce>, as upload.py makes them
_OUR_KEY = re.compile(r"[0-9a-f-]{36}\.[0-9a-f]{16}")

#: An upload that is alive after all notices within this time that its claim is gone.
_SETTLE = 5.0  # seconds


@dataclasses.dataclass(frozen=True)
class Leftover:
    """Something that an upload left behind.

    :ivar kind: ``claim``, ``upload`` or ``object``
    :ivar age: in seconds
    """

    kind: str
    attempt: Attempt
    age: float

    @property
    def image_id(self) -> str:
        return uris.image_id_of(self.attempt.key.removeprefix(claims.PREFIX))


class Collector:
    """Finds and collects leftovers."""

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

    def run(self, output: Output, *, delete: bool) -> bool:
        """Print what is left; collect it if wanted.

        :return: whether nothing is left
        """
        found = list(output.progress(self.find(), "leftovers"))
        kept = self.collect(found) if delete and found else found
        rows = [
            {
                "kind": leftover.kind,
                "store": leftover.attempt.store,
                "key": leftover.attempt.key,
                "age": f"{leftover.age:.0f} s",
            }
            for leftover in (kept if delete else found)
        ]
        done = f"{len(found) - len(kept)} collected, {len(kept)} left"
        advice = f"{len(found)} found" + ("; --delete collects them" if found else "")
        output.result(rows, _COLUMNS, done if delete else advice)
        return not kept

    def find(self) -> Iterator[Leftover]:
        """Yield what may be collected, claims before what they name."""
        busy = set()
        for claim in claims.standing(self._stores):
            if claim.age < self._grace:
                busy.add(claim.image_id)
            else:
                key = claims.PREFIX + claim.image_id
                yield Leftover("claim", Attempt(claim.store.name, key), claim.age)
        for name, store in self._stores.items():
            for upload in self._old(store.uploads(), busy):
                attempt = Attempt(name, upload.key, upload.upload_id)
                yield Leftover("upload", attempt, upload.age)
            for listed in self._old(store.objects(""), busy):
                if not self._is_needed(listed.key):
                    yield Leftover("object", Attempt(name, listed.key), listed.age)

    def collect(self, found: Iterable[Leftover]) -> list[Leftover]:
        """Collect leftovers; return those that had to stay."""
        found = list(found)
        claims_taken = {
            leftover: self._take_over(leftover)
            for leftover in found
            if leftover.kind == "claim"
        }
        if claims_taken:
            time.sleep(_SETTLE)
        kept = []
        for leftover in found:
            claim = claims_taken.get(leftover)
            attempts = claim.leftovers if claim else (leftover.attempt,)
            lost = leftover.kind == "claim" and claim is None
            if lost or not self._drop(leftover.image_id, attempts):
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
        try:
            claim.seize()
        except Conflict:
            return None
        return claim

    def _drop(self, image_id: str, attempts: Iterable[Attempt]) -> bool:
        image = self._operator.find(image_id)
        if image is None and self._delayed_delete:
            return False
        return not collect(attempts, image, self._stores)

    def _old(self, listing: Iterable[Listed], busy: set[str]) -> Iterator[Listed]:
        """Yield of a listing what is ours and has not been touched for long."""
        for listed in listing:
            if (
                _OUR_KEY.fullmatch(listed.key)
                and listed.age >= self._grace
                and uris.image_id_of(listed.key) not in busy
            ):
                yield listed

    def _is_needed(self, key: str) -> bool:
        image = self._operator.find(uris.image_id_of(key))
        return self._delayed_delete if image is None else refers_to(image, key)
