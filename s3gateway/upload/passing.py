# SPDX-License-Identifier: Apache-2.0
"""PUTs of image data that are passed to Glance as they are: why, in log and metric."""

from __future__ import annotations

from oslo_log import log as logging

from s3gateway.errors import Conflict
from s3gateway.glance.api import Image
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

#: The reasons by the label that the metric has for them.
REASONS = {
    "store": "it goes to a store that is not S3",
    "unseen": "Glance shows the gateway no locations to register it with",
    "no_data": "it has no data that Glance would read",
    "refused": "Glance does not show the image to the caller",
    "status": "the image does not await data",
    "format": "the image has no disk_format or no container_format",
    "importing": "Glance imports data into the image",
    "signed": "the image is signed, and Glance verifies signatures",
    "encrypted": "the image is encrypted, which Glance has to see to",
    "policy": "Glance's policy does not let the caller upload",
    "location": "Glance would take no location of the image",
    "limits": "the project's limits leave no room",
}

_said: set[str] = set()


def left_to_glance(image_id: str, reason: str) -> None:
    """Count an upload that is Glance's; say why, once for each reason and process.

    :param reason: one of ``REASONS``
    """
    metrics.PASSED_UPLOADS.labels(reason).inc()
    level = logging.DEBUG if reason in _said else logging.INFO
    _said.add(reason)
    why = REASONS[reason]
    LOG.log(level, "Upload to image %s is left to Glance: %s", image_id, why)


def refuse_second_data(image: Image) -> None:
    """Refuse data for an image that waits for some and has some all the same.

    Uploads that go wrong in stock Glance, or meet other changes, can leave that.
    Glance would add the data to what is there, show the digests of the one, and serve
    the other.

    :raises Conflict: if the image has data
    """
    if image.status in ("queued", "uploading") and image.locations:
        raise Conflict(
            f"Image {image.id} has data from an upload that went wrong. Delete it, and "
            "upload to a new image."
        )


def unfit(image: Image, *, verifies: bool = False, taken_over: bool = False) -> str:
    """Return the reason why an image's data is Glance's, empty if it may be ours.

    :param verifies: whether Glance itself verifies a signature as data passes
    :param taken_over: whether an upload that saves it is dead
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
    # https://specs.openstack.org/openstack/glance-specs/ has them as approved.
    if any(name.startswith("os_encrypt_") for name in shown):
        return "encrypted"
    return ""
