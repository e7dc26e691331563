# SPDX-License-Identifier: Apache-2.0
"""``locations seal`` and ``locations unseal``: locations moved to another host and key.

Glance up to 32 signs its requests with the keys in a location, and sends them to the
host in its configuration.  So both have to change, in an order in which neither fails.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from s3gateway.config.face import is_host
from s3gateway.config.keys import KeyPair
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import UsageError
from s3gateway.manage import arguments
from s3gateway.manage import pairs
from s3gateway.manage import relocation
from s3gateway.manage import selection
from s3gateway.manage.context import Context
from s3gateway.manage.moves import Move
from s3gateway.manage.moves import at
from s3gateway.uris import service_of

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_SEAL = """
Rewrite the locations of the images in S3 so that Glance's own driver reads them through
the face of a sealed gateway, with a key of the face. The data stays where it is, images
keep their updated_at, and no request fails if you do it in this order:

1. Add the pair of the S3 keys to the face's file for the time being. Give Glance's
   section the face as s3_store_host and a pair of the face. Restart Glance.
2. Run this, with --dry-run first, and with the real S3 server as --from.
3. Remove the pair of the S3 keys from the face's file.

Rows of deleted images are rewritten as well, so that no S3 key stays in the database.
You can stop the command and run it again. Only Glance up to 32 needs it: later ones
take host and keys from their configuration, and the command changes nothing.

  s3gateway-manage locations seal --face http://gateway:9293 --key-file face.keys \\
      --from https://s3.example.org --dry-run
"""

_UNSEAL = """
Rewrite the locations of the images in S3 from the face of a sealed gateway back to the
S3 server and its keys. No request fails if you do it in this order:

1. Add the pair of the S3 keys to the face's file for the time being.
2. Run this, with --dry-run first. Name the S3 server by --s3, and its keys by a file of
   key pairs, unless Glance's section has them already.
3. Put both into Glance's section and restart Glance.

You can stop the command and run it again. Only Glance up to 32 needs it: later ones
take host and keys from their configuration, and the command changes nothing.

  s3gateway-manage locations unseal --face http://gateway:9293 \\
      --s3 https://s3.example.org --key-file s3.keys
"""


def declare(group: Commands) -> None:
    """Declare both commands among those of ``locations``."""
    summary = "Move locations to the S3 face of a sealed gateway"
    parser = arguments.add(
        group, "seal", seal, summary=summary, text=_SEAL, title="locations seal"
    )
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        type=url,
        metavar="URL",
        default=[],
        help="a server that locations are at, beside s3_store_host; may be repeated",
    )
    _declare_common(parser, file_needed=True)
    summary = "Move locations from the S3 face back to the S3 server"
    parser = arguments.add(
        group, "unseal", unseal, summary=summary, text=_UNSEAL, title="locations unseal"
    )
    parser.add_argument(
        "--s3",
        type=url,
        metavar="URL",
        help="the S3 server, if s3_store_host still names the face",
    )
    _declare_common(parser, file_needed=False)


def _declare_common(parser: argparse.ArgumentParser, *, file_needed: bool) -> None:
    parser.add_argument(
        "--face",
        type=url,
        metavar="URL",
        help="of the face; by default [s3gateway] face_url",
    )
    parser.add_argument(
        "--key-file",
        type=pathlib.Path,
        metavar="FILE",
        required=file_needed,
        help="the key pairs of what locations are moved to, as face-key writes them",
    )
    parser.add_argument(
        "--key", metavar="ACCESS_KEY", help="which pair of the file, if not the first"
    )
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="of the stores, this one only; may be repeated",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would be done"
    )


def url(text: str) -> str:
    """Return a URL of the command line without a trailing slash."""
    if not is_host(text.rstrip("/")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a URL like http://gateway:9293"
        )
    return text.rstrip("/")


def seal(context: Context) -> bool:
    """Move locations to the face; return whether all are there."""
    words, face = context.words, _face(context)
    pair = _pair(words.key_file, words.key)
    moves = {
        store.name: _forth(store, face, pair, words.sources)
        for store in _stores(context)
    }
    return relocation.run(context, moves, deleted=True)


def _forth(
    store: StoreSettings, face: str, pair: KeyPair, sources: Iterable[str]
) -> Move:
    servers = {store.endpoint, *sources}
    return Move(
        at(store, face, pair),
        frozenset(map(service_of, {face, *servers})),
        closed=frozenset(url for url in servers if service_of(url) != service_of(face)),
    )


def _face(context: Context) -> str:
    if not context.face:
        raise UsageError("--face: name the URL of the face, as face_url is not set")
    return context.face


def unseal(context: Context) -> bool:
    """Move locations from the face to S3; return whether all are there."""
    words = context.words
    pair = _pair(words.key_file, words.key) if words.key_file else None
    if bool(words.s3) != bool(pair):
        raise UsageError(
            "--s3: name the S3 server and the file of its keys, or neither"
        )
    moves = {store.name: _back(context, store, pair) for store in _stores(context)}
    return relocation.run(context, moves, deleted=False)


def _back(context: Context, store: StoreSettings, pair: KeyPair | None) -> Move:
    face, target = service_of(_face(context)), context.words.s3 or store.endpoint
    if service_of(target) == face:
        raise UsageError(
            f"--s3: [{store.name}] has the face as s3_store_host; name the S3 server "
            "by --s3 and its keys by --key-file"
        )
    place = at(store, target, pair or store.location_keys)
    return Move(place, frozenset({face, place.service}))


def _stores(context: Context) -> list[StoreSettings]:
    """Return the stores that were named, or all."""
    return [context.stores[name].settings for name in selection.stores(context)]


def _pair(file: pathlib.Path, access_key: str | None) -> KeyPair:
    """Return the pair of an access key in a file, or the first."""
    found = [line.pair for line in pairs.read(file) if line.pair]
    for pair in found:
        if access_key in (None, pair.access_key):
            return pair
    raise UsageError(
        f"{file} has no such key pair; list them with face-key list, and name one by "
        "--key"
    )
