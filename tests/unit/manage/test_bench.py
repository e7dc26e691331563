# SPDX-License-Identifier: Apache-2.0
"""What ``bench`` does to an image service, and what it says of it."""

from __future__ import annotations

import itertools
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.errors import UsageError
from s3gateway.manage import bench
from s3gateway.manage import sample
from s3gateway.manage.sample import Pattern
from tests.unit.manage import clouds

MIB = 1024**2


class Cloud(clouds.Cloud):
    """One that ``bench`` is run on."""

    command = ("bench", bench.run)


@pytest.fixture
def cloud(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    with made.serving(monkeypatch):
        yield made


SMALL = ("--images", "5", "--size", "2", "--yes")


def takes_a_moment(request: str) -> int:
    """A request takes a millisecond or more, which is what the command shows."""
    time.sleep(0.001)
    return 0


@pytest.mark.parametrize("at_once", ["1", "3"])
def test_all_is_well(cloud: Cloud, at_once: str) -> None:
    cloud.service.before = takes_a_moment
    well, document = cloud.run(*SMALL, "--concurrency", at_once)
    assert well, document
    rows = {row["step"]: row for row in document["rows"]}
    assert list(rows) == list(bench.STEPS)
    for step, row in rows.items():
        assert (row["images"], row["failed"]) == (5, 0)
        assert 0 < row["p50_seconds"] <= row["p99_seconds"] <= row["seconds"]
        assert (row["mib_per_second"] is None) is (step in ("create", "delete"))
    assert document["counts"] == {"images": 5, "size_bytes": 2 * MIB, "failed": 0}
    assert document["summary"] == "5 images of 2.0 MiB, 0 requests failed"
    assert cloud.service.asked.count("upload") == 5


def test_nothing_is_done_without_a_yes(cloud: Cloud) -> None:
    with pytest.raises(UsageError, match=r"--yes: .* 5 images of 2.0 MiB, 10.0 MiB"):
        cloud.run(*SMALL[:-1])
    assert cloud.service.asked == []


@pytest.mark.parametrize("status", [403, 500, -1])
@pytest.mark.parametrize("failing", ["create", "upload", "download"])
def test_some_that_fail(cloud: Cloud, failing: str, status: int) -> None:
    """What fails is not gone on with, and all is deleted."""
    answers = [0, status, 0, status, 0]
    cloud.service.before = lambda request: (
        answers.pop(0) if request == failing and answers else 0
    )
    well, document = cloud.run(*SMALL)
    assert not well
    rows = {row["step"]: row for row in document["rows"]}
    assert (rows[failing]["images"], rows[failing]["failed"]) == (5, 2)
    behind = bench.STEPS[bench.STEPS.index(failing) + 1]
    assert rows[behind]["images"] == (5 if behind == "delete" else 3)
    assert document["counts"]["failed"] == 2


@pytest.mark.parametrize("wrong", [lambda d: d[:-1], lambda d: d[:-1] + b"x" * 2])
def test_data_that_is_not_what_was_sent(
    cloud: Cloud, wrong: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.service.data = wrong
    well, document = cloud.run(*SMALL)
    assert not well
    [row] = [row for row in document["rows"] if row["step"] == "download"]
    assert (row["failed"], row["mib_per_second"], row["p50_seconds"]) == (5, None, None)
    assert "the data is not what was sent" in capsys.readouterr().err


@pytest.mark.parametrize("at_once", ["1", "2"])
def test_it_is_stopped(
    cloud: Cloud, at_once: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made is deleted, and nothing new is begun."""

    def stop(request: str) -> int:
        if request == "upload" and next(uploads) == 3:
            stopped.append(request)
        return 0

    uploads = itertools.count(1)  # by several threads
    stopped: list[str] = []
    cloud.service.before = stop
    real = bench._unless

    def unless(status: int, expected: int) -> str:
        if stopped:
            stopped.clear()
            raise KeyboardInterrupt
        return real(status, expected)

    monkeypatch.setattr(bench, "_unless", unless)
    _, document = cloud.run(*SMALL, "--concurrency", at_once)
    assert document["interrupted"]
    rows = {row["step"]: row["images"] for row in document["rows"]}
    assert rows["create"] == rows["delete"] == 5
    assert rows["upload"] < 5
    assert rows["download"] == 0


def test_an_image_that_cannot_be_deleted_is_named(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.service.before = lambda request: 500 * (request == "delete")
    well, document = cloud.run("--images", "2", "--size", "1", "--yes")
    assert not well
    assert document["rows"][-1]["failed"] == 2
    shown = capsys.readouterr().err
    for left in list(cloud.service.images):
        assert f"Image {left} could not be deleted: delete it." in shown
        cloud.service.delete(left)


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5])
def test_the_pattern_is_the_same_in_chunks_of_any_size(size: int) -> None:
    counted: list[int] = []
    pattern = Pattern(sample.noise(), size, counted.append)
    data = b"".join(pattern)
    assert len(data) == len(pattern) == sum(counted) == size
    for length in (333_333, MIB, 2 * MIB + 7):
        chunks = [data[at : at + length] for at in range(0, size, length)]
        assert pattern.is_the_same(iter(chunks))
        assert not pattern.is_the_same(iter(chunks[:-1]))
        assert not pattern.is_the_same(iter([*chunks, b"x"]))
    wrong = data[:-1] + bytes([data[-1] ^ 1])
    assert not pattern.is_the_same(iter([wrong]))
    assert (
        not Pattern(sample.noise(), size, counted.append).is_the_same(iter([data]))
        or size == 1
    )
