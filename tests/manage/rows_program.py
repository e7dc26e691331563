# SPDX-License-Identifier: Apache-2.0
"""A program: reads and rewrites locations in a database of Glance's own models.

It runs with the Python of a Glance, and prints what it found as JSON::

    python rows_program.py sqlite:////tmp/glance.db 0123456789abcdef0123456789abcdef
"""

from __future__ import annotations

import datetime
import json
import sys
import uuid
from typing import Any

import sqlalchemy
from glance.common import config  # registers metadata_encryption_key
from glance.db.sqlalchemy import api
from glance.db.sqlalchemy import models
from oslo_config import cfg
from oslo_db import options

from s3gateway.manage.location_rows import InstalledRows

LONG_AGO = datetime.datetime(2024, 1, 1)
OLD, NEW = "s3://KEY:old-secret@s3.example/fast", "s3://KEY:new-secret@face/fast"

#: URL, metadata, status and whether the row is deleted.
ROWS = [
    (f"{OLD}/plain", '{"store": "fast"}', "active", False),
    (f"{OLD}/no-metadata", None, "active", False),
    (f"{OLD}/null", "null", "active", False),
    (f"{OLD}/list", "[1]", "active", False),
    (f"{OLD}/no-json", "{", "active", False),
    (f"{OLD}/{'long' * 5000}", "{}", "active", False),
    (f"{OLD}/per%2Fcent%", "{}", "active", False),
    (f"{OLD}/of-a-deleted-image", "{}", "deleted", True),
    (f"{OLD}/that-is-scrubbed", "{}", "pending_delete", True),
    ("file:///images/one", "{}", "active", False),
    ("", "{}", "active", False),
]


def image(connection: Any) -> str:
    found = str(uuid.uuid4())
    connection.execute(
        models.Image.__table__.insert().values(
            id=found, status="active", created_at=LONG_AGO, updated_at=LONG_AGO
        )
    )
    return found


def fill(engine: Any) -> None:
    """Write the rows; SQL alone has metadata that are no JSON."""
    statement = sqlalchemy.text(
        "INSERT INTO image_locations "
        "(image_id, value, meta_data, status, deleted, created_at, updated_at) "
        "VALUES (:image, :value, :metadata, :status, :deleted, :at, :at)"
    )
    with engine.begin() as connection:
        for value, metadata, status, deleted in ROWS:
            values = {
                "image": image(connection),
                "value": value,
                "metadata": metadata,
                "status": status,
                "deleted": deleted,
                "at": LONG_AGO,
            }
            connection.execute(statement, values)


def add_tasks(engine: Any) -> list[str]:
    """Have tasks on images; return the images of those that are under way."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    ago = {minutes: now - datetime.timedelta(minutes=minutes) for minutes in (0, 5, 90)}
    with engine.begin() as connection:
        images = [image(connection) for _ in range(4)]
        for image_id, status, updated_at in (
            (images[0], "processing", ago[5]),
            (images[1], "success", ago[0]),  # it has ended just now
            (images[2], "success", ago[5]),
            (images[3], "processing", ago[90]),  # nobody goes on with it
            (None, "processing", ago[0]),
        ):
            connection.execute(
                models.Task.__table__.insert().values(
                    id=str(uuid.uuid4()),
                    type="api_image_import",
                    status=status,
                    owner="somebody",
                    image_id=image_id,
                    created_at=LONG_AGO,
                    updated_at=updated_at,
                )
            )
    return images[:2]


def main() -> None:
    connection, key = sys.argv[1:]
    config.set_config_defaults()
    cfg.CONF([], project="glance", default_config_files=[])
    options.set_defaults(cfg.CONF, connection=connection)
    cfg.CONF.set_override("metadata_encryption_key", key or None)
    engine = api.get_engine()
    models.BASE.metadata.create_all(engine)
    fill(engine)
    rows = InstalledRows()
    read = list(rows.all())
    old = [row for row in read if row.url.startswith(OLD)]
    written = [rows.replace(row, row.url.replace(OLD, NEW)) for row in old]
    again = [rows.replace(row, "s3://another") for row in old]
    seconds = datetime.timedelta(seconds=30)
    since = datetime.datetime.now(datetime.timezone.utc) - seconds
    importing = add_tasks(engine)
    with engine.connect() as one:
        kept = sqlalchemy.text("SELECT value, updated_at FROM image_locations")
        values, times = zip(*one.execute(kept), strict=True)
    print(
        json.dumps({
            "read": [[row.url, dict(row.metadata), row.needed] for row in read],
            "written": written,
            "again": again,
            "now": [row.url for row in rows.all()],
            "plain": [value for value in values if "://" in value],
            "times": sorted({str(time)[:10] for time in times}),
            "importing": sorted(rows.importing(since)) == sorted(importing),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
