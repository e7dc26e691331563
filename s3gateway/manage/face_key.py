# SPDX-License-Identifier: Apache-2.0
"""``face-key``: the key pairs that open the S3 face of a sealed gateway."""

from __future__ import annotations

import argparse
import pathlib
import secrets
import string
from typing import TYPE_CHECKING

from s3gateway.config.keys import KeyPair
from s3gateway.errors import UsageError
from s3gateway.manage import arguments
from s3gateway.manage import pairs
from s3gateway.manage.context import Context
from s3gateway.manage.pairs import Line

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_ADD = """
Make a new key pair, and put it in front of the others in the file that [s3gateway]
face_keys names. All pairs in it open the face, and the first one is written into new
locations where Glance needs that. The gateway reads the file again by itself. The
secret key is printed once, with the lines for Glance's configuration. The file is
replaced in one step, and only its owner can read it: run this as the gateway's user.
Several gateways need the same file: make the pair in a copy, and put that into place
on all of them.

To rotate, add a pair, give it to Glance and restart it, run "locations seal" where
Glance needs keys in its locations (up to 32), and remove the old pair.

  s3gateway-manage face-key add /etc/s3gateway/face.keys --comment controllers
"""

_LIST = """
Show the access keys in the file; no secret key is shown.

  s3gateway-manage face-key list /etc/s3gateway/face.keys
"""

_REMOVE = """
Remove a key pair from the file. Glance's driver can then no longer use it. Where Glance
needs keys in its locations (up to 32), run "locations audit" first: no location may
have it.

  s3gateway-manage face-key remove /etc/s3gateway/face.keys FACE4JX2MZQ7RT5KD3PL
"""

#: They need no escape in a URI, a configuration file or a shell.
_LETTERS = string.ascii_uppercase + string.digits
_CHARACTERS = string.ascii_letters + string.digits
_COLUMNS = ("access_key", "comment")


def declare(commands: Commands) -> None:
    """Declare the commands."""
    summary = "Make, list and remove keys of the S3 face"
    group = arguments.add_group(commands, "face-key", summary)
    summary = "Make a key pair for Glance's S3 driver"
    parser = _declare(group, "add", summary, _ADD)
    parser.add_argument(
        "--comment", metavar="TEXT", default="", help="what is noted behind the pair"
    )
    _declare(group, "list", "List the access keys in a file", _LIST)
    parser = _declare(group, "remove", "Remove a key pair from a file", _REMOVE)
    parser.add_argument("access_key", metavar="ACCESS_KEY", help="of the pair")


def _declare(
    group: Commands, name: str, summary: str, text: str
) -> argparse.ArgumentParser:
    run = {"add": _add, "list": _list, "remove": _remove}[name]
    title = f"face-key {name}"
    parser = arguments.add(group, name, run, summary=summary, text=text, title=title)
    parser.add_argument("file", metavar="FILE", type=pathlib.Path, help="of key pairs")
    return parser


def new_pair() -> KeyPair:
    """Return a pair that nobody has."""
    access_key = "FACE" + "".join(secrets.choice(_LETTERS) for _ in range(16))
    return KeyPair(access_key, "".join(secrets.choice(_CHARACTERS) for _ in range(40)))


def _add(context: Context) -> bool:
    words = context.words
    comment = " ".join(words.comment.split())
    if not comment.isprintable():
        raise UsageError("--comment: must be one line of text")
    pair = new_pair()
    with pairs.changing(words.file):
        lines = pairs.read(words.file) if words.file.exists() else []
        first = next((n for n, line in enumerate(lines) if line.pair), len(lines))
        lines.insert(first, pairs.of(pair, comment))
        pairs.write(words.file, lines)
    row = {
        "access_key": pair.access_key,
        "secret_key": pair.secret_key,
        "comment": comment,
    }
    if context.output.for_people:
        print(f"s3_store_access_key = {pair.access_key}")
        print(f"s3_store_secret_key = {pair.secret_key}")
        context.output.note(
            "Put these two lines into the store's section of glance-api.conf, with the "
            "face's URL as s3_store_host. The secret key is not shown again."
        )
    else:
        context.output.result([row], tuple(row), "1 key pair added", {"added": 1})
    return True


def _list(context: Context) -> bool:
    rows = [_row(line) for line in pairs.read(context.words.file) if line.pair]
    summary = f"{len(rows)} key pairs"
    context.output.result(rows, _COLUMNS, summary, {"pairs": len(rows)})
    return True


def _remove(context: Context) -> bool:
    words = context.words
    with pairs.changing(words.file):
        lines = pairs.read(words.file)
        gone = [line for line in lines if _access_key(line) == words.access_key]
        if not gone:
            raise UsageError(
                f"{words.file} has no access key {words.access_key!r}; list them with "
                "face-key list"
            )
        kept = [line for line in lines if line not in gone]
        if not any(line.pair for line in kept):
            raise UsageError(
                f"{words.file} has no other pair than {words.access_key!r}, and a "
                "gateway keeps the last one of a file without any: add one first, with "
                "face-key add"
            )
        pairs.write(words.file, kept)
    rows = [_row(line) for line in gone]
    left = sum(line.pair is not None for line in kept)
    summary = f"1 key pair removed, {left} left"
    context.output.result(rows, _COLUMNS, summary, {"removed": 1, "left": left})
    return True


def _access_key(line: Line) -> str:
    return line.pair.access_key if line.pair else ""


def _row(line: Line) -> dict[str, str]:
    return {"access_key": _access_key(line), "comment": line.comment}
