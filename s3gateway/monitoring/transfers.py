# SPDX-License-Identifier: Apache-2.0
"""One log line, and the metrics, of each upload and download.

Each thread knows the transfer that it works for, so that lower layers, such as retries,
count for the right transfer.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from oslo_context import context as oslo_context
from oslo_log import log as logging

from s3gateway.config.stores import MIB
from s3gateway.http.wsgi import Environ
from s3gateway.http.wsgi import caller
from s3gateway.monitoring import metrics

LOG = logging.getLogger(__name__)

#: Outcomes of a transfer.  A failed one has the ``fault`` of its error: ``client``,
#: ``glance``, ``store`` or ``gateway`` (``errors.py``).
OK = "ok"
CLIENT = "client"  # it went away before the end
EMPTY = "empty"  # the body was empty; Glance answers

_current: contextvars.ContextVar[Transfer | None] = contextvars.ContextVar(
    "transfer", default=None
)


class Transfer:
    """An upload or a download; in its context, the thread works for it.

    An exception that leaves the context ends it; the outcome is the exception's
    ``fault``.

    :ivar context: the sender of the request, for the log
    :ivar retries: number of retried requests to stores
    :param operation: ``upload`` or ``download``
    :param count: returns the number of bytes transferred so far
    """

    def __init__(
        self, operation: str, image_id: str, store: str, count: Callable[[], int]
    ) -> None:
        self.operation = operation
        self.store = store
        self.context: oslo_context.RequestContext | None = None
        self.retries = 0
        self._image_id = image_id
        self._count = count
        self._began = time.monotonic()
        self._ended = False
        self._lock = threading.Lock()
        self._token: contextvars.Token[Transfer | None] | None = None

    def asked_by(self, environ: Environ) -> Transfer:
        """Set the request that the transfer belongs to."""
        self.context = caller(environ)
        return self

    def retried(self) -> None:
        """Count a retried request."""
        with self._lock:
            self.retries += 1

    def end(self, outcome: str = OK) -> None:
        """Log and count the transfer; only the first call has an effect."""
        if self._ended:
            return
        self._ended = True
        count = self._count()
        seconds = time.monotonic() - self._began
        labels = (self.operation, self.store, outcome)
        metrics.TRANSFER_SECONDS.labels(*labels).observe(seconds)
        metrics.TRANSFER_BYTES.labels(*labels).inc(count)
        self._log(outcome, count, seconds)

    def _log(self, outcome: str, count: int, seconds: float) -> None:
        speed = count / MIB / max(seconds, 1e-6)
        fields: dict[str, Any] = {
            "operation": self.operation,
            "image": self._image_id,
            "store": self.store,
            "outcome": outcome,
            "bytes": count,
            "seconds": round(seconds, 3),
            "mib_per_second": round(speed, 1),
            "retries": self.retries,
        }
        if self.context is not None:
            fields["context"] = self.context
        known = outcome in (OK, EMPTY, CLIENT)
        LOG.log(
            logging.INFO if known else logging.WARNING,
            "%s of image %s, store %s: %s, %d bytes in %.3f s, %.1f MiB/s, %d retries",
            self.operation,
            self._image_id,
            self.store,
            outcome,
            count,
            seconds,
            speed,
            self.retries,
            extra=fields,
        )

    def __enter__(self) -> Transfer:
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None
        if error is not None:
            self.end(getattr(error, "fault", "gateway"))


def joining() -> Callable[[], object]:
    """Return a function that makes another thread work for this thread's transfer."""
    transfer = _current.get()
    return lambda: _current.set(transfer)


def retried(store: str) -> None:
    """Count a retried request to a store."""
    metrics.RETRIES.labels(store).inc()
    transfer = _current.get()
    if transfer is not None:
        transfer.retried()


def part_in_flight() -> contextlib.AbstractContextManager[object]:
    """Return a context that counts a part of this thread's transfer as in flight."""
    transfer = _current.get()
    if transfer is None:
        return contextlib.nullcontext()
    labels = (transfer.operation, transfer.store)
    return metrics.PARTS_IN_FLIGHT.labels(*labels).track_inprogress()
