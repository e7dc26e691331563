# SPDX-License-Identifier: Apache-2.0
"""Keys of S3 in files: finds them where only keys of the face may be.

What a key is, a file says itself: the options of Glance's driver and of botocore, also
behind a comment sign, options that name a file with a key, location URIs with keys, and
the names of AWS's access keys.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import stat
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

from s3gateway.config.keys import KeyPair
from s3gateway.config.sources import Sources
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

_SUBJECT = "files"

_OPTION = re.compile(
    r"""[\s#;]*(?:export\s+)?["']?(?:s3_store_(?:access|secret)_key(?:_file)?"""
    r"""|aws_(?:access_key_id|secret_access_key))["']?\s*[=:]\s*["']?([^\s"',]+)""",
    re.IGNORECASE,
)
_URI = re.compile(r"s3(?:\+https?)?://([^\s:/@]+):[^\s@]+@")
_OF_AWS = re.compile(r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b")
#: Values that stand for one: of a sample, or of a template.
_NO_VALUE = re.compile(r"<.*|\*+|\{\{.*|%.*")

_LONGEST_LINE = 64 * 1024


@dataclasses.dataclass
class _Read:
    """What was read.

    :ivar keys: the numbers of the lines with a key, by file
    :ivar unreadable: what could not be read
    """

    files: int = 0
    keys: dict[pathlib.Path, list[int]] = dataclasses.field(default_factory=dict)
    unreadable: list[pathlib.Path] = dataclasses.field(default_factory=list)


def places(read: Sources, more: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Return where keys are looked for.

    Beside the files of a configuration lie others, copies of old ones too.

    :param read: the sources of the configuration
    :param more: other files and directories
    """
    named = [*read.files, *read.directories]
    named += [argument.partition("=")[2] for argument in read.arguments]
    paths = [pathlib.Path(name).absolute() for name in named]
    beside = {path if path.is_dir() else path.parent for path in paths}
    outermost = [
        path for path in sorted(beside) if not beside.intersection(path.parents)
    ]
    return [*filter(pathlib.Path.exists, outermost), *more]


def check(
    searched: Iterable[pathlib.Path], opening: Collection[KeyPair]
) -> Iterator[Finding]:
    """Yield what is found out about files, and about all files in directories.

    :param opening: the pairs that open the face
    """
    searched = list(searched)
    allowed = {word for pair in opening for word in (pair.access_key, pair.secret_key)}
    read = _read(searched, allowed | {word.replace("$", "$$") for word in allowed})
    names = ", ".join(map(str, searched))
    for path, lines in read.keys.items():
        numbers = ", ".join(map(str, lines))
        yield findings.error(
            "key_in_file",
            _SUBJECT,
            f"{path} has a key",
            f"What is in line {numbers} is not of the face: remove it, and the file "
            "that it may name. Everybody who has had this host or a backup of it has "
            "the key; make another at S3.",
        )
    for path in read.unreadable:
        yield findings.warning(
            "file_not_read",
            _SUBJECT,
            f"{path} cannot be read",
            "Whether it has a key of S3 is not known: run this as root.",
        )
    if not read.keys:
        yield findings.ok(
            "files_without_keys",
            _SUBJECT,
            f"none of {read.files} has a key of S3",
            f"Read: {names}. --search looks at other places, too.",
        )


def _read(searched: Iterable[pathlib.Path], allowed: Collection[str]) -> _Read:
    read = _Read()
    for path in _files(searched, read):
        try:
            lines = list(_lines_with_key(path, allowed))
        except OSError:
            read.unreadable.append(path)
            continue
        read.files += 1
        if lines:
            read.keys[path] = lines
    return read


def _files(searched: Iterable[pathlib.Path], read: _Read) -> Iterator[pathlib.Path]:
    """Yield each regular file once."""
    seen: set[pathlib.Path] = set()

    def failed(error: OSError) -> None:
        read.unreadable.append(pathlib.Path(str(error.filename)))

    for place in searched:
        found = [place]
        if not place.exists():
            read.unreadable.append(place)
        if place.is_dir():
            walk = os.walk(place, onerror=failed)
            found = [
                pathlib.Path(top, name) for top, _, names in walk for name in names
            ]
        for path in sorted(found):
            if path not in seen and _is_file(path):
                yield path
            seen.add(path)


def _is_file(path: pathlib.Path) -> bool:
    """Whether a path is a regular file; one that cannot be looked at may be."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:  # a link to nothing
        return False
    except OSError:
        return True


def _lines_with_key(path: pathlib.Path, allowed: Collection[str]) -> Iterator[int]:
    with path.open(encoding="latin-1") as file:
        lines = iter(lambda: file.readline(_LONGEST_LINE), "")
        for number, line in enumerate(lines, 1):
            if any(word not in allowed for word in _words(line)):
                yield number


def _words(line: str) -> Iterator[str]:
    """Yield the keys in a line, and the access keys of URIs."""
    option = _OPTION.match(line)
    if option and not _NO_VALUE.fullmatch(option[1]):
        yield option[1]
    for pattern in (_URI, _OF_AWS):
        yield from pattern.findall(line)
