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
import weakref
from collections.abc import Iterator
from collections.abc import Sequence

from s3gateway.config.settings import TransferSettings
from s3gateway.errors import TooManyUploads
from s3gateway.http import wsgi
from s3gateway.http.wsgi import Environ
from s3gateway.monitoring import metrics

#: What a rate allows at once after a time without bytes, in seconds of the rate.
_BURST = 0.5
#: When a client may try again, in seconds.
_RETRY_AFTER = "30"


class Rate:
    """So many bytes a second, for all who share it.

    :param rate: in bytes a second
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free = 0.0  # when all bytes so far were allowed to have passed
        self._lock = threading.Lock()

    def wait_after(self, count: int) -> float:
        """Return how long to wait after this many bytes, in seconds."""
        now = time.monotonic()
        with self._lock:
            self._free = max(self._free, now - _BURST) + count / self._rate
            return max(0.0, self._free - now)


class Pace:
    """Makes one transfer keep to its rates."""

    def __init__(self, rates: Sequence[Rate], operation: str) -> None:
        self._rates = rates
        self._held_back = metrics.HELD_BACK.labels(operation)

    def __call__(self, count: int) -> None:
        """Wait as long as needed after ``count`` bytes."""
        wait = max(rate.wait_after(count) for rate in self._rates)
        if wait:
            self._held_back.inc(wait)
            time.sleep(wait)


class Limits:
    """The limits of all transfers of this process."""

    def __init__(self, transfer: TransferSettings) -> None:
        rates = {"upload": transfer.upload_rate, "download": transfer.download_rate}
        self._rates = {name: Rate(rate) for name, rate in rates.items() if rate}
        self._project_rate = transfer.project_rate
        self._project_uploads = transfer.project_uploads
        # Each transfer keeps the rate of its project.
        self._of_project: weakref.WeakValueDictionary[tuple[str, str], Rate] = (
            weakref.WeakValueDictionary()
        )
        self._uploads: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def paced(self, environ: Environ, operation: str) -> Environ:
        """Return a request whose body, or answer, keeps to the rates."""
        rates = [self._rates[operation]] if operation in self._rates else []
        if self._project_rate and (project := _project(environ)):
            with self._lock:
                rate = self._of_project.get((project, operation))
                rate = rate or Rate(self._project_rate)
                self._of_project[project, operation] = rate
            rates.append(rate)
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
