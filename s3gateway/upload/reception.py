# SPDX-License-Identifier: Apache-2.0
"""Writes the body of an upload to a store: streams, verifies, commits."""

from __future__ import annotations

import dataclasses

from s3gateway.config.settings import TransferSettings
from s3gateway.glance.registration import Stored
from s3gateway.store import ObjectStore
from s3gateway.upload import expected
from s3gateway.upload import stream
from s3gateway.upload.checked import Signature
from s3gateway.upload.expected import MD5
from s3gateway.upload.expected import Promise
from s3gateway.upload.holding import Claim
from s3gateway.upload.inspection import Inspection
from s3gateway.upload.stream import Source
from s3gateway.upload.traces import Traces


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


class Reception:
    """Receives the bodies of uploads."""

    def __init__(self, transfer: TransferSettings) -> None:
        self._memory = stream.Memory.of(transfer)

    def receive(
        self, upload: Incoming, holder: Claim | Traces, watcher: Inspection | Signature
    ) -> Stored | None:
        """Store a body under the holder's key; return ``None`` if it is empty.

        :param holder: records what the upload leaves if it dies
        :param watcher: inspects the bytes as they pass by
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
