# SPDX-License-Identifier: Apache-2.0
"""The face of a sealed gateway: its URL, and the keys that open it.

Glance's own S3 driver has one of these keys in place of the keys of S3.  The file has a
key pair in each line; what follows the pair is a comment::

    # made by s3gateway-manage face-key
    FACE4JX2MZQ7  fJ0bW6...  of controller1

All pairs are valid.  The first is written into locations where Glance needs keys in
them.  The file is read again when it changes.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import stat
import threading
from urllib import parse

from oslo_log import log as logging

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import version
from s3gateway.config.options import GROUP
from s3gateway.errors import ConfigError

LOG = logging.getLogger(__name__)

# An access key is a part of URIs and of signatures' scopes, which end it with : and /.
_ACCESS_KEY = re.compile(r"[A-Za-z0-9._~-]{3,128}")
# Locations hold it, and their scheme is that of the URL.
_URL = re.compile(r"https?://[^/\s@?#]+(?:/[^\s@?#]*)?")
#: A shorter secret could not be searched for in answers.
SHORTEST_SECRET = 16
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SECRET_KEY = re.compile(rf"[!-~]{{{SHORTEST_SECRET},}}")


class FaceKeys:
    """The key pairs in a file.

    :raises OSError: if the file cannot be read
    :raises ValueError: if it holds no key pair, or a line that is none
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version = version(path)
        self._pairs = self._read()

    def all(self) -> list[KeyPair]:
        """Return all pairs; read the file again if it has changed."""
        if version(self._path) != self._version:
            self._read_again()
        return self._pairs

    def current(self) -> KeyPair:
        """Return the pair that new locations hold, where they hold one."""
        return self.all()[0]

    def of(self, access_key: str) -> KeyPair | None:
        """Return the pair with an access key, ``None`` if there is none."""
        return next((p for p in self.all() if p.access_key == access_key), None)

    def _read_again(self) -> None:
        """Read the file; if that fails, keep the pairs."""
        with self._lock:
            self._version = version(self._path)
            try:
                self._pairs = self._read()
            except (OSError, ValueError) as error:
                LOG.error("The face's key file cannot be read: %s", error)

    def _read(self) -> list[KeyPair]:
        path = pathlib.Path(self._path)
        if path.stat().st_mode & stat.S_IROTH:
            LOG.warning("Everybody can read the face's key file: chmod it 0600")
        lines = enumerate(path.read_text("utf-8").splitlines(), 1)
        found = (self._pair(number, line) for number, line in lines)
        pairs = [pair for pair in found if pair is not None]
        if not pairs:
            raise ValueError(f"{path} holds no key pair")
        if len({pair.access_key for pair in pairs}) < len(pairs):
            raise ValueError(f"{path} holds an access key twice")
        return pairs

    def _pair(self, number: int, line: str) -> KeyPair | None:
        try:
            return pair_in(line)
        except ValueError:
            raise ValueError(
                f"line {number} of {self._path} is not an access key and a secret key "
                f"of {SHORTEST_SECRET} characters or more"
            ) from None


def pair_in(line: str) -> KeyPair | None:
    """Return the key pair in a line of the file; ``None`` if it is blank or a comment.

    :raises ValueError: if the line is neither; the caller says which line it is
    """
    if not line.strip() or line.startswith("#"):
        return None
    access_key, secret_key = [*line.split(maxsplit=2), ""][:2]
    if not (_ACCESS_KEY.fullmatch(access_key) and _SECRET_KEY.fullmatch(secret_key)):
        raise ValueError
    return KeyPair(access_key, secret_key)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FaceSettings:
    """Where the face is, and the keys that open it.

    :ivar url: as ``s3_store_host`` of Glance names it, without a trailing slash
    :ivar domain: whose subdomains are buckets, empty if the path alone names them
    """

    url: str
    domain: str = ""
    keys: FaceKeys = dataclasses.field(repr=False, compare=False)


def read(url: str, path: str, domain: str = "") -> FaceSettings | None:
    """Return the face with a URL and a file of keys, ``None`` without both.

    :param domain: whose subdomains are buckets
    :raises ConfigError: if it cannot be used
    """
    if not (url or path):
        return None
    if not (url and path):
        raise ConfigError(
            GROUP, "face_url", "set face_url and face_keys both, or none of them"
        )
    if not is_host(url):
        raise ConfigError(
            GROUP,
            "face_url",
            "must be the URL of the face, as s3_store_host of Glance names it",
        )
    if domain and not _DOMAIN.fullmatch(domain):
        raise ConfigError(
            GROUP, "face_domain", "must be a host name in small letters, without a port"
        )
    try:
        return FaceSettings(url=url.rstrip("/"), keys=FaceKeys(path), domain=domain)
    except (OSError, ValueError) as error:
        raise ConfigError(GROUP, "face_keys", str(error)) from error


def is_host(url: str) -> bool:
    """Whether a URL can be ``s3_store_host`` of Glance's driver."""
    try:
        parts = parse.urlsplit(url)
        return bool(_URL.fullmatch(url) and parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or an address is none
        return False
