# SPDX-License-Identifier: Apache-2.0
"""An image's bytes from the client into a store: streamed, verified, committed."""

from __future__ import annotations

from s3gateway.config.settings import Settings
from s3gateway.glance.api import Image
from s3gateway.glance.registration import Stored
from s3gateway.glance.releases import Traits
from s3gateway.upload import expected
from s3gateway.upload import stream
from s3gateway.upload.admission import Admitted
from s3gateway.upload.expected import MD5
from s3gateway.upload.holding import Claim
from s3gateway.upload.inspection import Inspection


class Reception:
    """Receives the bodies of uploads."""

    def __init__(self, settings: Settings, traits: Traits) -> None:
        self._settings = settings
        self._traits = traits
        self._memory = stream.Memory.of(settings.transfer)

    def receive(self, upload: Admitted, claim: Claim) -> Stored | None:
        """Store a body as the claim says; ``None``, and no object, if it is empty.

        :raises GatewayError: if it was not stored; after an error of the store in
            the very end there may be an object under the key nevertheless
        """
        body, algorithm = upload.body, upload.algorithm
        inspection = self._inspection(upload.image)
        with stream.into(
            upload.store,
            claim.attempt.key,
            self._memory,
            length=body.expected,
            algorithms=[MD5, algorithm, *(p.algorithm for p in upload.promises)],
            began=claim.began,
            about={"image-id": upload.image.id},
        ) as outgoing:
            for data in outgoing.send(body):
                claim.keep()
                inspection.feed(data)
            if not body.received:
                return None
            virtual_size = inspection.finish()
            found = outgoing.hexdigests()
            expected.check(upload.promises, found)
            outgoing.commit({algorithm: found[algorithm]})
        return Stored(
            store=upload.store.settings,
            key=claim.attempt.key,
            size=body.received,
            checksum=found[MD5],
            os_hash_algo=algorithm,
            os_hash_value=found[algorithm],
            virtual_size=virtual_size,
        )

    def _inspection(self, image: Image) -> Inspection:
        return Inspection(
            image.properties["disk_format"],
            image.properties["container_format"],
            require_match=self._settings.require_image_format_match,
            nonfatal=self._settings.gpt_safety_checks_nonfatal,
            traits=self._traits,
        )
