# SPDX-License-Identifier: Apache-2.0
"""An image's bytes from the client into a store: streamed, verified, committed."""

from __future__ import annotations

from s3gateway.config.settings import Settings
from s3gateway.glance.api import Image
from s3gateway.glance.registration import Stored
from s3gateway.glance.releases import Traits
from s3gateway.streams.buffers import SLAB
from s3gateway.streams.buffers import Budget
from s3gateway.streams.buffers import Slabs
from s3gateway.streams.digests import Digests
from s3gateway.upload import expected
from s3gateway.upload.admission import Admitted
from s3gateway.upload.claims import Claim
from s3gateway.upload.cutting import Part
from s3gateway.upload.cutting import cut
from s3gateway.upload.expected import MD5
from s3gateway.upload.inspection import Inspection
from s3gateway.upload.sender import Outgoing


class Reception:
    """Receives the bodies of uploads."""

    def __init__(self, settings: Settings, traits: Traits) -> None:
        self._settings = settings
        self._traits = traits
        self._slabs = Slabs(settings.transfer.upload_buffer // SLAB)
        self._budget = Budget(settings.transfer.upload_memory, "upload")

    def receive(self, upload: Admitted, key: str, claim: Claim) -> Stored | None:
        """Store a body under a key; ``None``, and no object, if it is empty.

        :raises GatewayError: if it was not stored; after an error of the store in
            the very end there may be an object under the key nevertheless
        """
        body, algorithm = upload.body, upload.algorithm
        algorithms = [promise.algorithm for promise in upload.promises]
        inspection = self._inspection(upload.image)
        with (
            self._slabs.in_use(),
            Digests([MD5, algorithm, *algorithms]) as digests,
            self._outgoing(upload, key, claim, digests) as outgoing,
        ):
            self._send(upload, claim, outgoing, digests, inspection)
            if not body.received:
                return None
            virtual_size = inspection.finish()
            found = digests.hexdigests()
            expected.check(upload.promises, found)
            outgoing.commit({algorithm: found[algorithm]})
        return Stored(
            store=upload.store.settings,
            key=key,
            size=body.received,
            checksum=found[MD5],
            os_hash_algo=algorithm,
            os_hash_value=found[algorithm],
            virtual_size=virtual_size,
        )

    def _send(
        self,
        upload: Admitted,
        claim: Claim,
        outgoing: Outgoing,
        digests: Digests,
        inspection: Inspection,
    ) -> None:
        def reserve(size: int) -> None:
            claim.keep()
            outgoing.reserve(size)

        def watch(data: memoryview) -> None:
            digests.feed(data)
            inspection.feed(data)

        for part in cut(
            upload.body,
            self._slabs,
            base=upload.store.settings.part_size,
            length=upload.body.expected,
            reserve=reserve,
            watch=watch,
        ):
            outgoing.send(part)

    def _outgoing(
        self, upload: Admitted, key: str, claim: Claim, digests: Digests
    ) -> Outgoing:
        def release(part: Part) -> None:
            digests.wait(part.stop)
            self._slabs.give_back(part.slabs)

        return Outgoing(
            upload.store,
            key,
            length=upload.body.expected,
            most_bytes=self._settings.transfer.upload_buffer,
            budget=self._budget,
            began=claim.began,
            release=release,
            about={"image-id": upload.image.id},
        )

    def _inspection(self, image: Image) -> Inspection:
        return Inspection(
            image.properties["disk_format"],
            image.properties["container_format"],
            require_match=self._settings.require_image_format_match,
            nonfatal=self._settings.gpt_safety_checks_nonfatal,
            traits=self._traits,
        )
