# SPDX-License-Identifier: Apache-2.0
"""Rewrites the host and the keys in locations, row by row in Glance's database.

A row is changed only if it still is what was read.  So two of these may run at once,
and one that was ended is run again.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping

from s3gateway import uris
from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.manage.context import Context
from s3gateway.manage.location_rows import LocationRow
from s3gateway.manage.location_rows import LocationRows
from s3gateway.s3.store import S3Store
from s3gateway.uris import StoredURI

_NOT_NEEDED = (
    "nothing to rewrite: this Glance takes host and keys from its configuration; "
    "change the store's section, and restart Glance"
)

_TRIALS = 3  # images of a store without data after which it is the wrong place

_COLUMNS = ("image", "store", "state", "code", "detail")

DONE, PLANNED, SKIPPED, FAILED = STATES = ("done", "planned", "skipped", "failed")


@dataclasses.dataclass(frozen=True)
class Move:
    """Where the locations of a store are to be.

    :ivar place: the store as locations are to name it: its endpoint and its keys
    :ivar sources: the services that locations may name now
    """

    place: StoreSettings
    sources: frozenset[str]

    def new(self, uri: StoredURI) -> StoredURI:
        """Return what a location becomes."""
        keys = self.place.keys.current()
        return dataclasses.replace(
            uri,
            scheme=self.place.scheme,
            service=self.place.service,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a location.

    :ivar code: why; it does not change
    """

    image: str
    store: str
    state: str
    code: str
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class _Change:
    """A location that is not where it is to be.

    :ivar problem: the code of why it cannot be rewritten, empty if it can
    """

    row: LocationRow
    move: Move
    old: StoredURI
    problem: str = ""


def at(store: StoreSettings, endpoint: str, keys: KeyPair) -> StoreSettings:
    """Return a store at another endpoint, with other keys."""
    return dataclasses.replace(
        store, endpoint=endpoint, keys=Keys(keys), chain=None, face=None
    )


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
    outcomes: list[Outcome] = []
    trial = _Trial(context.settings.transfer)
    with output.interruptible():
        for change in output.progress(_changes(glance.rows, moves, deleted), "changes"):
            trial.need(change)
            outcomes.append(_done(change, glance.rows, dry=context.words.dry_run))
    return _report(context, outcomes)


def _changes(
    rows: LocationRows, moves: Mapping[str, Move], deleted: bool
) -> Iterator[_Change]:
    """Yield the locations that are to be rewritten, and those that cannot be."""
    for row in rows.all():
        uri = uris.try_parse(row.url)
        move = moves.get(_store_of(row, uri, moves)) if uri else None
        if uri is None or move is None or not (row.needed or deleted):
            continue
        if str(move.new(uri)) != str(uri):
            yield _Change(row, move, uri, _problem(uri, move))


def _store_of(
    row: LocationRow, uri: StoredURI | None, moves: Mapping[str, Move]
) -> str:
    """Return the store of a location; without a name in it, its bucket decides."""
    named = row.metadata.get("store")
    if named or uri is None:
        return str(named)
    found = [name for name, move in moves.items() if move.place.bucket == uri.bucket]
    return found[0] if len(found) == 1 else ""


def _problem(uri: StoredURI, move: Move) -> str:
    if uri.bucket != move.place.bucket:
        return "other_bucket"
    return "" if uri.service in move.sources else "other_server"


_PROBLEMS = {
    "other_bucket": "it is in another bucket than the store's",
    "other_server": "it is at a server that was not named",
}


class _Trial:
    """Makes sure of each store that its data is where locations are to name it."""

    def __init__(self, transfer: TransferSettings) -> None:
        self._transfer = transfer
        self._proven: set[str] = set()
        self._missing: collections.Counter[str] = collections.Counter()

    def need(self, change: _Change) -> None:
        """Look at the data of a location, until there was some in this store.

        :raises GatewayError: if it cannot be read, or the first images have none
        """
        name = change.move.place.name
        if change.problem or not change.row.needed or name in self._proven:
            return
        try:
            S3Store(change.move.place, self._transfer).stat(change.old.key)
        except ObjectNotFound as error:  # the image may have lost its data
            self._missing[name] += 1
            if self._missing[name] == _TRIALS:
                raise _unfit(name, error) from None
        except StoreError as error:
            raise _unfit(name, error) from None
        else:
            self._proven.add(name)


def _unfit(store: str, error: StoreError) -> GatewayError:
    return GatewayError(
        f"Store {store}: no image can be read with the host and keys that its "
        f"locations would get ({error}). Check the URL, the pair of keys, and whether "
        "the face or the S3 server answers"
    )


def _done(change: _Change, rows: LocationRows, *, dry: bool) -> Outcome:
    image, store = change.row.image_id, change.move.place.name
    if change.problem:
        detail = _PROBLEMS[change.problem]
        return Outcome(image, store, SKIPPED, change.problem, detail)
    if dry:
        return Outcome(image, store, PLANNED, "planned")
    if rows.replace(change.row, str(change.move.new(change.old))):
        return Outcome(image, store, DONE, "rewritten")
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
