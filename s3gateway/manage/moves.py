# SPDX-License-Identifier: Apache-2.0
"""Says which locations are to be rewritten, and to what: ``relocation`` does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping

from s3gateway import uris
from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.config.stores import StoreSettings
from s3gateway.glance.image import store_named
from s3gateway.manage.location_rows import LocationRow
from s3gateway.manage.location_rows import LocationRows
from s3gateway.uris import StoredURI

DONE, PLANNED, SKIPPED, FAILED = STATES = ("done", "planned", "skipped", "failed")

#: What is to be known of a location, by code.
PROBLEMS = {
    "importing": "Glance imports, copies or hashes the image, and may write back what "
    "it had read before; run this again when that has ended",
    "no_location": "Glance's S3 driver takes it for no location",
    "other_bucket": "it is in another bucket than the store's",
    "other_server": "it is at a server that was not named",
    "unknown_store": "it is not known of which store it is",
    "unreadable": "it is encrypted, and metadata_encryption_key does not decrypt it",
}


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


def at(store: StoreSettings, endpoint: str, keys: KeyPair) -> StoreSettings:
    """Return a store at another endpoint, with other keys."""
    return dataclasses.replace(
        store, endpoint=endpoint, keys=Keys(keys), chain=None, face=None
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
class Change:
    """A location that is to be rewritten."""

    row: LocationRow
    move: Move
    old: StoredURI


@dataclasses.dataclass(frozen=True)
class Plan:
    """Says which locations are to be rewritten.

    :ivar moves: by store, of those that are wanted
    :ivar names: of all stores
    """

    moves: Mapping[str, Move]
    names: frozenset[str]

    def changes(
        self, rows: LocationRows, deleted: bool
    ) -> Iterator[tuple[int, Change | Outcome]]:
        """Yield the rows that are to be rewritten, or why they cannot be."""
        for row in rows.all():
            if row.needed or deleted:
                found = self._change(row)
                if found is not None:
                    yield row.id, found

    def wanted(self, row: LocationRow) -> str:
        """Return the store of a location, empty if it is not a wanted one."""
        store = self._store_of(row, uris.try_parse(row.url))
        return store if store in self.moves else ""

    def _change(self, row: LocationRow) -> Change | Outcome | None:
        uri = uris.try_parse(row.url)
        store = self._store_of(row, uri)
        if not row.url:
            return self._skipped(row, store, "unreadable")
        if uri is None:
            strange = uris.is_s3(row.url)
            return self._skipped(row, store, "no_location") if strange else None
        if not store:
            return self._skipped(row, store, "unknown_store")
        move = self.moves.get(store)
        if move is None or str(move.new(uri)) == str(uri):
            return None
        if uri.bucket != move.place.bucket:
            return self._skipped(row, store, "other_bucket")
        if uri.service not in move.sources:
            return self._skipped(row, store, "other_server")
        return Change(row, move, uri)

    def _store_of(self, row: LocationRow, uri: StoredURI | None) -> str:
        """Return the store of a location, as Glance finds it; empty if there is none.

        If the location names none that is configured, its bucket decides, and of
        several stores with such a bucket the server.
        """
        if named := store_named(row.metadata, self.names):
            return named
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
        return Outcome(row.image_id, store, SKIPPED, code, PROBLEMS[code])
