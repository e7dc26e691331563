# SPDX-License-Identifier: Apache-2.0
"""What is counted, for Prometheus; nothing else makes a metric.

Labels are operations, stores and outcomes, of which there are few, and the version:
never an image, a project or anything that S3 is called by.  Where several processes
serve (``PROMETHEUS_MULTIPROC_DIR``) they write into one directory and each of them can
show the sum of all.

Counting never fails what is counted: a file of that directory may be gone, or be one
file too many for the process.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import prometheus_client as prometheus
from oslo_log import log as logging
from prometheus_client import multiprocess

LOG = logging.getLogger(__name__)

# A metric opens a file in it when it is made.
if _DIRECTORY := os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
    pathlib.Path(_DIRECTORY).mkdir(parents=True, exist_ok=True)

CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST

REGISTRY = prometheus.CollectorRegistry()

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800, 3600)
_OF_LIVE_PROCESS = re.compile(r"gauge_live[a-z]+_(\d+)\.db")

#: As samples of ``BUILD_INFO`` are called.
BUILD_INFO_NAME = "s3gateway_build_info"

#: Set when something could not be counted, which is said once.
_failed = threading.Event()


class Metric:
    """A metric of prometheus_client's that raises nothing.

    :param find: returns the metric, with its labels if it has any
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
        """Count one more while the context lasts."""
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
                LOG.exception("The metrics of this process are not complete any more")


def _counter(name: str, text: str, *labels: str) -> Metric:
    made = prometheus.Counter(f"s3gateway_{name}", text, labels, registry=REGISTRY)
    return Metric(lambda: made)


def _gauge(name: str, text: str, *labels: str, mode: Any) -> Metric:
    """Make a gauge; ``mode`` says how those of several processes become one."""
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
    "Requests that came to the gateway, by what they are and how they were answered.",
    "operation",
    "status",
)

TRANSFER_BYTES = _counter(
    "transfer_bytes",
    "Bytes of image data that came from or went to clients.",
    "operation",
    "store",
    "outcome",
)

TRANSFER_SECONDS = _histogram(
    "transfer_seconds",
    "How long the gateway's uploads and downloads took; its count is how many.",
    "operation",
    "store",
    "outcome",
)

RETRIES = _counter(
    "store_retries", "Requests to a store that were tried again.", "store"
)

RESUMES = _counter(
    "download_resumes",
    "Downloads that went on after their store had broken off.",
    "store",
)

FAILOVERS = _counter(
    "download_failovers",
    "Downloads that went on from another store; the store is the one given up.",
    "store",
)

PASSED_UPLOADS = _counter(
    "passed_uploads", "Uploads that were left to Glance, by why.", "reason"
)

ABORTED_UPLOADS = _counter(
    "aborted_uploads", "Uploads whose data was dropped again.", "store"
)

MASKED_ANSWERS = _counter(
    "masked_answers", "Answers of Glance in which locations were masked."
)

REFUSED_WRITES = _counter(
    "refused_writes", "Requests that wrote locations and were refused."
)

BLOCKED_LEAKS = _counter(
    "blocked_leaks",
    "Secret keys that were taken out of an answer at the very last moment.",
)

PARTS_IN_FLIGHT = _gauge(
    "parts_in_flight",
    "Parts of uploads and pieces of downloads that are on their way now.",
    "operation",
    "store",
    mode="livesum",
)

BUFFER_BYTES = _gauge(
    "buffer_bytes",
    "Memory that transfers have reserved now, of their configured budgets.",
    "operation",
    mode="livesum",
)

STORE_UP = _gauge(
    "store_up",
    "Whether a store answers, as the health check last judged: 1 or 0.",
    "store",
    mode="livemostrecent",
)

BUILD_INFO = _gauge(
    "build_info",
    "Always 1; the label is the version of the gateway that runs.",
    "version",
    mode="livemax",
)


def collected() -> prometheus.CollectorRegistry:
    """Return what to show: this process's metrics, or those of all processes."""
    if not _DIRECTORY:
        return REGISTRY
    _forget_the_dead()
    registry = prometheus.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, _DIRECTORY)  # type: ignore[no-untyped-call]
    return registry


def text() -> bytes:
    """Return the metrics in Prometheus' text format, of type ``CONTENT_TYPE``."""
    return prometheus.generate_latest(collected())


def _forget_the_dead() -> None:
    """Drop the gauges of processes that were killed.

    Only gunicorn can tell of the end of a worker, and not of a sudden one.
    """
    for path in pathlib.Path(_DIRECTORY).glob("gauge_live*.db"):
        match = _OF_LIVE_PROCESS.fullmatch(path.name)
        if match and not pathlib.Path("/proc", match[1]).exists():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                path.unlink()
