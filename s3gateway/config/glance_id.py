# SPDX-License-Identifier: Apache-2.0
"""``[s3gateway] glance_id``: the Glance that new objects belong to."""

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

    :raises ConfigError: if it cannot be object metadata
    """
    conf.register_opts(DATABASE_OPTS, group="database")
    named: str = conf[GROUP].glance_id
    if named and not _ID.fullmatch(named):
        raise ConfigError(
            GROUP,
            "glance_id",
            "must be 1 to 64 letters, digits, dots, dashes, underscores",
        )
    return named or _of_database(conf.database.connection)


def _of_database(url: str) -> str:
    """Return an id of a database that does not depend on how it is reached.

    It is made from dialect, host, port and name in the SQLAlchemy URL.  Driver, user,
    password and parameters may change while the database stays the same.
    """
    if not url:
        return ""
    scheme, _, rest = url.partition("?")[0].partition("://")
    dialect, where = scheme.partition("+")[0], rest.rpartition("@")[2]
    return hashlib.sha256(f"{dialect}://{where}".encode()).hexdigest()[:_LENGTH]
