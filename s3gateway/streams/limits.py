# SPDX-License-Identifier: Apache-2.0
"""Limits of uploads and downloads: bytes a second, and uploads at once.

A transfer that is too fast waits between two pieces of its body; it never fails.  Only
an upload that has not begun can be refused.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Iterator
from collections.abc import Sequence

from s3gateway.config.settings import TransferSettings
from s3gateway.errors import TooManyUploads
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import metrics

#: What a rate allows at once after a time without bytes, in seconds of the rate.
_BURST = 0.5
#: Into how many steps a second of a rate is cut.
_STEPS = 16
#: The name by which all transfers share a rate.
_ALL = ""
#: When a client may try again, in seconds.
_RETRY_AFTER = "30"


class Rate:
    """So many bytes a second, for all who share it by a name.

    :ivar step: most bytes that a transfer moves before it waits.  Of many at once each
        waits for a step of all others: with short ones no proxy gives up meanwhile
    :param rate: in bytes a second
    """

    def __init__(self, rate: int) -> None:
        self.step = max(rate // _STEPS, 1)
        self._rate = rate
        # When all bytes so far were allowed to have passed.
        self._free: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_after(self, count: int, name: str) -> float:
        """Return how long to wait after this many bytes, in seconds."""
        now = time.monotonic()
        with self._lock:
            if name not in self._free:
                self._forget_before(now - _BURST)
            free = max(self._free.get(name, 0.0), now - _BURST) + count / self._rate
            self._free[name] = free
            return max(0.0, free - now)

    def _forget_before(self, then: float) -> None:
        """Forget those that are as free as one that has never moved a byte."""
        self._free = {name: free for name, free in self._free.items() if free > then}


class Pace(wsgi.Pace):
    """Makes one transfer keep to its rates.

    :param rates: with the names by which it shares them
    """

    def __init__(self, rates: Sequence[tuple[Rate, str]], operation: str) -> None:
        self.step = min(rate.step for rate, _ in rates)
        self._rates = rates
        self._held_back = metrics.HELD_BACK.labels(operation)

    def wait_after(self, count: int) -> None:
        wait = max(rate.wait_after(count, name) for rate, name in self._rates)
        if wait:
            self._held_back.inc(wait)
            time.sleep(wait)


class Limits:
    """The limits of all transfers of this process."""

    def __init__(self, transfer: TransferSettings) -> None:
        rates = {"upload": transfer.upload_rate, "download": transfer.download_rate}
        self._rates = {name: Rate(rate) for name, rate in rates.items() if rate}
        of_project = transfer.project_rate
        self._of_project = {name: Rate(of_project) for name in rates if of_project}
        self._project_uploads = transfer.project_uploads
        self._uploads: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def paced(self, environ: Environ, operation: str) -> Environ:
        """Return a request whose body, or answer, keeps to the rates."""
        rates = []
        if operation in self._rates:
            rates.append((self._rates[operation], _ALL))
        if operation in self._of_project and (project := _project(environ)):
            rates.append((self._of_project[operation], project))
        if not rates:
            return environ
        return {**environ, wsgi.PACE: Pace(rates, operation)}

    @contextlib.contextmanager
    def upload(self, environ: Environ) -> Iterator[None]:
        """Count an upload while it runs.

        :raises TooManyUploads: if its project has as many as it may have
        """
        project = _project(environ) if self._project_uploads else ""
        if not project:
            yield
            return
        with self._lock:
            if self._uploads[project] >= self._project_uploads:
                metrics.REFUSED_UPLOADS.inc()
                raise TooManyUploads(
                    f"The project has {self._project_uploads} uploads running already. "
                    "Try again when one has ended.",
                    [("Retry-After", _RETRY_AFTER)],
                )
            self._uploads[project] += 1
        try:
            yield
        finally:
            with self._lock:
                self._uploads[project] -= 1
                if not self._uploads[project]:
                    del self._uploads[project]


def _project(environ: Environ) -> str:
    """Return the project of a request, empty if it is not known here."""
    return str(wsgi.caller(environ).project_id or "")
