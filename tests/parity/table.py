# SPDX-License-Identifier: Apache-2.0
"""The parity table: which rows are run in which shapes of Glance."""

from __future__ import annotations

import dataclasses

from tests.parity import content_rows
from tests.parity import download_rows
from tests.parity import other_rows
from tests.parity import upload_rows
from tests.parity.rows import ROWS
from tests.parity.rows import Row
from tests.support.servers.environments import MAIN


@dataclasses.dataclass(frozen=True)
class Shape:
    """A release and how it is served.

    :ivar all: whether it gets all rows, or the main ones
    :ivar first: whether it gets the rows for which one shape is enough
    :ivar slow: whether all but the main rows are of the full tier
    :ivar api: whether the filter is made to register through the API
    :ivar hot: whether it has a directory of hot images; only in the full tier
    """

    release: int
    wsgi: str
    flavor: str
    all: bool
    first: bool = False
    slow: bool = False
    api: bool = False
    hot: bool = False

    @property
    def is_by_api(self) -> bool:
        """Whether uploads are registered through the API."""
        return self.api or self.wsgi == STAND_ALONE

    def takes(self, row: Row) -> bool:
        """Whether a row is run in this shape."""
        wanted = self.first if row.once else self.all or row.main
        return wanted and self.release >= row.since

    def is_full(self, row: Row) -> bool:
        """Whether a row is of the full tier in this shape."""
        if self.release == MAIN or self.hot:
            return True
        return row.full or (self.slow and not (row.main and self.all))

    def __str__(self) -> str:
        way = ", by API" if self.api else ""
        way += ", hot images" if self.hot else ""
        return f"Glance {self.release}, {self.wsgi}, {self.flavor}{way}"


#: A stand-alone gateway under gunicorn, in front of stock Glance under gunicorn.
STAND_ALONE = "stand-alone"

SHAPES = [
    Shape(33, "gunicorn", "keystone", all=True, first=True),
    Shape(33, "uwsgi", "keystone", all=True, slow=True),
    Shape(33, "gunicorn", "keystone+cachemanagement", all=True, slow=True),
    Shape(33, STAND_ALONE, "keystone", all=True, first=True, slow=True),
    Shape(33, "gunicorn", "keystone", all=True, slow=True, api=True),
    Shape(33, "gunicorn", "keystone", all=True, slow=True, hot=True),
    Shape(MAIN, "gunicorn", "keystone", all=True, slow=True),
    Shape(MAIN, "uwsgi", "keystone", all=False, slow=True),
    Shape(32, "gunicorn", "keystone", all=False, slow=True),
    Shape(32, "uwsgi", "keystone", all=False, slow=True),
    Shape(31, "gunicorn", "keystone", all=False, slow=True),
    Shape(31, "uwsgi", "keystone", all=False, slow=True),
    Shape(30, "eventlet", "keystone", all=False),
    Shape(30, "eventlet", "keystone", all=False, slow=True, api=True),
    Shape(30, "gunicorn", "keystone", all=False, slow=True),
    Shape(30, "uwsgi", "keystone", all=False, slow=True),
]
# Each of them adds its rows to ROWS.
MODULES = (upload_rows, content_rows, download_rows, other_rows)

TABLE = [(shape, row) for shape in SHAPES for row in ROWS if shape.takes(row)]
DEFAULT_TIER = {
    (str(shape), row.name) for shape, row in TABLE if not shape.is_full(row)
}
