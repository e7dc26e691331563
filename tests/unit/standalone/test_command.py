# SPDX-License-Identifier: Apache-2.0
"""Which of gunicorn's worker classes serves the stand-alone gateway."""

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


@pytest.mark.parametrize("name", ["gthread", "sync"])
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
