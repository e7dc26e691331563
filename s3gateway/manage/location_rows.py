# SPDX-License-Identifier: Apache-2.0
"""Reads and rewrites the rows of locations in the installed Glance's database.

Glance's API cannot change the URL of a location: it removes one only together with the
data.  And it shows no location of deactivated and deleted images, whose rows hold keys
as well.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from typing import Protocol
from typing import TypeVar

from oslo_config import cfg

from s3gateway.errors import GlanceError

T = TypeVar("T")

_PAGE = 500  # rows read at once

_SCRUBBED = "pending_delete"

#: Glance takes a task that has not moved for so long for a dead one.
_DEAD = datetime.timedelta(hours=1)

#: Between attempts while another transaction is in the way, in seconds.
_PAUSES = (0.2, 1.0, 5.0)
_IN_THE_WAY = {"DBDeadlock", "DBConnectionError"}
_SQLITE = "database is locked"


@dataclasses.dataclass(frozen=True)
class LocationRow:
    """A row of Glance's table ``image_locations``.

    :ivar url: empty if Glance's configuration has not the key that decrypts it
    :ivar stored: the URL as the database has it, encrypted or not
    :ivar needed: whether Glance still reads or deletes data by it
    """

    id: int
    image_id: str
    url: str = dataclasses.field(repr=False)
    metadata: Mapping[str, Any]
    needed: bool
    stored: str = dataclasses.field(repr=False)


class LocationRows(Protocol):
    """The rows of all locations."""

    def all(self) -> Iterator[LocationRow]:
        """Yield the rows, those of deleted images as well.

        :raises GlanceError: if the database does not answer
        """

    def replace(self, row: LocationRow, url: str) -> bool:
        """Give a row another URL, if it still has the one that was read.

        Nothing else changes: the image keeps its ``updated_at``.

        :return: whether it had
        :raises GlanceError: if the database does not answer
        """

    def importing(self, since: datetime.datetime) -> frozenset[str]:
        """Return the images that Glance has imported, copied or hashed since a time.

        At the end of that it writes an image's locations back as it has read them.

        :raises GlanceError: if the database does not answer
        """


class InstalledRows:
    """The rows in the database of the Glance that is installed here."""

    def __init__(self) -> None:
        models = import_module("glance.db.sqlalchemy.models")
        self._engine: Any = import_module("glance.db.sqlalchemy.api").get_engine()
        self._table: Any = models.ImageLocation.__table__
        self._tasks: Any = models.Task.__table__
        self._sql: Any = import_module("sqlalchemy")
        self._crypt: Any = import_module("glance.common.crypt")
        self._key: str | None = cfg.CONF.metadata_encryption_key

    def all(self) -> Iterator[LocationRow]:
        columns, last = self._table.c, 0
        names = ("id", "image_id", "value", "deleted", "status")
        # Glance's own type of this column raises on what is no JSON.
        text = self._sql.column("meta_data", self._sql.Text)
        some = self._sql.select(*(columns[name] for name in names), text)
        while True:
            page = some.where(columns.id > last).order_by(columns.id).limit(_PAGE)
            ask = functools.partial(self._found, page)
            found = [self._row(row) for row in answered(ask)]
            yield from found
            if len(found) < _PAGE:
                return
            last = found[-1].id

    def replace(self, row: LocationRow, url: str) -> bool:
        columns = self._table.c
        as_read = (columns.id == row.id, columns.value == row.stored)
        # Without its being named, updated_at would be set to the time.
        same = {"updated_at": columns.updated_at}
        change = self._table.update().where(*as_read)
        change = change.values(value=self._written(url), **same)

        def changed() -> bool:
            with self._engine.begin() as connection:
                return bool(connection.execute(change).rowcount)

        return answered(changed)

    def importing(self, since: datetime.datetime) -> frozenset[str]:
        columns = self._tasks.c
        began = since.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        alive = columns.updated_at > began - _DEAD
        some = self._sql.select(columns.image_id).where(
            columns.image_id.is_not(None),
            (columns.updated_at >= began) | ((columns.status == "processing") & alive),
        )
        found = answered(functools.partial(self._found, some))
        return frozenset(row.image_id for row in found)

    def _found(self, question: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(question))

    def _row(self, row: Any) -> LocationRow:
        return LocationRow(
            id=row.id,
            image_id=row.image_id,
            url=self._read(row.value),
            metadata=metadata_in(row.meta_data),
            needed=not row.deleted or row.status == _SCRUBBED,
            stored=row.value,
        )

    def _read(self, value: str) -> str:
        if is_url(value):  # what was written before the key was configured is plain
            return value
        return decrypted(self._crypt.urlsafe_decrypt, self._key, value)

    def _written(self, url: str) -> str:
        if not self._key:
            return url
        return str(self._crypt.urlsafe_encrypt(self._key, url))


def metadata_in(text: str | None) -> Mapping[str, Any]:
    """Return a location's metadata; none if the row has none that can be read.

    Glance shows no image with such a row, but the keys in it are keys.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_url(text: str) -> bool:
    """Whether a text is a location, not an encrypted one."""
    return "://" in text


def decrypted(decrypt: Callable[[str, str], str], key: str | None, value: str) -> str:
    """Return an encrypted location, or nothing if the key is not the one.

    What another key makes of it is not UTF-8, or no URL.
    """
    try:
        url = decrypt(key, value) if key else ""
    except ValueError:
        return ""
    return url if is_url(url) else ""


def answered(ask: Callable[[], T]) -> T:
    """Ask the database, again if another transaction was in the way.

    An error's own text is left out: SQLAlchemy shows the values of a statement, with
    the keys.

    :param ask: may be called again although it has changed something
    :raises GlanceError: if the database does not answer
    """
    pauses = iter(_PAUSES)
    while True:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001  Glance's code may raise anything
            pause = next(pauses, None) if _may_pass(error) else None
            if pause is None:
                kind = type(error).__name__
                raise GlanceError(
                    f"Glance's database did not answer ({kind}). Check that it runs, "
                    "that it is Glance's, and metadata_encryption_key"
                ) from None
        time.sleep(pause)


def _may_pass(error: Exception) -> bool:
    """Whether an error of the database may be gone at the next attempt."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _IN_THE_WAY) or _SQLITE in str(error)
