# SPDX-License-Identifier: Apache-2.0
"""Rewrites the host and the keys in locations, row by row in Glance's database.

A row is changed only if it still is what was read.  So two of these may run at once,
and one that was ended is run again.  Glance does not look: a request that changes an
image writes all its locations back as it has read them.  So all rows are looked at
again until none has to be changed.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import time
from collections.abc import Mapping

from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.manage.context import Context
from s3gateway.manage.location_rows import LocationRows
from s3gateway.manage.moves import DONE
from s3gateway.manage.moves import FAILED
from s3gateway.manage.moves import PLANNED
from s3gateway.manage.moves import PROBLEMS
from s3gateway.manage.moves import SKIPPED
from s3gateway.manage.moves import STATES
from s3gateway.manage.moves import Change
from s3gateway.manage.moves import Move
from s3gateway.manage.moves import Outcome
from s3gateway.manage.moves import Plan
from s3gateway.manage.places import Trial

_NOT_NEEDED = (
    "nothing to rewrite: this Glance takes host and keys from its configuration; "
    "change the store's section, and restart Glance"
)

_LOOKS = 10
_SETTLED = 2.0  # seconds in which most requests to Glance end

_COLUMNS = ("image", "store", "state", "code", "detail")


def run(context: Context, moves: Mapping[str, Move], *, deleted: bool) -> bool:
    """Rewrite the locations of stores; print and return whether all are in place.

    :param deleted: whether rows of deleted images are rewritten as well
    :raises GatewayError: if Glance's database is elsewhere, or a place does not answer
    """
    output, glance = context.output, context.glance
    if not glance.traits.credentials_in_uris:
        output.result([], _COLUMNS, _NOT_NEEDED, dict.fromkeys(STATES, 0))
        return True
    if glance.rows is None:
        raise ConfigError(
            "s3gateway",
            "glance_url",
            "set, so Glance is elsewhere: run this where Glance is installed, as "
            "locations are rewritten in its database",
        )
    work = _Work(context, moves, glance.rows, deleted=deleted)
    try:
        with output.interruptible():
            work.do()
    except GatewayError:
        if work.outcomes:
            _report(context, work.sorted())
        raise
    return _report(context, work.sorted())


class _Work:
    """Rewrites locations until none is left that has to be.

    :ivar outcomes: by the number of the row
    """

    def __init__(
        self,
        context: Context,
        moves: Mapping[str, Move],
        rows: LocationRows,
        *,
        deleted: bool,
    ) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._output = context.output
        self._dry: bool = context.words.dry_run
        self._rows = rows
        self._deleted = deleted
        self._plan = Plan(moves, frozenset(context.stores))
        self._trial = Trial(context.settings.transfer, context.output)

    def sorted(self) -> list[Outcome]:
        """Return the outcomes in the order of the rows."""
        return [self.outcomes[number] for number in sorted(self.outcomes)]

    def do(self) -> None:
        """Do all of it.

        :raises GatewayError: if it cannot go on
        """
        for _ in range(_LOOKS):
            began = datetime.datetime.now(datetime.timezone.utc)
            if not (tried := self._look()):
                break
            time.sleep(_SETTLED)
        else:
            self.outcomes |= {number: _conflict(change) for number, change in tried}
        if not self._dry:
            self._warn_of(self._rows.importing(began))

    def _look(self) -> list[tuple[int, Change]]:
        """Rewrite what has to be; return what may have to be again."""
        tried = []
        self.outcomes = {n: o for n, o in self.outcomes.items() if o.state == DONE}
        planned = self._plan.changes(self._rows, self._deleted)
        for number, change in self._output.progress(planned, "changes"):
            if isinstance(change, Outcome):
                self.outcomes[number] = change
                continue
            self._trial.need(change)
            self.outcomes[number] = _done(change, self._rows, dry=self._dry)
            tried.append((number, change))
        return [] if self._dry else tried

    def _warn_of(self, importing: frozenset[str]) -> None:
        """Have an outcome for each location that Glance may yet write back."""
        for row in self._rows.all() if importing else ():
            if row.image_id in importing and (store := self._plan.wanted(row)):
                self.outcomes[row.id] = Outcome(
                    row.image_id, store, FAILED, "importing", PROBLEMS["importing"]
                )


def _done(change: Change, rows: LocationRows, *, dry: bool) -> Outcome:
    image, store = change.row.image_id, change.move.place.name
    if dry:
        return Outcome(image, store, PLANNED, "planned")
    if rows.replace(change.row, str(change.move.new(change.old))):
        return Outcome(image, store, DONE, "rewritten")
    return _conflict(change)


def _conflict(change: Change) -> Outcome:
    image, store = change.row.image_id, change.move.place.name
    return Outcome(
        image, store, FAILED, "conflict", "it was changed meanwhile; run this again"
    )


def _report(context: Context, outcomes: list[Outcome]) -> bool:
    found = collections.Counter(outcome.state for outcome in outcomes)
    counts = {state: found[state] for state in STATES}
    done = PLANNED if context.words.dry_run else DONE
    what = "would be rewritten" if context.words.dry_run else "rewritten"
    summary = (
        f"{counts[done]} locations {what}, {counts[SKIPPED]} skipped, "
        f"{counts[FAILED]} failed"
    )
    rows = [dataclasses.asdict(outcome) for outcome in outcomes]
    context.output.result(rows, _COLUMNS, summary, counts)
    return not (counts[SKIPPED] or counts[FAILED])
