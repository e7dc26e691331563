# SPDX-License-Identifier: Apache-2.0
"""The line that is logged for each transfer, in both of oslo.log's forms."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_log import formatters
from oslo_log import log

from s3gateway.errors import StoreUnavailable
from s3gateway.http.wsgi import CONTEXT
from s3gateway.monitoring.transfers import Transfer

MIB = 1024**2

Logged = Callable[[logging.Formatter], str]


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf([])
    return conf


@pytest.fixture
def lines() -> Iterator[tuple[logging.Handler, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("s3gateway.monitoring.transfers")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler, stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def environ() -> dict[str, Any]:
    """Return a request behind Glance's context filter."""
    context = oslo_context.RequestContext(request_id="req-7", project_id="acme")
    return {CONTEXT: {"context": context}}


def upload(error: Exception | None = None) -> None:
    transfer = Transfer("upload", "an-image", "fast", lambda: 3 * MIB)
    try:
        with transfer.asked_by(environ()):
            transfer.retried()
            if error:
                raise error
            transfer.end()
    except StoreUnavailable:
        pass


def test_in_json(
    conf: cfg.ConfigOpts, lines: tuple[logging.Handler, io.StringIO]
) -> None:
    handler, stream = lines
    handler.setFormatter(formatters.JSONFormatter())
    upload()
    [line] = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record["context"]["request_id"] == "req-7"
    assert record["extra"]["seconds"] >= 0
    assert record["extra"]["mib_per_second"] > 0
    fixed = {"operation", "image", "store", "outcome", "bytes", "retries"}
    assert {name: record["extra"][name] for name in fixed} == {
        "operation": "upload",
        "image": "an-image",
        "store": "fast",
        "outcome": "ok",
        "bytes": 3 * MIB,
        "retries": 1,
    }


def test_in_a_line(
    conf: cfg.ConfigOpts, lines: tuple[logging.Handler, io.StringIO]
) -> None:
    handler, stream = lines
    handler.setFormatter(formatters.ContextFormatter(config=conf))
    upload(StoreUnavailable("Store fast answered 503 SlowDown"))
    [line] = stream.getvalue().splitlines()
    assert "WARNING s3gateway.monitoring.transfers" in line
    assert "req-7" in line
    assert "upload of image an-image, store fast: store, 3145728 bytes" in line
    assert "1 retries" in line


def test_a_request_that_no_context_filter_saw(
    lines: tuple[logging.Handler, io.StringIO],
) -> None:
    transfer = Transfer("download", "an-image", "fast", lambda: 0)
    transfer.asked_by({"openstack.request_id": "req-8"}).end()
    assert transfer.context is not None
    assert transfer.context.request_id == "req-8"
    assert "download of image an-image" in lines[1].getvalue()
