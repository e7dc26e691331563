# SPDX-License-Identifier: Apache-2.0
"""Which images ``locations scrub`` lists and has rewritten."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import json
import pathlib
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import image_from
from s3gateway.glance.releases import Traits
from s3gateway.manage import locations
from s3gateway.manage import scrubbing
from s3gateway.manage.location_rows import LocationRow
from s3gateway.manage.output import Output
from s3gateway.manage.work import Pace
from tests.support import schema
from tests.unit.manage.bench import Bench


class Glance:
    """Images, some with a key in a location, which Glance 33 takes out when asked.

    :ivar shown: the images that were shown one by one
    :ivar stubborn: those whose key stays
    """

    def __init__(self, release: int = 33) -> None:
        self.traits = Traits(credentials_in_uris=release < 33)
        self.shown: list[str] = []
        self.stubborn: set[str] = set()
        self.leaking = [str(uuid.uuid4()) for _ in range(3)]
        self._clean = str(uuid.uuid4())

    def images(self) -> Iterator[Image]:
        for image_id in (self._clean, *self.leaking):
            user = "KEYID:a-secret-key-of-20@" if image_id in self.leaking else ""
            url = f"s3://{user}s3.example:9000/fast/{image_id}"
            place = {"url": url, "metadata": {"store": "fast"}}
            shown = {"id": image_id, "status": "active", "locations": [place]}
            yield image_from(shown)

    def show(self, image_id: str) -> None:
        self.shown.append(image_id)
        if image_id not in self.stubborn:
            self.leaking.remove(image_id)


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def output() -> Output:
    output = Output("json")
    output.command = "locations scrub"
    return output


@pytest.fixture
def listed(output: Output, capsys: pytest.CaptureFixture[str]) -> Callable[[], Any]:
    """Return the images of the result."""

    def images() -> list[str]:
        output.finish()
        document = schema.valid(json.loads(capsys.readouterr().out))
        return [row["image"] for row in document["rows"]]

    return images


@pytest.mark.parametrize("release", [32, 33])
def test_a_list_changes_nothing(
    output: Output, listed: Callable[[], Any], release: int
) -> None:
    glance: Any = Glance(release)
    assert not scrubbing.show(glance, output)
    assert listed() == glance.leaking
    assert glance.shown == []


def test_all_are_rewritten(output: Output, listed: Callable[[], Any]) -> None:
    glance: Any = Glance()
    assert scrubbing.scrub(glance, output)
    assert listed() == []
    assert len(glance.shown) == 3
    assert scrubbing.show(glance, output)


def test_what_is_beyond_the_limit_is_no_problem(
    output: Output, listed: Callable[[], Any]
) -> None:
    glance: Any = Glance()
    first, *others = glance.leaking
    assert scrubbing.scrub(glance, output, limit=1)
    assert glance.shown == [first]
    assert listed() == others


def test_what_keeps_its_key_is_one(output: Output) -> None:
    glance: Any = Glance()
    glance.stubborn = {glance.leaking[0]}
    assert not scrubbing.scrub(glance, output, limit=1)


def test_an_older_glance_needs_the_keys(output: Output) -> None:
    glance: Any = Glance(32)
    with pytest.raises(GatewayError, match="Upgrade first"):
        scrubbing.scrub(glance, output)
    assert glance.shown == []


@dataclasses.dataclass
class Rows:
    """Rows of locations in a database."""

    rows: list[LocationRow]

    def all(self) -> Iterator[LocationRow]:
        yield from self.rows


def row(image: str, store: str, key_id: str, *, needed: bool = True) -> LocationRow:
    user = f"{key_id}:a-secret-key-of-20@" if key_id else ""
    url = f"s3://{user}s3.example:9000/{store}/{image}"
    return LocationRow(0, image, url, {"store": store}, needed, url)


def audited(bench: Bench, *words: str) -> tuple[int, dict[str, Any]]:
    context = bench.context("locations", "audit", *words)
    context.glance.rows = Rows([  # type: ignore[assignment]
        row("one", "fast", "OLDKEY"),
        row("one", "fast", "OLDKEY"),
        row("two", "fast", ""),
        row("three", "cheap", "OLDKEY"),
        row("four", "fast", "NEWKEY", needed=False),
    ])  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        well = context.words.run(context)
        context.output.finish()
    return well, schema.valid(json.loads(printed.getvalue()))


def test_the_images_of_locations_with_a_key(bench: Bench) -> None:
    well, document = audited(bench, "--images")
    assert not well
    fields = ("image", "store", "key_id", "locations", "state")
    assert [tuple(each[name] for name in fields) for each in document["rows"]] == [
        ("three", "cheap", "OLDKEY", 1, "in_use"),
        ("two", "fast", None, 1, "in_use"),
        ("four", "fast", "NEWKEY", 1, "deleted"),
        ("one", "fast", "OLDKEY", 2, "in_use"),
    ]
    well, document = audited(bench, "--images", "--store", "cheap")
    assert [each["image"] for each in document["rows"]] == ["three"]
    assert document["counts"] == {
        "locations": 1, "with_key": 1, "deleted_with_key": 0,
    }  # fmt: skip
    _, document = audited(bench, "--store", "fast")
    assert "image" not in document["rows"][0]
    assert document["summary"].startswith("2 of 3 S3 locations hold credentials")


def test_a_table_of_images_has_those_with_a_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds = [
        locations.Kind("fast", "OLDKEY", locations.IN_USE, "one"),
        locations.Kind("fast", "", locations.IN_USE, "two"),
        locations.Kind("fast", "FACEKEY", locations.SEALED, "three"),
    ]
    locations.report(Output(), collections.Counter(kinds), by_image=True)
    shown = capsys.readouterr().out
    assert "one    fast   OLDKEY  1" in shown
    assert "two" not in shown
    assert "three" not in shown


def test_so_many_images_a_second(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("s3gateway.manage.work.time.monotonic", lambda: 100.0)
    monkeypatch.setattr("s3gateway.manage.work.time.sleep", slept.append)
    glance: Any = Glance()
    assert scrubbing.scrub(glance, output, pace=Pace(1))
    assert slept == [0, 1, 2]
