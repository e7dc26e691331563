# SPDX-License-Identifier: Apache-2.0
"""A file of key pairs: reads it, and replaces it in one step.

One pair is in a line, and what follows it is a comment::

    # made by s3gateway-manage face-key
    FACE4JX2MZQ7RT5KD3PL  fJ0bW6...  controller1

Lines that are blank or begin with ``#`` are kept as they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence

from s3gateway.config.face import pair_in
from s3gateway.config.keys import KeyPair
from s3gateway.errors import UsageError

_MODE = 0o600


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the file.

    :ivar pair: ``None`` if it has none
    """

    text: str = dataclasses.field(repr=False)
    pair: KeyPair | None = None
    comment: str = ""


def of(pair: KeyPair, comment: str) -> Line:
    """Return the line of a pair."""
    text = f"{pair.access_key} {pair.secret_key} {comment}".rstrip()
    return Line(text, pair, comment)


def read(path: pathlib.Path) -> list[Line]:
    """Return the lines of a file.

    :raises OSError: if it cannot be read
    :raises UsageError: if a line has something else than a pair
    """
    try:
        texts = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is not UTF-8 text; name a file of key pairs"
        ) from None
    lines = [_line(path, number, text) for number, text in enumerate(texts, 1)]
    names = [line.pair.access_key for line in lines if line.pair]
    if len(set(names)) < len(names):
        raise UsageError(f"{path} has an access key twice; remove one of the lines")
    return lines


@contextlib.contextmanager
def changing(path: pathlib.Path) -> Iterator[None]:
    """Let nobody else change a file meanwhile; its directory is locked.

    :raises OSError: if there is no such directory
    """
    directory = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def write(path: pathlib.Path, lines: Sequence[Line]) -> None:
    """Replace a file by one that only its owner can read; the owner stays.

    A gateway that reads it meanwhile sees the old or the new one, never a part.

    :raises OSError: if it cannot be written
    """
    path = path.resolve()  # a link stays one
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), _MODE)
            if path.exists():
                _give(file.fileno(), path.stat())
            file.writelines(f"{line.text}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(name).replace(path)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


def _give(file: int, before: os.stat_result) -> None:
    if (os.geteuid(), os.getegid()) != (before.st_uid, before.st_gid):
        os.fchown(file, before.st_uid, before.st_gid)


def _line(path: pathlib.Path, number: int, text: str) -> Line:
    try:
        pair = pair_in(text)
    except ValueError:
        raise UsageError(
            f"line {number} of {path} is not an access key and a secret key of 16 "
            "characters or more; mend or remove it"
        ) from None
    comment = "".join(text.split(maxsplit=2)[2:]).strip() if pair else ""
    return Line(text, pair, comment)
