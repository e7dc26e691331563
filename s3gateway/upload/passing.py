# SPDX-License-Identifier: Apache-2.0
"""Reasons why a PUT of image data passes to Glance, in the log and in a metric."""

from __future__ import annotations

from oslo_log import log as logging

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

#: The reasons by their label in the metric.
REASONS = {
    "store": "it goes to a store that is not S3",
    "unseen": "Glance shows the gateway no locations to register it with",
    "no_data": "it has no data",
    "refused": "Glance does not show the image to the caller",
    "status": "the image does not await data",
    "format": "the image has no disk_format or no container_format",
    "importing": "Glance imports data into the image",
    "signed": "the image is signed, and Glance verifies signatures",
    "encrypted": "the image is encrypted, which Glance must handle",
    "policy": "Glance's policy does not let the caller upload",
    "location": "Glance would take no location of the image",
    "limits": "the project's limits leave no room",
}

_said: set[str] = set()


def left_to_glance(image_id: str, reason: str) -> None:
    """Count an upload that passes to Glance; log each reason once in a process.

    :param reason: one of ``REASONS``
    """
    metrics.PASSED_UPLOADS.labels(reason).inc()
    level = logging.DEBUG if reason in _said else logging.INFO
    _said.add(reason)
    why = REASONS[reason]
    LOG.log(level, "Upload to image %s is left to Glance: %s", image_id, why)


def refuse_second_data(image: Image) -> None:
    """Refuse data for an image that waits for data but already has some.

    Failed uploads through stock Glance, or concurrent changes, can leave such an image.
    Glance would add the new data to the old, show the digests of one and serve the
    other.

    :raises Conflict: if the image has data
    """
    if image.status in ("queued", "uploading") and image.locations:
        raise Conflict(
            f"Image {image.id} has data from a failed upload. Delete it, and upload to "
            "a new image."
        )


def unfit(image: Image, *, verifies: bool = False, taken_over: bool = False) -> str:
    """Return why the gateway must leave an image's data to Glance, empty if not.

    :param verifies: whether Glance verifies signatures of this upload
    :param taken_over: whether a dead upload of the image is taken over
    """
    shown = image.properties
    if image.status != "queued" and not taken_over:
        return "status"
    if shown.get("os_glance_import_task"):
        return "importing"
    if not (shown.get("disk_format") and shown.get("container_format")):
        return "format"
    if not verifies and any(name.startswith("img_signature") for name in shown):
        return "signed"
    # Approved in https://specs.openstack.org/openstack/glance-specs/.
    if any(name.startswith("os_encrypt_") for name in shown):
        return "encrypted"
    return ""
