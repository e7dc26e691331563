# SPDX-License-Identifier: Apache-2.0
"""``metrics``: what the gateways of this host have counted."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import Metric

from s3gateway.errors import ConfigError
from s3gateway.errors import UsageError
from s3gateway.manage import arguments
from s3gateway.manage.context import Context
from s3gateway.monitoring import metrics

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Print the metrics that the gateways of this host have counted, in Prometheus' text
format, or serve them over HTTP at an address of their own. Set PROMETHEUS_MULTIPROC_DIR
to the same directory as for Glance.

  s3gateway-manage metrics
  s3gateway-manage metrics --listen 127.0.0.1:9309
"""

_COLUMNS = ("name", "labels", "value")


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Print Prometheus metrics"
    parser = arguments.add(commands, "metrics", run, summary=summary, text=_TEXT)
    parser.add_argument(
        "--listen", metavar="ADDRESS:PORT", default="", help="serve them over HTTP"
    )


def run(context: Context) -> bool:
    """Print the metrics once, or show them over HTTP until stopped."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        raise ConfigError(
            "environment",
            "PROMETHEUS_MULTIPROC_DIR",
            "not set; set it here and for Glance to the same directory",
        )
    listen = context.words.listen
    if listen:
        _serve(context, listen)
    elif context.output.for_people:
        print(metrics.text().decode(), end="")
    else:
        rows = _rows()
        summary = f"{len(rows)} samples"
        context.output.result(rows, _COLUMNS, summary, {"samples": len(rows)})
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
        raise UsageError(f"--listen: {listen!r} is not ADDRESS:PORT")

    class Current(prometheus_client.CollectorRegistry):
        def collect(self) -> Iterator[Metric]:
            yield from metrics.collected().collect()

    prometheus_client.start_http_server(
        int(port), address.strip("[]"), registry=Current()
    )
    context.output.note(f"metrics at http://{listen}/metrics")
    with contextlib.suppress(KeyboardInterrupt):  # that is how it is ended
        threading.Event().wait()
