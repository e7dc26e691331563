# SPDX-License-Identifier: Apache-2.0
"""Whether a gateway is sealed: on its own host, and on the hosts of its Glance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from s3gateway.config import remote as remote_glance
from s3gateway.config import sources
from s3gateway.config.keys import KeyPair
from s3gateway.config.stores import StoreSettings
from s3gateway.manage import faces
from s3gateway.manage.check import face
from s3gateway.manage.check import findings
from s3gateway.manage.check import traces
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.context import Context
from s3gateway.uris import service_of


def is_behind(context: Context) -> bool:
    """Whether the configuration is that of a stock Glance behind a face."""
    return remote_glance.read(context.conf) is None and bool(context.face)


def of_gateway(context: Context, stores: Sequence[StoreSettings]) -> Iterator[Finding]:
    """Yield what is found out where the gateway is; nothing if it is not sealed."""
    settings = context.settings
    if settings.face is None:
        return
    pairs = settings.face.keys.all()
    for store in stores:
        # The style in its section is the one of S3.
        asked = dataclasses.replace(store, addressing="path")
        yield from face.check(asked, context.face, pairs[0], settings.transfer)
        if _opened_by_s3s(store, pairs):
            yield findings.error(
                "face_opens_with_key_of_s3",
                f"face, store {store.name}",
                "takes a key of S3",
                "The file of face_keys has it, which is right only until no location "
                "holds it: then remove it with face-key remove. Glance's section must "
                "never have it.",
            )


def of_glance(context: Context, stores: Sequence[StoreSettings]) -> Iterator[Finding]:
    """Yield what is found out where Glance is."""
    settings, url = context.settings, context.face
    opening: list[KeyPair] = list(settings.face.keys.all() if settings.face else ())
    for store in stores:
        if not _is_at_face(context, store):
            yield _elsewhere(store)
            continue
        pair = store.keys.current()
        opening.append(pair)
        if store.endpoint == url:
            yield from face.check(store, url, pair, settings.transfer)
        else:
            yield _at_another_address(store)
    read = sources.read_by(context.conf)
    searched = traces.places(read, context.words.search)
    yield from traces.check(searched, opening)


def unnamed(context: Context, store: StoreSettings) -> Finding | None:
    """Say that a store is a face, of which the command was not told."""
    if remote_glance.read(context.conf) is not None:
        return None
    if not faces.is_one(faces.asked_once(store, context.settings.transfer)):
        return None
    return findings.error(
        "store_is_a_face",
        f"store {store.name}",
        "is the face of a sealed gateway",
        "Here is stock Glance behind it, and no gateway: name the face by --face, the "
        "same URL as s3_store_host.",
    )


def _opened_by_s3s(store: StoreSettings, pairs: Iterable[KeyPair]) -> bool:
    """Whether one of the face's pairs has something of S3's."""
    of_s3 = store.signing_keys()
    names = {pair.access_key for pair in of_s3}
    secrets = {pair.secret_key for pair in of_s3}
    return any(p.access_key in names or p.secret_key in secrets for p in pairs)


def _is_at_face(context: Context, store: StoreSettings) -> bool:
    """Whether a store is at the face, perhaps at another address of it.

    At one host and port, ``http`` and ``https`` are not both answered.
    """
    return service_of(store.endpoint) == service_of(context.face) or faces.is_one(
        faces.asked_once(store, context.settings.transfer)
    )


def _at_another_address(store: StoreSettings) -> Finding:
    return findings.error(
        "store_at_another_address",
        f"store {store.name}",
        "Glance uses another address of the face",
        "Its s3_store_host is a face, but not the URL that --face names, as on a host "
        "that was left out when the address changed: set it to that URL, with https "
        "also s3_store_cacert, and restart Glance.",
    )


def _elsewhere(store: StoreSettings) -> Finding:
    return findings.error(
        "store_not_at_face",
        f"store {store.name}",
        "Glance uses S3 itself",
        "Its s3_store_host is not the face, so the keys in its section are those of "
        "S3: give it the face's URL and a pair of face-key.",
    )
