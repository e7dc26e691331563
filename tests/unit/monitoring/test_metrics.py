# SPDX-License-Identifier: Apache-2.0
"""The metrics, and the senders that may see them."""

from __future__ import annotations

import errno
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import webob

from s3gateway.download.failover import Copies
from s3gateway.download.failover import Copy
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.monitoring import metrics
from s3gateway.monitoring.exposition import app_factory
from s3gateway.monitoring.transfers import Transfer
from s3gateway.streams.buffers import Budget
from s3gateway.streams.retries import patiently
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

LABELS = {"reason", "operation", "store", "outcome", "status", "le"}


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"s3gateway_{name}", labels) or 0


def breaking_once(kind: str) -> Any:
    left = [None]

    def before(request: str, key: str) -> None:
        if request == kind and left:
            left.clear()
            raise StoreUnavailable("Store fast answered 503 SlowDown")

    return before


def test_no_label_can_name_an_image_or_a_project() -> None:
    for family in metrics.REGISTRY.collect():
        for sample in family.samples:
            is_build = family.name == "s3gateway_build_info"
            allowed = {"version"} if is_build else LABELS
            assert set(sample.labels) <= allowed, family.name


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "ok"), (StoreUnavailable("gone"), "store"), (KeyError(), "gateway")],
)
def test_a_transfer_is_counted_once(error: Exception | None, outcome: str) -> None:
    labels = {"operation": "upload", "store": f"once-{outcome}", "outcome": outcome}
    transfer = Transfer("upload", "an-image", labels["store"], lambda: 42)
    try:
        with transfer:
            if error:
                raise error
            transfer.end()
    except (StoreUnavailable, KeyError):
        pass
    transfer.end("client")
    assert value("transfer_bytes_total", **labels) == 42
    assert value("transfer_seconds_count", **labels) == 1


def test_a_retry_belongs_to_its_store_and_its_transfer() -> None:
    store = MemoryStore(store_settings("retried"))
    store.before = breaking_once("put")
    with Transfer("upload", "an-image", "retried", lambda: 0) as transfer:
        patiently(
            lambda: store.put("key", []), about="it", retry_time=5, store="retried"
        )
    assert transfer.retries == 1
    assert value("store_retries_total", store="retried") == 1


def test_resumes_and_failovers_are_told_apart() -> None:
    stores = [MemoryStore(store_settings(name)) for name in ("first", "second")]
    for store in stores:
        store.objects_by_key["key"] = bytes(200_000)
    copies = Copies(
        "an-image",
        [Copy(store, store.name, "key") for store in stores],
        Span(0, 200_000),
        size=200_000,
        retry_time=1,
    )
    copies.read()
    stores[0].before = breaking_once("more")
    copies.read(1000)
    assert value("download_resumes_total", store="first") == 1
    del stores[0].objects_by_key["key"]
    copies.close()
    copies.read()
    assert value("download_failovers_total", store="first") == 1
    assert value("download_resumes_total", store="second") == 0
    copies.close()


def test_the_memory_in_use_is_what_was_taken() -> None:
    before = value("buffer_bytes", operation="download")
    budget = Budget(10, "download")
    assert budget.take(8)
    assert not budget.take(8)
    assert value("buffer_bytes", operation="download") == before + 8
    budget.give_back(8)
    assert value("buffer_bytes", operation="download") == before


@pytest.mark.parametrize(
    ("environ", "options", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, {}, 200),
        ({"REMOTE_ADDR": "::1"}, {}, 200),
        ({"REMOTE_ADDR": "192.0.2.7"}, {}, 404),
        ({"REMOTE_ADDR": ""}, {}, 404),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, {}, 404),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_VIA": "1.1 proxy"}, {}, 404),
        (
            {"REMOTE_ADDR": "192.0.2.7"},
            {"allowed_source_ranges": "127.0.0.1/32, 192.0.2.0/24"},
            200,
        ),
        (
            {"REMOTE_ADDR": "127.0.0.1", "HTTP_VIA": "1.1 proxy"},
            {"ignore_proxied_requests": "false"},
            200,
        ),
    ],
)
def test_who_sees_them(
    environ: dict[str, Any], options: dict[str, str], status: int
) -> None:
    request = webob.Request.blank("/metrics", environ=environ)
    answer = request.get_response(app_factory({}, **options))
    assert answer.status_code == status
    shown = re.findall(r"^# TYPE (s3gateway_\w+)", answer.text, re.MULTILINE)
    assert ("s3gateway_requests_total" in shown) is (status == 200)


@pytest.mark.parametrize("option", ["allowed_source_ranges", "ignore_proxied_requests"])
def test_an_option_that_makes_no_sense_stops_the_start(option: str) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        app_factory({}, **{option: "nonsense"})


_TWO_PROCESSES = """
import os
from s3gateway.monitoring import metrics
from s3gateway.monitoring.transfers import Transfer

child = os.fork()
transfer = Transfer("upload", "an-image", "fast", lambda: 21)
metrics.PARTS_IN_FLIGHT.labels("upload", "fast").set(3)
transfer.end()
if not child:
    os._exit(0)
os.waitpid(child, 0)
print(metrics.text().decode())
"""


def test_several_processes_are_summed_up_and_dead_ones_hold_nothing(
    tmp_path: pathlib.Path,
) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "made" / "here")}
    shown = subprocess.run(
        [sys.executable, "-c", _TWO_PROCESSES],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    labels = 'operation="upload",outcome="ok",store="fast"'
    assert f"s3gateway_transfer_bytes_total{{{labels}}} 42.0" in shown
    assert 's3gateway_parts_in_flight{operation="upload",store="fast"} 3.0' in shown


_WITHOUT_ITS_DIRECTORY = """
import logging
import os
import shutil
from s3gateway.monitoring import metrics
from s3gateway.monitoring import transfers
from s3gateway.monitoring.transfers import Transfer

logging.basicConfig(format="%(levelname)s %(message)s")
shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
for _ in range(2):
    with Transfer("upload", "an-image", "fast", lambda: 21) as transfer:
        transfers.retried("fast")
        with transfers.part_in_flight():
            pass
        transfer.end()
print("done")
"""


def test_a_directory_that_is_gone_fails_no_transfer(tmp_path: pathlib.Path) -> None:
    """It is said once, for all metrics and transfers of the process."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_ITS_DIRECTORY],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "gone")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "done\n"
    assert done.stderr.count("ERROR") == 1
    assert "The metrics of this process are no longer complete" in done.stderr
    assert "FileNotFoundError" in done.stderr


@pytest.mark.parametrize("method", ["inc", "dec", "set", "observe"])
def test_no_metric_raises(method: str) -> None:
    def find() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    metric = metrics.Metric(find)
    getattr(metric, method)(1)
    getattr(metric.labels("fast"), method)(1)
    with metric.track_inprogress():
        pass
