# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus that reads the metrics of gateways every second."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
import time
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import requests
import yaml

from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

#: The job of ``docs/source/operations/metrics.rst``.
JOB = "s3gateway"


@dataclasses.dataclass(frozen=True)
class Series:
    """The values of a metric with certain labels, each with its time."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def now(self, expr: str) -> list[Series]:
        """Return what a query finds now."""
        found = self._ask("query", query=expr)["result"]
        return [_series(each, [each["value"]]) for each in found]

    def over(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """Return what a query finds in a time."""
        found = self._ask(
            "query_range",
            query=expr,
            start=f"{start:.3f}",
            end=f"{end:.3f}",
            step=f"{step:.3f}",
        )["result"]
        return [_series(each, each["values"]) for each in found]

    def wait_for_a_look(self, patience: float = 60) -> None:
        """Wait until all that is there now was read."""
        since, deadline = time.time(), time.monotonic() + patience
        while any(series.points[0][1] < since for series in self.now("timestamp(up)")):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules with their state."""
        groups = self._ask("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _ask(self, path: str, **words: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=words, timeout=60)
        assert answer.status_code == 200, f"{words}: {answer.text}"
        found: dict[str, Any] = answer.json()["data"]
        return found


def _series(found: dict[str, Any], points: list[Any]) -> Series:
    return Series(found["metric"], [(float(t), float(v)) for t, v in points])


def is_here() -> bool:
    """Return whether this machine has a Prometheus."""
    return shutil.which("prometheus") is not None


@contextlib.contextmanager
def serving(
    directory: pathlib.Path,
    targets: Sequence[str],
    *,
    rules: Sequence[pathlib.Path] = (),
    every: str = "1s",
) -> Iterator[Prometheus]:
    """Run a Prometheus.

    :param targets: ``HOST:PORT`` of what shows metrics at ``/metrics``
    :param rules: files with alert rules
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": JOB, "static_configs": [{"targets": list(targets)}]}
        ],
    }
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    with Server(
        "prometheus",
        [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log=directory / "prometheus.log",
        cwd=directory,
    ) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/-/ready")
        yield Prometheus(f"http://127.0.0.1:{port}")
