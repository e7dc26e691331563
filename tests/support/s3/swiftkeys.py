# SPDX-License-Identifier: Apache-2.0
"""A filter in Swift's pipeline: S3 access keys without a colon, and a cache.

Swift's tempauth knows users as ``account:user``.  No other S3 has a colon in an
access key, and glance_store before 5.6 could not take one apart.

Every Swift runs with memcached.  Without it each request asks for the account and the
container first, which is a quarter of all that Swift does here.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

ACCESS_KEY = "GLANCEACCESSKEY01"
OTHER_ACCESS_KEY = "GLANCEACCESSKEY02"

# Two users of one account: both keys open the same buckets.
USERS = {ACCESS_KEY: "glance:images", OTHER_ACCESS_KEY: "glance:rotated"}


class Cache:
    """What the one process of a proxy uses of memcached."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, float]] = {}

    def get(self, key: str, **_: Any) -> Any:
        value, until = self._kept.get(key, (None, 0.0))
        return value if monotonic() < until else None

    def set(self, key: str, value: Any, time: float, **_: Any) -> None:
        self._kept[key] = (value, monotonic() + time)

    def delete(self, key: str, **_: Any) -> None:
        self._kept.pop(key, None)


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Paste's factory; it belongs between ``s3api`` and ``tempauth``."""

    cache = Cache()

    def make(app: Callable[..., Any]) -> Callable[..., Any]:
        def call(environ: dict[str, Any], start_response: Any) -> Any:
            environ["swift.cache"] = cache
            details = environ.get("s3api.auth_details", {})
            key = details.get("access_key")
            if key in USERS:
                details["access_key"] = USERS[key]
                path = environ["PATH_INFO"].replace(key, USERS[key], 1)
                environ["PATH_INFO"] = path
            return app(environ, start_response)

        return call

    return make
