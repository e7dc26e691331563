# SPDX-License-Identifier: Apache-2.0
"""Which Glance the objects of this gateway belong to: ``[s3gateway] glance_id``."""

from __future__ import annotations

import hashlib
import re

from oslo_config import cfg

from s3gateway.config.options import GROUP
from s3gateway.config.options.glance import DATABASE_OPTS
from s3gateway.errors import ConfigError

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LENGTH = 16  # hexadecimal digits


def read(conf: cfg.ConfigOpts) -> str:
    """Return the id, empty if there is none.

    :raises ConfigError: if S3 would not take it as metadata
    """
    conf.register_opts(DATABASE_OPTS, group="database")
    named: str = conf[GROUP].glance_id
    if named and not _ID.fullmatch(named):
        raise ConfigError(
            GROUP, "glance_id", "not 1 to 64 letters, digits, dots, dashes, underscores"
        )
    return named or _of_database(conf.database.connection)


def _of_database(url: str) -> str:
    """Return what tells a database from others, however it is connected to.

    Of the SQLAlchemy URL the host, the port and the name count.  Driver, user, password
    and parameters do not: they are changed, and the database is the same.
    """
    if not url:
        return ""
    scheme, _, rest = url.partition("?")[0].partition("://")
    dialect, where = scheme.partition("+")[0], rest.rpartition("@")[2]
    return hashlib.sha256(f"{dialect}://{where}".encode()).hexdigest()[:_LENGTH]
