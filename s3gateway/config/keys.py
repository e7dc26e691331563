# SPDX-License-Identifier: Apache-2.0
"""The access key and secret key of a store, which may change while we run.

Keys from files are read again when a file has changed, so that they can be rotated
without a signal or a restart.  A file that is just being written is empty, or holds a
part of a key: what cannot be a key is not taken for one.
"""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time

from oslo_log import log as logging

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """What S3 requests are signed with."""

    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)


class Keys:
    """The keys of one store.

    :param configured: the keys in Glance's configuration
    :param access_key_file: a file with the access key, in place of it
    :param secret_key_file: a file with the secret key, in place of it
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
        """Return the keys, read again if a file is another than before."""
        if self.from_files and self._look() != self._versions:
            return self.read_again()
        return self._pair

    def read_again(self) -> KeyPair:
        """Read the files, changed or not; the keys stay if that is not possible."""
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
        """Whether the files were first read, or found to be others, so lately."""
        return self.from_files and time.monotonic() - self._changed < seconds

    def _look(self) -> list[tuple[int, int, int] | None]:
        """Return what tells one version of each file from the next."""
        return [_version(path) if path else None for path in self._files]

    def _read(self) -> KeyPair:
        access_key, secret_key = (
            _content(path) if path else "" for path in self._files
        )
        return KeyPair(
            access_key or self._configured.access_key,
            secret_key or self._configured.secret_key,
        )


def _version(path: str) -> tuple[int, int, int] | None:
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
