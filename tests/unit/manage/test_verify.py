# SPDX-License-Identifier: Apache-2.0
"""One object that cannot be read says nothing of the others."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import pathlib
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from oslo_utils import timeutils

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import UsageError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.api import image_from
from s3gateway.http import wsgi
from s3gateway.manage import arguments
from s3gateway.manage import commands
from s3gateway.manage import verify
from s3gateway.manage.main import USAGE
from s3gateway.manage.main import main
from s3gateway.manage.output import Output
from s3gateway.manage.verify import Verdict
from s3gateway.manage.verify import Verifier
from s3gateway.s3.errors import of_answer
from tests.support import schema
from tests.support.s3.memory import MemoryStore


def store_wide(error: StoreError) -> StoreError:
    error.store_wide = True
    return error


class Bench:
    """A store, and images in it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        made = (self.image() for _ in range(5))
        self.images = sorted(made, key=lambda image: image.id)
        self.output = Output()
        self.stores = {"fast": self.store}
        self.asked = 0
        self.settings = SimpleNamespace(transfer=SimpleNamespace(retry_time=0.0))

    def image(self) -> Image:
        image_id = str(uuid.uuid4())
        key = f"{image_id}.{'0' * 16}"
        self.store.write(key, b"data")
        url = f"s3://s3.example:9000/fast/{key}"
        place = {"url": url, "metadata": {"store": "fast"}}
        checksum = hashlib.md5(b"data", usedforsecurity=False).hexdigest()
        shown = {"id": image_id, "status": "active", "size": 4, "locations": [place]}
        return image_from({**shown, "checksum": checksum})

    def break_(self, number: int, error: StoreError) -> None:
        broken = self.images[number].id

        def before(request: str, key: str) -> None:
            self.asked += 1
            if key.startswith(broken) or error.store_wide:
                raise error

        self.store.before = before

    def verdicts(self) -> list[Verdict]:
        context: Any = self
        verifier = Verifier(
            context, names=["fast"], deep=False, moved=lambda count: None
        )
        return [found for image in self.images for found in verifier.verdicts(image)]

    def states(self) -> list[str]:
        return [verdict.state for verdict in self.verdicts()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("number", [0, 2, 4])
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (StoreError("Store fast answered 403 InvalidObjectState"), "bad"),
        (StoreDenied("Store fast answered 403 AccessDenied"), "unknown"),
        (StoreUnavailable("Store fast answered 500 InternalError"), "unknown"),
        (of_answer("fast", 501, "NotImplemented"), "unknown"),
    ],
)
def test_one_object_that_cannot_be_read(
    bench: Bench, number: int, error: StoreError, state: str
) -> None:
    bench.break_(number, error)
    expected = ["ok"] * 5
    expected[number] = state
    assert bench.states() == expected


@pytest.mark.parametrize("kind", [StoreUnavailable, StoreDenied])
def test_a_store_that_cannot_be_read(bench: Bench, kind: type[StoreError]) -> None:
    bench.break_(0, store_wide(kind("Store fast did not answer: ConnectTimeoutError")))
    assert bench.states() == ["unknown"] * 5
    assert bench.asked == 1


class Listing:
    """A Glance that shows some images."""

    def __init__(self, *shown: Image) -> None:
        self.shown = {image.id: image for image in shown}

    def images(self) -> list[Image]:
        return list(self.shown.values())

    def show(self, image_id: str) -> Image:
        if image_id not in self.shown:
            raise Refused(wsgi.Answer("404 Not Found", [], []))
        return self.shown[image_id]


def run(bench: Bench, images: list[Image], *words: str) -> bool:
    context: Any = bench
    context.glance = Listing(*images)
    context.conf = commands.parse(["verify", *(words or ["--all"])])
    context.words = arguments.of_command(context.conf)
    context.need_locations = lambda: None
    return verify.run(context)


def shown(bench: Bench, images: list[Image], *words: str) -> dict[str, Any]:
    """Return the document of a run."""
    bench.output = Output("json")
    bench.output.command = "verify"
    run(bench, images, *words)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        bench.output.finish()
    return schema.valid(json.loads(printed.getvalue()))


def test_who_looked_at_nothing_did_not_find_all_in_order(bench: Bench) -> None:
    assert run(bench, bench.images)
    elsewhere = image_from({"id": "1", "status": "active", "size": 4})
    for images in ([], [elsewhere]):
        with pytest.raises(GatewayError, match="Nothing was looked at"):
            run(bench, images)


def test_each_fault_has_a_code(bench: Bench) -> None:
    ok, gone, short, other, denied = bench.images
    objects = bench.store.objects_by_key
    for image, data in ((gone, None), (short, b"dat"), (other, b"atad")):
        [key] = [key for key in objects if key.startswith(image.id)]
        del objects[key]
        if data:
            objects[key] = data
    bench.break_(4, StoreDenied("Store fast answered 403 AccessDenied"))
    document = shown(bench, bench.images, "--all", "--deep")
    codes = {row["image"]: (row["state"], row["code"]) for row in document["rows"]}
    assert codes == {
        ok.id: ("ok", "ok"),
        gone.id: ("bad", "missing"),
        short.id: ("bad", "size"),
        other.id: ("bad", "digest"),
        denied.id: ("unknown", "denied"),
    }
    assert document["counts"] == {
        "images": 5, "ok": 1, "bad": 3, "unknown": 1, "skipped": 0,
    }  # fmt: skip


def test_images_of_filters(bench: Bench) -> None:
    a, b, c, d, e = bench.images
    a = changed_at(a, updated_at="2020-01-01T00:00:00Z")
    b = changed_at(b, updated_at="2999-01-01T00:00:00Z")
    c = changed_at(c, owner="p1", visibility="public")
    d = changed_at(d, owner="p1", visibility="private")
    e = changed_at(e, owner="p2", visibility="public")
    images = [a, b, c, d, e]

    def chosen(*words: str) -> list[str]:
        return [row["image"] for row in shown(bench, images, *words)["rows"]]

    assert chosen("--project", "p1") == [c.id, d.id]
    assert chosen("--project", "p1", "--project", "p2") == [c.id, d.id, e.id]
    assert chosen("--project", "p1", "--visibility", "public") == [c.id]
    assert chosen("--image", a.id, "--image", e.id) == [a.id, e.id]
    assert chosen("--image", a.id, "--older-than", "1d") == [a.id]
    assert chosen("--image", b.id, "--image", c.id, "--limit", "1") == [b.id]
    assert chosen("--limit", "2") == [a.id, b.id]
    assert chosen("--store", "fast") == [image.id for image in images]


@pytest.mark.parametrize(
    "words", [("--since", "1d"), ("--older-than", "9d"), ("--after", "z")]
)
def test_a_night_in_which_nothing_is_new(bench: Bench, words: tuple[str, ...]) -> None:
    """Then a timer that runs it each night has nothing to tell."""
    document = shown(bench, [], *words)
    assert document["counts"]["images"] == 0
    assert "error" not in document


def test_images_that_were_changed_since(bench: Bench) -> None:
    old, new, *_ = bench.images
    old = changed_at(old, updated_at="2020-01-01T00:00:00Z")
    new = changed_at(new, updated_at="2020-01-03T00:00:00Z")
    for when in ("2020-01-02", "2020-01-02T12:00:00Z", "2020-01-03T00:00:00Z"):
        document = shown(bench, [old, new], "--since", when)
        assert [row["image"] for row in document["rows"]] == [new.id]
    just_now = timeutils.utcnow().isoformat()
    document = shown(
        bench, [old, changed_at(new, updated_at=just_now)], "--since", "7d"
    )
    assert [row["image"] for row in document["rows"]] == [new.id]


@pytest.mark.parametrize("words", [(), ("--concurrency", "2")])
def test_a_run_goes_on_where_the_last_one_ended(
    bench: Bench, words: tuple[str, ...]
) -> None:
    seen, more = [], ["--all", "--limit", "2", *words]
    while more:
        document = shown(bench, bench.images[::-1], *more)
        seen += sorted(row["image"] for row in document["rows"])
        last = document.get("resume_after")
        assert (f"go on with --after {last}" in document["summary"]) is bool(last)
        more = ["--after", last, "--limit", "2", *words] if last else []
    assert seen == [image.id for image in bench.images]


def test_who_is_interrupted_goes_on_behind_what_was_looked_at(bench: Bench) -> None:
    def before(request: str, key: str) -> None:
        if key.startswith(bench.images[2].id):
            raise KeyboardInterrupt

    bench.store.before = before
    document = shown(bench, bench.images, "--all")
    assert document["interrupted"]
    assert document["resume_after"] == bench.images[1].id
    document = shown(bench, bench.images, "--after", bench.images[1].id)
    assert document["resume_after"] == bench.images[1].id  # not one more was


@pytest.mark.parametrize(("share", "count"), [("1%", 1), ("40%", 2), ("100%", 5)])
def test_a_sample(bench: Bench, share: str, count: int) -> None:
    document = shown(bench, bench.images, "--sample", share)
    found = [row["image"] for row in document["rows"]]
    assert len(set(found)) == document["counts"]["images"] == count
    assert "resume_after" not in document
    assert set(found) <= {image.id for image in bench.images}


def test_another_sample_each_time(bench: Bench) -> None:
    seen: set[str] = set()
    while len(seen) < 5:
        [row] = shown(bench, bench.images, "--sample", "20%")["rows"]
        seen.add(row["image"])


@pytest.mark.parametrize(
    "words",
    [
        ("--sample", "5"),
        ("--sample", "0%"),
        ("--sample", "101%"),
        ("--since", "yesterday"),
    ],
)
def test_shares_and_times_that_are_none(bench: Bench, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        run(bench, bench.images, *words)


def test_a_dry_run_says_how_much_there_is_to_read(bench: Bench) -> None:
    words = ("--all", "--deep", "--dry-run")
    document = shown(bench, bench.images, *words)
    assert document["counts"] == {"images": 5, "size_bytes": 20}
    assert "20 bytes read; how long that takes is not known" in document["summary"]
    large = [dataclasses.replace(image, size=1024**3) for image in bench.images]
    document = shown(bench, large, *words, "--bandwidth", "100MiB")
    assert document["counts"]["estimated_seconds"] == 51
    assert "5.0 GiB read; at least 0:00:51" in document["summary"]
    document = shown(bench, large, "--all", "--dry-run", "--limit", "3")
    assert document["summary"] == "3 images would be looked at"
    assert bench.store.requests == []


def changed_at(image: Image, **properties: str) -> Image:
    now = {"updated_at": "2026-01-01T00:00:00Z"}
    properties = {**image.properties, **now, **properties}
    return dataclasses.replace(image, properties=properties)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--deep"], "choose images"),
        (["--all", "--image", "x"], "--all cannot be combined"),
        (["--store", "slow"], "--store: 'slow' is not an S3 store; those are fast"),
    ],
)
def test_words_that_make_no_sense(bench: Bench, words: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        run(bench, bench.images, *words)


def test_an_image_that_there_is_not(bench: Bench) -> None:
    with pytest.raises(GatewayError, match="Image x: Glance says 404"):
        run(bench, [], "--image", "x")


def test_who_has_no_store_looks_at_nothing(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "glance-api.conf"
    file.write_text("[DEFAULT]\nshow_multiple_locations = True\n")
    for words in (["verify", "--all"], ["gc"], ["locations", "audit"]):
        assert main(["--config-file", str(file), *words]) == USAGE
