# SPDX-License-Identifier: Apache-2.0
"""Which connection a request goes through: with which keys, to which region."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from oslo_log import log as logging

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.s3.connection import Connection

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_KEY_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0)  # seconds


class Access:
    """One process's access to one store.

    :ivar region: where the server has said that the bucket is, empty if it has not
    """

    def __init__(self, settings: StoreSettings, transfer: TransferSettings) -> None:
        self.region = ""
        self._settings = settings
        self._transfer = transfer
        self._connection: Connection | None = None
        self._connecting = threading.Lock()

    @property
    def connection(self) -> Connection:
        """The connection, another one when the keys have changed."""
        keys = self._settings.keys.current()
        with self._connecting:
            if self._connection is None or self._connection.keys != keys:
                self._connection = Connection(
                    self._settings, self._transfer, keys, self.region
                )
            return self._connection

    def allowed(self, do: Callable[[Connection], T]) -> T:
        """Do something, again in another region if the bucket is there."""
        try:
            return self._with_keys(do)
        except StoreError as error:
            if not self._follow(error.region):
                raise
        return self._with_keys(do)

    def _with_keys(self, do: Callable[[Connection], T]) -> T:
        """Do something, again with other keys if there are others by now.

        Two files are not replaced at one moment: while only one of them is new the
        keys do not fit each other, so it is tried for a while.
        """
        for pause in _KEY_PAUSES:
            try:
                return do(self.connection)
            except StoreDenied:
                if not self._settings.keys.from_files:
                    raise
            time.sleep(pause)
            self._settings.keys.read_again()
        return do(self.connection)

    def _follow(self, region: str) -> bool:
        """Go on in the region where a server says that the bucket is."""
        if not region or region == self.connection.region:
            return False
        LOG.warning(
            "The bucket of store %(store)s is in region %(region)s: set "
            "s3_store_region_name = %(region)s in [%(store)s]",
            {"store": self._settings.name, "region": region},
        )
        with self._connecting:
            self.region = region
            self._connection = None
        return True
