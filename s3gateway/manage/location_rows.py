# SPDX-License-Identifier: Apache-2.0
"""Reads and rewrites the rows of locations in the installed Glance's database.

Glance's API cannot change the URL of a location: it removes one only together with the
data.  And it shows no location of deactivated and deleted images, whose rows hold keys
as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from typing import Protocol

from oslo_config import cfg

from s3gateway.errors import GlanceError

_PAGE = 500  # rows read at once

_SCRUBBED = "pending_delete"


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


class InstalledRows:
    """The rows in the database of the Glance that is installed here."""

    def __init__(self) -> None:
        models = import_module("glance.db.sqlalchemy.models")
        self._engine: Any = import_module("glance.db.sqlalchemy.api").get_engine()
        self._table: Any = models.ImageLocation.__table__
        self._crypt: Any = import_module("glance.common.crypt")
        self._key: str | None = cfg.CONF.metadata_encryption_key

    def all(self) -> Iterator[LocationRow]:
        columns, last = self._table.c, 0
        while True:
            page = self._table.select().where(columns.id > last)
            page = page.order_by(columns.id).limit(_PAGE)
            with _answering(), self._engine.connect() as connection:
                found = [self._row(row) for row in connection.execute(page)]
            yield from found
            if len(found) < _PAGE:
                return
            last = found[-1].id

    def replace(self, row: LocationRow, url: str) -> bool:
        columns = self._table.c
        as_read = (columns.id == row.id, columns.value == row.stored)
        change = self._table.update().where(*as_read).values(value=self._written(url))
        with _answering(), self._engine.begin() as connection:
            return bool(connection.execute(change).rowcount)

    def _row(self, row: Any) -> LocationRow:
        return LocationRow(
            id=row.id,
            image_id=row.image_id,
            url=self._read(row.value),
            metadata=row.meta_data or {},
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


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Raise an unexpected exception of the database as a GlanceError.

    Its own text is left out: SQLAlchemy shows the values of a statement, with the keys.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001  Glance's code may raise anything
        kind = type(error).__name__
        raise GlanceError(
            f"Glance's database did not answer ({kind}). Check that it runs, that it "
            "is Glance's, and metadata_encryption_key"
        ) from None
