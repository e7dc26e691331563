# SPDX-License-Identifier: Apache-2.0
"""Checks the format and safety of image content as Glance does.

It follows ``glance.location.ImageProxy.set_data``: the same inspectors (oslo.utils),
the same options, the same texts.
"""

from __future__ import annotations

import io
from collections.abc import Collection

from oslo_log import log as logging
from oslo_utils.imageutils import format_inspector

from s3gateway.config.settings import Settings
from s3gateway.errors import ContentRefused
from s3gateway.glance.api import Image
from s3gateway.glance.releases import Traits

LOG = logging.getLogger(__name__)


class Inspection:
    """Inspects an image's bytes as they pass by.

    :ivar disk_format: the format that the image declares; or, once all bytes were
        judged, what they are if it declares none
    :param disk_format: the same, empty if it declares none
    :param container_format: only ``bare`` images are inspected
    :param require_match: ``[image_format] require_image_format_match``
    :param nonfatal: ``[image_format] gpt_safety_checks_nonfatal``
    :param traits: the release of Glance to follow
    """

    def __init__(
        self,
        disk_format: str,
        container_format: str,
        *,
        require_match: bool,
        nonfatal: Collection[str],
        traits: Traits,
    ) -> None:
        self.disk_format = disk_format
        self._require_match = require_match
        self._nonfatal = set(nonfatal)
        if disk_format in ("aki", "ari") and traits.kernels_may_hold_mbr:
            self._nonfatal.add("mbr")
        self._iso_may_hold_gpt = traits.iso_may_hold_gpt
        self._virtual_size = 0
        self._next = _Next()
        self._wrapper: format_inspector.InspectWrapper | None = None
        if container_format == "bare":
            self._wrapper = format_inspector.InspectWrapper(self._next)

    @classmethod
    def of(cls, image: Image, settings: Settings, traits: Traits) -> Inspection:
        """Make an inspection for an image."""
        return cls(
            image.properties["disk_format"],
            image.properties["container_format"],
            require_match=settings.require_image_format_match,
            nonfatal=settings.gpt_safety_checks_nonfatal,
            traits=traits,
        )

    def feed(self, data: memoryview) -> None:
        """Inspect the next bytes."""
        if self._wrapper is not None:
            self._next.data = bytes(data)
            self._wrapper.read(len(data))

    def finish(self) -> int:
        """Judge all bytes; return the virtual size in bytes, 0 if unknown.

        :raises ContentRefused: if Glance would refuse the content
        """
        if self._wrapper is None:
            return 0
        self._wrapper.close()
        try:
            self._judge(self._wrapper)
        except format_inspector.ImageFormatError as error:
            self._mismatch(str(error))
        except ContentRefused:
            raise
        except Exception as error:  # noqa: BLE001  as in Glance: a parser may raise anything
            LOG.error("Unable to determine stream format because: %s", error)
            self._mismatch("Image format inspection failed")
        return self._virtual_size

    def _judge(self, wrapper: format_inspector.InspectWrapper) -> None:
        inspector = self._inspector(wrapper)
        found = str(inspector)
        self.disk_format = self.disk_format or _declared(found)
        if found == self.disk_format:
            self._virtual_size = inspector.virtual_size
        elif self.disk_format == "raw":
            # Like Glance, read the single format for the log: two formats are a
            # mismatch here, even an ISO with a GPT.
            LOG.warning("An image declared as raw is actually %s", wrapper.format)
            self._virtual_size = inspector.actual_size
        elif found != "raw" or self.disk_format in format_inspector.ALL_FORMATS:
            raise format_inspector.ImageFormatError(
                f"Image disk_format {self.disk_format} does not match "
                f"stream data {found}"
            )
        try:
            inspector.safety_check()
        except format_inspector.SafetyCheckFailed as error:
            LOG.warning("Image of format %s: %s", found, error)
            if inspector.NAME != "gpt" or error.failures.keys() - self._nonfatal:
                raise ContentRefused("Image failed safety checks") from error

    def _inspector(
        self, wrapper: format_inspector.InspectWrapper
    ) -> format_inspector.FileInspector:
        matched = {str(inspector): inspector for inspector in wrapper.formats or []}
        if self._iso_may_hold_gpt and matched.keys() == {"iso", "gpt"}:
            return matched["iso"]  # a bootable ISO may begin with a GPT
        return wrapper.format  # type: ignore[return-value]  # None before the end

    def _mismatch(self, reason: str) -> None:
        if self._require_match:
            raise ContentRefused(reason)
        LOG.warning("Image format %s did not match: %s", self.disk_format, reason)


def _declared(found: str) -> str:
    """Return the disk format of Glance's that data of a format is declared as."""
    return "raw" if found in ("gpt", "mbr") else found


class _Next(io.BytesIO):
    """The file that ``InspectWrapper`` reads: it returns the newest bytes."""

    data = b""

    def read(self, size: int | None = None, /) -> bytes:
        return self.data
