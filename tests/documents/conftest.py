# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of a document in its order, and writes its story if all went well."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest

from tests.documents.story import Story

#: Where stories are written; by default they go with the other files of the run.
DIRECTORY = os.environ.get("S3GATEWAY_DOCUMENTS", "")

COLLECTED = pytest.StashKey[dict[str, set[str]]]()
PASSED = pytest.StashKey[set[str]]()
BROKEN = pytest.StashKey[dict[str, str]]()
WRITTEN = pytest.StashKey[list[str]]()
REASONS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COLLECTED] = {}
    config.stash[PASSED] = set()
    config.stash[BROKEN] = {}
    config.stash[WRITTEN] = []
    config.stash[REASONS] = []


def pytest_itemcollected(item: pytest.Item) -> None:
    """Remember all steps of a document, those too that are left out of this run."""
    item.config.stash[COLLECTED].setdefault(_module(item), set()).add(item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the steps of a document into its order again."""
    here = pathlib.Path(__file__).parent
    places = [n for n, item in enumerate(items) if here in item.path.parents]
    steps = sorted((items[n] for n in places), key=_place)
    for n, item in zip(places, steps, strict=True):
        items[n] = item


def _place(item: pytest.Item) -> tuple[str, int]:
    return _module(item), item.reportinfo()[1] or 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A step is nothing without those before it."""
    broken = item.config.stash[BROKEN].get(_module(item))
    if broken and "story" in getattr(item, "fixturenames", ()):
        pytest.skip(f"{broken} went wrong before it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" and report.passed:
        item.config.stash[PASSED].add(item.nodeid)
    elif not report.passed and report.when != "teardown":
        item.config.stash[BROKEN].setdefault(_module(item), item.name)
    return report  # type: ignore[return-value]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out, and which stories were written."""
    for reason in config.stash[REASONS]:
        terminalreporter.line(f"left out: {reason}")
    for path in config.stash[WRITTEN]:
        terminalreporter.line(f"written: {path}")


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(scope="module")
def story(request: pytest.FixtureRequest, workspace: pathlib.Path) -> Iterator[Story]:
    """The story of the module's document."""
    told = Story(request.module.DOCUMENT)
    yield told
    stash = request.config.stash
    stash[REASONS] += told.reasons
    [steps] = [
        steps
        for module, steps in stash[COLLECTED].items()
        if module.endswith(pathlib.Path(request.module.__file__).name)
    ]
    if steps <= stash[PASSED]:
        where = pathlib.Path(DIRECTORY) if DIRECTORY else workspace / "documents"
        stash[WRITTEN].append(str(told.write(where)))
