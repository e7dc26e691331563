# SPDX-License-Identifier: Apache-2.0
"""The access key and secret key of a store, configured or of botocore's chain.

The gateway reads key files again after a change, so keys can be rotated without a
signal or a restart.  A file that is being written is empty, or holds a part of a key:
what cannot be a key is ignored.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import threading
import time

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

_KEPT = 4  # pairs of keys: the current ones, and those of requests under way


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """The keys that sign S3 requests.

    :ivar token: the session token of temporary keys, empty for others
    """

    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(default="", repr=False)


class Keys:
    """The keys of one store.

    :param configured: the keys in Glance's configuration
    :param access_key_file: a file whose access key comes first
    :param secret_key_file: a file whose secret key comes first
    :raises OSError: if a file cannot be read
    :raises ValueError: if there is no key in one
    """

    def __init__(
        self, configured: KeyPair, access_key_file: str = "", secret_key_file: str = ""
    ) -> None:
        self._configured = configured
        self._files = (access_key_file, secret_key_file)
        self._lock = threading.Lock()
        self._versions = self._look()
        self._pair = self._read()
        self._changed = time.monotonic()

    @property
    def from_files(self) -> bool:
        """Whether the keys may change."""
        return any(self._files)

    def current(self) -> KeyPair:
        """Return the keys; read the files again if one has changed."""
        if self.from_files and self._look() != self._versions:
            return self.read_again()
        return self._pair

    def read_again(self) -> KeyPair:
        """Read the files in any case; if that fails, keep the keys."""
        with self._lock:
            before = (self._versions, self._pair)
            self._versions = self._look()
            try:
                self._pair = self._read()
            except (OSError, ValueError) as error:
                LOG.error("A key file cannot be read: %s", error)
            if (self._versions, self._pair) != before:
                self._changed = time.monotonic()
            return self._pair

    def changed_within(self, seconds: float) -> bool:
        """Whether the keys were first read, or last changed, within this time."""
        return self.from_files and time.monotonic() - self._changed < seconds

    def _look(self) -> list[tuple[int, int, int] | None]:
        """Return a fingerprint of each file, which changes with its content."""
        return [version(path) if path else None for path in self._files]

    def _read(self) -> KeyPair:
        access_key, secret_key = (
            _content(path) if path else "" for path in self._files
        )
        return KeyPair(
            access_key or self._configured.access_key,
            secret_key or self._configured.secret_key,
        )


class Chain:
    """Says that botocore's chain has the keys of a store, and notes which it had.

    ``s3.credentials`` finds them.  They are noted so that answers can be searched for
    them.  Temporary keys change every hour, so only the last few are kept.

    :param profile: of the AWS configuration files, empty for the usual one
    """

    def __init__(self, profile: str = "") -> None:
        self.profile = profile
        self._used: collections.deque[KeyPair] = collections.deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def note(self, pair: KeyPair) -> None:
        """Note keys that are about to be used."""
        with self._lock:
            if pair not in self._used:
                self._used.append(pair)

    def used(self) -> list[KeyPair]:
        """Return the keys that were used last."""
        with self._lock:
            return list(self._used)


def version(path: str) -> tuple[int, int, int] | None:
    """Return a fingerprint of a file, which changes with its content."""
    try:
        found = pathlib.Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _content(path: str) -> str:
    content = pathlib.Path(path).read_bytes().decode("utf-8", "surrogateescape").strip()
    if not content.isprintable() or not content:
        raise ValueError(f"{path} does not hold a key, in one line of text")
    return content
