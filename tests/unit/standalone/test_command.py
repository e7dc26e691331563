# SPDX-License-Identifier: Apache-2.0
"""How gunicorn serves the stand-alone gateway, whatever files it reads."""

from __future__ import annotations

import logging
import pathlib
import sys

import pytest

from s3gateway.standalone.command import Served
from s3gateway.standalone.worker import Worker

SHIPPED = pathlib.Path(__file__).parents[3] / "etc" / "gunicorn" / "s3gateway.py"


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    """An operator's own configuration file of gunicorn."""
    return tmp_path / "gunicorn.conf.py"


def served(monkeypatch: pytest.MonkeyPatch, *words: str) -> Served:
    monkeypatch.setattr(sys, "argv", ["gunicorn", *words, "an:app"])
    return Served("%(prog)s", prog="s3gateway-api")


def test_the_shipped_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert served(monkeypatch, f"--config={SHIPPED}").cfg.worker_class is Worker
    assert caplog.records == []


def test_a_file_that_names_none(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    config: pathlib.Path,
) -> None:
    config.write_text("threads = 32\n")
    found = served(monkeypatch, f"--config={config}").cfg
    assert (found.worker_class, found.threads) == (Worker, 32)
    assert caplog.records == []


def test_a_file_of_ones_own_is_read_over_the_shipped_one(
    monkeypatch: pytest.MonkeyPatch, config: pathlib.Path
) -> None:
    """What guards the gateway stays unless the file sets it."""
    config.write_text("graceful_timeout = 30\n")
    found = served(monkeypatch, f"--config={config}", "--keep-alive=5").cfg
    assert (found.graceful_timeout, found.keepalive) == (30, 5)
    assert found.limit_request_field_size == 16380
    assert (found.secure_scheme_headers, found.forwarder_headers) == ({}, [])


@pytest.mark.parametrize("name", ["gthread", "gevent"])
@pytest.mark.parametrize("where", ["file", "argument"])
def test_another_class_is_taken_and_named(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    config: pathlib.Path,
    name: str,
    where: str,
) -> None:
    """A file from before the gateway had a class of its own has gthread."""
    config.write_text(f'worker_class = "{name}"\n' if where == "file" else "")
    more = [f"--worker-class={name}"] if where == "argument" else []
    found = served(monkeypatch, f"--config={config}", *more).cfg
    assert found.worker_class_str == name
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"gunicorn's worker_class is {name}, ")
