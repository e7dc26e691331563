# SPDX-License-Identifier: Apache-2.0
"""Rewrites the host and the keys in locations, row by row in Glance's database.

A row is changed only if it still is what was read.  So two of these may run at once,
and one that was ended is run again.
"""

from __future__ import annotations

import collections
import contextlib
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
    :ivar closed: URLs of S3 servers that the keys must not open, as they are a face's
    """

    place: StoreSettings
    sources: frozenset[str]
    closed: frozenset[str] = frozenset()

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
    """A location that is to be rewritten."""

    row: LocationRow
    move: Move
    old: StoredURI


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
    planned = _Plan(moves, frozenset(context.stores)).changes(glance.rows, deleted)
    with output.interruptible():
        for change in output.progress(planned, "changes"):
            if isinstance(change, Outcome):
                outcomes.append(change)
                continue
            trial.need(change)
            outcomes.append(_done(change, glance.rows, dry=context.words.dry_run))
    return _report(context, outcomes)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Says which locations are to be rewritten.

    :ivar moves: by store, of those that are wanted
    :ivar names: of all stores
    """

    moves: Mapping[str, Move]
    names: frozenset[str]

    def changes(self, rows: LocationRows, deleted: bool) -> Iterator[_Change | Outcome]:
        """Yield the locations that are to be rewritten, or why they cannot be."""
        for row in rows.all():
            if row.needed or deleted:
                found = self._change(row)
                if found is not None:
                    yield found

    def _change(self, row: LocationRow) -> _Change | Outcome | None:
        uri = uris.try_parse(row.url)
        store = self._store_of(row, uri)
        if not row.url:
            return self._skipped(row, store, "unreadable")
        if uri is None:
            return None
        if not store:
            return self._skipped(row, store, "unknown_store")
        move = self.moves.get(store)
        if move is None or str(move.new(uri)) == str(uri):
            return None
        if uri.bucket != move.place.bucket:
            return self._skipped(row, store, "other_bucket")
        if uri.service not in move.sources:
            return self._skipped(row, store, "other_server")
        return _Change(row, move, uri)

    def _store_of(self, row: LocationRow, uri: StoredURI | None) -> str:
        """Return the store of a location, as Glance finds it; empty if there is none.

        If the location names none that is configured, its bucket decides, and of
        several stores with such a bucket the server.
        """
        named = row.metadata.get("store")
        if named in self.names:
            return str(named)
        if uri is None:
            return ""
        found = [n for n, m in self.moves.items() if m.place.bucket == uri.bucket]
        if len(found) > 1:
            found = [n for n in found if uri.service in self.moves[n].sources]
        return found[0] if len(found) == 1 else ""

    def _skipped(self, row: LocationRow, store: str, code: str) -> Outcome | None:
        """Return the outcome; ``None`` if it is of a store that is not wanted."""
        if store not in self.moves and self.names != set(self.moves):
            return None
        return Outcome(row.image_id, store, SKIPPED, code, _PROBLEMS[code])


_PROBLEMS = {
    "other_bucket": "it is in another bucket than the store's",
    "other_server": "it is at a server that was not named",
    "unknown_store": "it is not known of which store it is",
    "unreadable": "it is encrypted, and metadata_encryption_key does not decrypt it",
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
        if not change.row.needed or name in self._proven:
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
            self._must_be_closed(change)
            self._proven.add(name)

    def _must_be_closed(self, change: _Change) -> None:
        """Make sure that the keys are a face's alone.

        :raises GatewayError: if they open the S3 server
        """
        at_once = dataclasses.replace(self._transfer, retry_time=0, connect_timeout=5)
        place = change.move.place
        for url in change.move.closed:
            store = S3Store(dataclasses.replace(place, endpoint=url), at_once)
            with contextlib.suppress(StoreError):
                store.stat(change.old.key)
                raise GatewayError(
                    f"Store {place.name}: the pair of keys opens the S3 server itself. "
                    "Name a pair that only the face knows, as face-key add makes one"
                )


def _unfit(store: str, error: StoreError) -> GatewayError:
    return GatewayError(
        f"Store {store}: no image can be read with the host and keys that its "
        f"locations would get ({error}). Check the URL, the pair of keys, and whether "
        "the face or the S3 server answers"
    )


def _done(change: _Change, rows: LocationRows, *, dry: bool) -> Outcome:
    image, store = change.row.image_id, change.move.place.name
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
