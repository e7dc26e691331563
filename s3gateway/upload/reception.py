# SPDX-License-Identifier: Apache-2.0
"""Writes the body of an upload to a store: streams, verifies, commits."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from s3gateway.config.settings import TransferSettings
from s3gateway.glance.registration import Stored
from s3gateway.store import ObjectStore
from s3gateway.upload import expected
from s3gateway.upload import stream
from s3gateway.upload.claims import Attempt
from s3gateway.upload.expected import MD5
from s3gateway.upload.expected import Promise
from s3gateway.upload.stream import Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class Incoming:
    """An upload to receive.

    :ivar length: in bytes, ``None`` while it is unknown
    :ivar algorithm: of ``os_hash_value``
    """

    image_id: str
    store: ObjectStore
    body: Source
    length: int | None
    algorithm: str
    promises: list[Promise]


class Holder(Protocol):
    """Records what an upload leaves if it dies."""

    attempt: Attempt

    def began(self, upload_id: str) -> None:
        """Record the multipart upload, before its first part is sent."""

    def keep(self) -> None:
        """Report progress of the upload."""


class Watcher(Protocol):
    """Inspects an image's bytes as they pass by."""

    def feed(self, data: memoryview) -> None:
        """Inspect the next bytes."""

    def finish(self) -> int:
        """Judge all bytes; return the virtual size in bytes, 0 if unknown."""


class Reception:
    """Receives the bodies of uploads."""

    def __init__(self, transfer: TransferSettings) -> None:
        self._memory = stream.Memory.of(transfer)

    def receive(
        self, upload: Incoming, holder: Holder, watcher: Watcher
    ) -> Stored | None:
        """Store a body under the holder's key; return ``None`` if it is empty.

        :raises GatewayError: if it was not stored.  If the store failed at the very
            end, there may be an object nevertheless
        """
        body, algorithm = upload.body, upload.algorithm
        with stream.into(
            upload.store,
            holder.attempt.key,
            self._memory,
            length=upload.length,
            algorithms=[MD5, algorithm, *(p.algorithm for p in upload.promises)],
            began=holder.began,
            about={"image-id": upload.image_id},
        ) as outgoing:
            for data in outgoing.send(body):
                holder.keep()
                watcher.feed(data)
            if not body.received:
                return None
            virtual_size = watcher.finish()
            found = outgoing.hexdigests()
            expected.check(upload.promises, found)
            outgoing.commit({algorithm: found[algorithm]})
        return Stored(
            store=upload.store.settings,
            key=holder.attempt.key,
            size=body.received,
            checksum=found[MD5],
            os_hash_algo=algorithm,
            os_hash_value=found[algorithm],
            virtual_size=virtual_size,
        )
