# SPDX-License-Identifier: Apache-2.0
"""``metrics``: what the gateways of this host have counted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import prometheus_client
from prometheus_client import Metric

from s3gateway.errors import ConfigError
from s3gateway.manage.context import Context
from s3gateway.monitoring import metrics

_COLUMNS = ("name", "labels", "value")


def run(context: Context) -> bool:
    """Print the metrics once, or show them over HTTP until stopped."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        raise ConfigError(
            "environment",
            "PROMETHEUS_MULTIPROC_DIR",
            "not set; set it here and for Glance to the same directory",
        )
    listen = context.conf.command.listen
    if listen:
        _serve(context, listen)
    elif context.conf.json:
        context.output.result(_rows(), _COLUMNS, "")
    else:
        print(metrics.text().decode(), end="")
    return True


def _rows() -> list[dict[str, object]]:
    return [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in metrics.collected().collect()
        for sample in family.samples
    ]


def _serve(context: Context, listen: str) -> None:
    address, separator, port = listen.rpartition(":")
    if not separator or not port.isdecimal():
        raise ConfigError("command line", "--listen", f"{listen!r} is no ADDRESS:PORT")

    class Current(prometheus_client.CollectorRegistry):
        def collect(self) -> Iterator[Metric]:
            yield from metrics.collected().collect()

    prometheus_client.start_http_server(
        int(port), address.strip("[]"), registry=Current()
    )
    context.output.note(f"metrics at http://{listen}/metrics")
    threading.Event().wait()
