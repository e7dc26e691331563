# SPDX-License-Identifier: Apache-2.0
"""Prometheus metrics; no other module makes one.

Labels are operations, stores and outcomes, of which there are few, and the version.  No
label holds an image, a project or a name of S3.  If several processes serve, they write
into one directory (``PROMETHEUS_MULTIPROC_DIR``), and each can show the sum of all.

An error in a metric never fails a transfer: the directory may be gone, or the process
may have too many open files.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import prometheus_client as prometheus
from oslo_log import log as logging
from prometheus_client import multiprocess

LOG = logging.getLogger(__name__)

# Making a metric opens a file in it.
if _DIRECTORY := os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
    pathlib.Path(_DIRECTORY).mkdir(parents=True, exist_ok=True)

CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST

REGISTRY = prometheus.CollectorRegistry()

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800, 3600)
_OF_LIVE_PROCESS = re.compile(r"gauge_live[a-z]+_(\d+)\.db")

#: The name of the samples of ``BUILD_INFO``.
BUILD_INFO_NAME = "s3gateway_build_info"

#: Set when a metric has failed; the log says so once.
_failed = threading.Event()


class Metric:
    """A metric of prometheus_client that raises nothing.

    :param find: returns the metric, with its labels applied
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def labels(self, *values: str) -> Metric:
        return Metric(lambda: self._find().labels(*values))

    def inc(self, amount: float = 1) -> None:
        self._do("inc", amount)

    def dec(self, amount: float = 1) -> None:
        self._do("dec", amount)

    def set(self, value: float) -> None:
        self._do("set", value)

    def observe(self, value: float) -> None:
        self._do("observe", value)

    @contextlib.contextmanager
    def track_inprogress(self) -> Iterator[None]:
        """Increase the gauge by 1 while the context lasts."""
        self.inc()
        try:
            yield
        finally:
            self.dec()

    def _do(self, method: str, value: float) -> None:
        try:
            getattr(self._find(), method)(value)
        except Exception:
            if not _failed.is_set():
                _failed.set()
                LOG.exception("The metrics of this process are no longer complete")


def _counter(name: str, text: str, *labels: str) -> Metric:
    made = prometheus.Counter(f"s3gateway_{name}", text, labels, registry=REGISTRY)
    return Metric(lambda: made)


def _gauge(name: str, text: str, *labels: str, mode: Any) -> Metric:
    """Make a gauge; ``mode`` says how to combine those of several processes."""
    made = prometheus.Gauge(
        f"s3gateway_{name}", text, labels, registry=REGISTRY, multiprocess_mode=mode
    )
    return Metric(lambda: made)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    made = prometheus.Histogram(
        f"s3gateway_{name}", text, labels, registry=REGISTRY, buckets=_SECONDS
    )
    return Metric(lambda: made)


REQUESTS = _counter(
    "requests",
    "Requests to the gateway, by operation and class of status.",
    "operation",
    "status",
)

TRANSFER_BYTES = _counter(
    "transfer_bytes",
    "Bytes of image data received from or sent to clients.",
    "operation",
    "store",
    "outcome",
)

TRANSFER_SECONDS = _histogram(
    "transfer_seconds",
    "Duration of the gateway's uploads and downloads.",
    "operation",
    "store",
    "outcome",
)

RETRIES = _counter("store_retries", "Requests to a store that were retried.", "store")

RESUMES = _counter(
    "download_resumes",
    "Downloads resumed after their store broke off.",
    "store",
)

SHARED_BYTES = _counter(
    "shared_bytes",
    "Bytes of downloads that another download had read from the store.",
    "store",
)

HOT_READ = _counter(
    "hot_read_bytes",
    "Bytes read from the directory of hot images in place of the store.",
)

HOT_WRITTEN = _counter(
    "hot_written_bytes", "Bytes written to the directory of hot images."
)

HOT_REMOVED = _counter(
    "hot_removed_bytes",
    "Bytes removed from the directory of hot images, by reason.",
    "reason",
)

HOT_FAULTY = _counter(
    "hot_faulty_pieces",
    "Pieces in the directory of hot images that were damaged, and removed.",
)

FAILOVERS = _counter(
    "download_failovers",
    "Downloads continued from another store; the label is the failed one.",
    "store",
)

PASSED_UPLOADS = _counter(
    "passed_uploads", "Uploads that were left to Glance, by reason.", "reason"
)

ABORTED_UPLOADS = _counter(
    "aborted_uploads", "Uploads whose data was discarded.", "store"
)

MASKED_ANSWERS = _counter(
    "masked_answers", "Answers of Glance in which S3 locations were masked."
)

REFUSED_WRITES = _counter("refused_writes", "Refused requests to write locations.")

BLOCKED_LEAKS = _counter(
    "blocked_leaks",
    "Answers from which a secret key was removed at the last moment.",
)

HELD_BACK = _counter(
    "held_back_seconds",
    "Time that transfers have waited because of a rate, all of them together.",
    "operation",
)

REFUSED_UPLOADS = _counter(
    "refused_uploads",
    "Uploads that were refused because their project had too many running.",
)

PARTS_IN_FLIGHT = _gauge(
    "parts_in_flight",
    "Parts of uploads and pieces of downloads in transfer now.",
    "operation",
    "store",
    mode="livesum",
)

BUFFER_BYTES = _gauge(
    "buffer_bytes",
    "Memory that transfers have reserved of their budgets.",
    "operation",
    mode="livesum",
)

STORE_UP = _gauge(
    "store_up",
    "1 if the health check counts the store as up, else 0.",
    "store",
    mode="livemostrecent",
)

BUILD_INFO = _gauge(
    "build_info",
    "Always 1; the label is the version of the gateway that runs.",
    "version",
    mode="livemax",
)


def begin(stores: Iterable[str]) -> None:
    """Show metrics with 0 before they count for the first time.

    Prometheus does not see the first step of a counter that was not there before it.
    """
    for store in stores:
        for counter in (RETRIES, RESUMES, SHARED_BYTES, FAILOVERS, ABORTED_UPLOADS):
            counter.labels(store).inc(0)
    for operation in ("upload", "download"):
        HELD_BACK.labels(operation).inc(0)
        BUFFER_BYTES.labels(operation).inc(0)
    for operation in ("upload", "download", "face", "other"):
        REQUESTS.labels(operation, "5xx").inc(0)


def collected() -> prometheus.CollectorRegistry:
    """Return the metrics of this process, or of all that share a directory."""
    if not _DIRECTORY:
        return REGISTRY
    _forget_the_dead()
    registry = prometheus.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, _DIRECTORY)  # type: ignore[no-untyped-call]
    return registry


def text() -> bytes:
    """Return the metrics in Prometheus' text format (``CONTENT_TYPE``)."""
    return prometheus.generate_latest(collected())


def _forget_the_dead() -> None:
    """Drop the gauges of dead processes.

    Only gunicorn reports the end of a worker, and not if it was killed.
    """
    for path in pathlib.Path(_DIRECTORY).glob("gauge_live*.db"):
        match = _OF_LIVE_PROCESS.fullmatch(path.name)
        if match and not pathlib.Path("/proc", match[1]).exists():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                path.unlink()
