# SPDX-License-Identifier: Apache-2.0
"""What ``migrate`` and ``copy`` do, how fast, and what they say of it."""

from __future__ import annotations

import io
import itertools
import os
import signal
import threading
from typing import Any

import pytest

from s3gateway.manage.work import Work
from tests.unit.manage.moving import Moving

MIB = 1024**2
MIGRATE = ("migrate", "--from", "local", "--to", "fast")


def test_a_skipped_image_is_no_failure(moving: Moving) -> None:
    moved = moving.glance.image()
    asleep = moving.glance.image(status="deactivated")
    code, document = moving(*MIGRATE)
    assert code == 0
    assert moving.states(document) == {
        moved: ("done", "copied"),
        asleep: ("skipped", "not_active"),
    }
    [why] = [row["detail"] for row in document["rows"] if row["image"] == asleep]
    assert "only active images" in why
    assert moving.glance.stores(moved) == ["fast"]
    assert moving.glance.stores(asleep) == ["local"]
    assert document["counts"] == {
        "done": 1, "planned": 0, "skipped": 1, "failed": 0, "left": 0, "size_bytes": 8,
    }  # fmt: skip


def test_a_damaged_image_is_one(moving: Moving) -> None:
    damaged, moved = moving.glance.image(), moving.glance.image()
    moving.glance.data[damaged] = b"an egami"
    code, document = moving(*MIGRATE)
    assert code == 1
    assert moving.states(document) == {
        damaged: ("failed", "digest"),
        moved: ("done", "copied"),
    }
    assert "source data does not match the image's digest" in str(document["rows"])
    assert moving.glance.stores(damaged) == ["local"]
    assert moving.kept() == 1


def test_who_asks_for_one_image_wants_that_one(moving: Moving) -> None:
    asleep = moving.glance.image(status="deactivated")
    code, document = moving("copy", asleep, "--to", "fast")
    assert (code, document["command"]) == (1, "copy")
    moved = moving.glance.image()
    code, document = moving("copy", moved, "--to", "fast")
    assert (code, moving.states(document)) == (0, {moved: ("done", "copied")})
    code, document = moving("copy", moved, "--to", "fast")
    assert (code, moving.states(document)) == (0, {moved: ("done", "present")})


def test_several_images_are_copied(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, read, again = (moving.glance.image() for _ in range(3))
    lines = f"\n{read}  cirros\n{again}\n{named}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, document = moving("copy", named, "-", again, "--to", "fast")
    assert (code, document["counts"]["done"]) == (0, 3)
    assert [row["image"] for row in document["rows"]] == [named, read, again]
    assert moving.kept() == 3
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    code, document = moving("copy", "-", "--to", "fast")
    assert code == 2
    assert "standard input is empty" in document["error"]


def test_an_image_that_there_is_not_keeps_no_other_from_being_copied(
    moving: Moving,
) -> None:
    image, other = moving.glance.image(), moving.glance.image()
    for words in ((), ("--dry-run",)):
        code, document = moving("copy", image, "x", other, "--to", "fast", *words)
        assert code == 1
        states = moving.states(document)
        assert states["x"] == ("failed", "gone")
        expected = ("planned", "planned") if words else ("done", "copied")
        assert (states[image], states[other]) == (expected, expected)


def test_filters_and_a_limit(moving: Moving) -> None:
    theirs = moving.glance.image(owner="theirs")
    public = moving.glance.image(visibility="public")
    young = moving.glance.image(updated_at="2999-01-01T00:00:00Z")
    moving.glance.image(status="deactivated")

    def planned(*words: str) -> set[str]:
        code, document = moving(*MIGRATE, "--dry-run", *words)
        assert code == 0
        states = moving.states(document).items()
        return {image for image, (state, _) in states if state == "planned"}

    assert planned() == {theirs, public, young}
    assert planned("--project", "theirs") == {theirs}
    assert planned("--visibility", "public") == {public}
    assert planned("--image", young, "--image", public) == {young, public}
    assert planned("--older-than", "7d") == {theirs, public}
    assert planned("--since", "2100-01-01") == {young}
    assert moving.kept() == 0

    code, document = moving(*MIGRATE, "--limit", "2")
    assert (code, document["counts"]["done"], document["counts"]["left"]) == (0, 2, 1)
    code, document = moving(*MIGRATE, "--limit", "2")
    assert (code, document["counts"]["done"], document["counts"]["left"]) == (0, 1, 0)


def test_a_dry_run_estimates_how_long_it_takes(moving: Moving) -> None:
    moving.glance.image(b"x" * 3 * MIB)
    moving.glance.image(b"x" * 2 * MIB)
    _, document = moving(*MIGRATE, "--dry-run", "--bandwidth", "2MiB")
    assert document["counts"]["size_bytes"] == 5 * MIB
    assert document["counts"]["estimated_seconds"] == 5  # it is read back as well
    assert "at least 0:00:05" in document["summary"]
    _, document = moving(*MIGRATE, "--dry-run")
    assert "estimated_seconds" not in document["counts"]
    assert "not known without --bandwidth" in document["summary"]


def test_several_at_once(moving: Moving) -> None:
    together = threading.Barrier(3)

    def before_data(image_id: str) -> None:
        together.wait(120)

    moving.glance.before_data = before_data
    images = {moving.glance.image() for _ in range(6)}
    code, document = moving(*MIGRATE, "--concurrency", "3")
    assert code == 0
    assert moving.states(document) == dict.fromkeys(images, ("done", "copied"))


def test_each_finished_image_is_a_line_in_a_log(moving: Moving) -> None:
    image = moving.glance.image(b"x" * MIB)
    moving(*MIGRATE)
    [line] = [line for line in moving.said.splitlines() if image in line]
    assert line.endswith(f"Z {image} done (1.0 MiB): copied")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [(), ("--concurrency", "2")])
def test_who_is_interrupted_says_what_was_done(
    moving: Moving,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    words: tuple[str, ...],
) -> None:
    images = [moving.glance.image(b"x" * MIB) for _ in range(5)]
    asked = itertools.count(1)  # by several threads
    works: list[Work] = []
    of = Work.of

    def kept(*of_command: Any) -> Work:
        works.append(of(*of_command))
        return works[-1]

    def before_data(image_id: str) -> None:
        if (count := next(asked)) == 3:
            os.kill(os.getpid(), number)
        if count >= 3 and threading.current_thread() is not threading.main_thread():
            assert works[-1]._stopped.wait(120)  # they might do all before it acts

    monkeypatch.setattr(Work, "of", kept)

    moving.glance.before_data = before_data
    code, document = moving(*MIGRATE, *words)
    assert code == 130
    assert document["interrupted"] is True
    done = moving.states(document)
    assert 0 < document["counts"]["done"] == len(done) < 5
    assert document["counts"]["left"] == 5 - len(done)
    for image in images:
        assert moving.glance.stores(image) == (["fast"] if image in done else ["local"])
    assert moving.kept() == len(done)  # what was half done is gone, and its claim
    moving.glance.before_data = lambda image_id: None
    code, document = moving(*MIGRATE)
    assert (code, document["counts"]["done"]) == (0, 5 - len(done))
    assert "interrupted" not in document


def test_who_is_interrupted_while_images_are_listed(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def images(self: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("s3gateway.manage.operator.Operator.images", images)
    code, document = moving(*MIGRATE)
    assert (code, document["interrupted"], document["rows"]) == (130, True, [])


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("migrate", "--from", "fast", "--to", "fast"), "--from: 'fast' is not in"),
        (("migrate", "--from", "tape", "--to", "fast"), "--from: 'tape' is not in"),
        (("copy", "x", "--to", "local"), "--to: 'local' is not an S3 store"),
    ],
)
def test_words_that_make_no_sense(
    moving: Moving, words: tuple[str, ...], problem: str
) -> None:
    code, document = moving(*words)
    assert code == 2
    assert document["error"].startswith(problem)


@pytest.mark.parametrize("rate", ["512KiB", "fast", "-1MiB", "100MB", "1"])
def test_a_bandwidth_that_is_none(moving: Moving, rate: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        moving(*MIGRATE, "--bandwidth", rate)
    assert stopped.value.code == 2
