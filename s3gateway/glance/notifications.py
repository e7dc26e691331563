# SPDX-License-Identifier: Apache-2.0
"""Sends the notifications that Glance sends when it moves image data itself.

Billing depends on them.  Glance still sends ``image.update`` when data is registered.
This module sends those about the data (``glance.notifier.ImageProxy``), with the same
payloads, through Glance's own ``[oslo_messaging_notifications]``.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from typing import Protocol

from oslo_config import cfg
from oslo_log import log as logging

from s3gateway.config.settings import Settings
from s3gateway.glance.api import Image

LOG = logging.getLogger(__name__)

# Attributes of an image; all others are its custom properties.
_BASE = frozenset({
    "checksum", "container_format", "created_at", "direct_url", "disk_format", "file",
    "id", "locations", "min_disk", "min_ram", "name", "os_hash_algo", "os_hash_value",
    "os_hidden", "owner", "protected", "schema", "self", "size", "status", "stores",
    "tags", "updated_at", "virtual_size", "visibility",
})  # fmt: skip


class Notifier(Protocol):
    """The part of oslo.messaging's notifier that the gateway uses."""

    def info(self, context: Mapping[str, Any], event: str, payload: Any) -> None: ...

    def error(self, context: Mapping[str, Any], event: str, payload: Any) -> None: ...


class Notifications:
    """Sends the notifications that the operator has not disabled.

    :param notifier: ``None`` to send nothing
    :param disabled: names of events and groups, as Glance's
        ``disabled_notifications``
    :param name_stores: whether to name the store, as Glance with several stores does
    """

    def __init__(
        self,
        notifier: Notifier | None = None,
        disabled: Collection[str] = (),
        *,
        name_stores: bool = True,
    ) -> None:
        self._notifier = notifier
        self._disabled = frozenset(disabled)
        self._name_stores = name_stores

    @property
    def wanted(self) -> bool:
        """Whether anything is sent at all."""
        return self._notifier is not None

    def prepare(self, image: Image, store: str) -> None:
        """Notify that an upload begins."""
        backend = {"backend": store} if self._name_stores else {}
        payload = {**_image(image, "saving"), **_imports(image), **backend}
        self._send("image.prepare", payload)

    def uploaded(self, image: Image, virtual_size: int) -> None:
        """Notify that an image has its data and is active.

        :param virtual_size: in bytes, 0 if unknown
        """
        payload = {**_image(image, "active"), "virtual_size": virtual_size or None}
        self._send("image.upload", {**payload, **_imports(image)})
        self._send("image.activate", payload)

    def upload_failed(self, reason: str) -> None:
        """Notify that an upload failed."""
        self._send("image.upload", reason, failed=True)

    def sent(
        self,
        image: Image,
        receiver: tuple[str | None, str | None],
        count: int,
        size: int,
    ) -> None:
        """Notify how many bytes of an image were sent, and to whom.

        :param receiver: the project and the user
        :param size: the expected number of bytes
        """
        project, user = receiver
        payload = {
            "bytes_sent": count,
            "image_id": image.id,
            "owner_id": image.properties.get("owner"),
            "receiver_tenant_id": project,
            "receiver_user_id": user,
        }
        self._send("image.send", payload, failed=count != size)

    def _send(self, event: str, payload: Any, *, failed: bool = False) -> None:
        group = event.partition(".")[0]
        if self._notifier is None or self._disabled & {event, group}:
            return
        send = self._notifier.error if failed else self._notifier.info
        try:
            send({}, event, payload)
        except Exception:
            # A driver may raise anything: that must not fail a transfer.
            LOG.exception("Notification %s was not sent", event)


def of_glance(conf: cfg.ConfigOpts, settings: Settings) -> Notifications:
    """Return a sender that follows the configuration of Glance."""
    try:
        messaging = import_module("oslo_messaging")
    except ImportError:
        return Notifications()
    transport = messaging.get_notification_transport(conf)
    notifier = messaging.Notifier(transport, publisher_id=settings.publisher_id)
    if not conf.oslo_messaging_notifications.driver:
        return Notifications()
    return Notifications(
        notifier, settings.disabled_notifications, name_stores=settings.multi_store
    )


def _image(image: Image, status: str) -> dict[str, Any]:
    """Return the payload of ``glance.notifier.format_image_notification``."""
    shown = image.properties
    names = (
        "id", "name", "created_at", "updated_at", "min_disk", "min_ram", "protected",
        "checksum", "owner", "disk_format", "container_format", "size",
        "virtual_size", "visibility", "tags",
    )  # fmt: skip
    return {
        **{name: shown.get(name) for name in names},
        "status": status,
        "is_public": shown.get("visibility") == "public",
        "properties": {key: shown[key] for key in shown if key not in _BASE},
        "deleted": False,
        "deleted_at": None,
    }


def _imports(image: Image) -> dict[str, list[str]]:
    """Return the fields that Glance adds about a running import."""
    found = {}
    for name in ("os_glance_importing_to_stores", "os_glance_failed_import"):
        value = str(image.properties.get(name) or "")
        found[name] = value.split(",") if value else []
    return found
