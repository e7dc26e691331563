# SPDX-License-Identifier: Apache-2.0
"""An upload that Glance's own code takes, and that something goes wrong in.

As in ``test_through_api``: at each of its steps, before it is done and after, each
kind of exception is raised.
"""

from __future__ import annotations

import datetime
import io
import pathlib
import time
import types
from collections.abc import Callable

import pytest
import webob

from s3gateway.errors import StoreUnavailable
from s3gateway.gateway import Gateway
from s3gateway.glance.marks import MARK
from s3gateway.streams import retries
from s3gateway.upload import claims
from s3gateway.upload import requests
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import Claim
from tests.support.faults.steps import EXCEPTIONS
from tests.support.faults.steps import SIZES
from tests.support.faults.steps import Attempted
from tests.support.servers.inprocess import CALLER
from tests.support.servers.inprocess import GRACE
from tests.support.servers.inprocess import PART
from tests.support.servers.inprocess import InProcess
from tests.support.servers.inside import InsideMemory


class Upload(Attempted):
    """An upload, and what is true of it afterwards."""

    def _gateway(self) -> Gateway:
        inside = InsideMemory(self.world.glance)
        inside.before = lambda step: self.steps.passed("inside", step)
        inside.after = lambda step: self.steps.passed("inside", step, done=True)
        return self.world.gateway(inside=inside)

    def check(self) -> None:
        """The image is whole or waits again; nothing is left that it has not."""
        if self.status == "active":
            assert self.world.data_of(self.image_id) == [self.data]
        else:
            assert self.status == "queued"
            assert not self.world.glance.rows[self.image_id]
            assert self.outcome != 204
        assert self.world.left(self.image_id) <= self.world.claimed()


Run = Callable[..., Upload]


def test_a_small_body_is_one_request(run: Run) -> None:
    upload = run("small")
    assert upload.outcome == 204
    asked = [step for step in upload.steps.seen if step.of == "fast" and not step.done]
    assert [step.what for step in asked] == ["ping object", "put object"]
    upload.check()
    another = upload.world.glance.create()
    upload.steps.seen.clear()
    assert upload.world.put(upload.gateway, another, b"data") == 204
    asked = [step for step in upload.steps.seen if step.of == "fast" and not step.done]
    assert [step.what for step in asked] == ["put object"]


def test_a_large_body_has_a_claim_until_it_is_over(run: Run) -> None:
    upload = run("large")
    assert upload.outcome == 204
    asked = [
        step.what for step in upload.steps.seen if step.of == "fast" and not step.done
    ]
    assert asked.index("begin object") < asked.index("put claim")
    assert asked[-1] == "delete claim"
    upload.check()
    assert not upload.world.claimed()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("error", EXCEPTIONS)
def test_anything_at_any_step(run: Run, size: str, error: str) -> None:
    steps = run(size).steps.seen
    for step in steps:
        upload = run(size, step, EXCEPTIONS[error])
        print(f"{step}: {upload.outcome!r}")
        upload.check()
        if upload.status == "queued":
            assert upload.world.put(upload.gateway, upload.image_id, b"next") in (
                204,
                409,  # where its claim could not be taken back
            )
            if upload.world.claimed():
                upload.world.age(GRACE)
            else:
                assert upload.status == "active"


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    return InProcess(tmp_path, monkeypatch)


class TestSaving:
    """An image that somebody was saving data of, and is not any more."""

    def stuck(self, world: InProcess, since: float | None = 2 * GRACE) -> str:
        """Have an image that an upload of ours, or another, has left ``saving``."""
        image_id = world.glance.create()
        world.glance.images[image_id]["status"] = "saving"
        if since is not None:
            began = time.time() - since
            changed = datetime.datetime.fromtimestamp(began, datetime.timezone.utc)
            world.glance.images[image_id].update(
                {
                    MARK: f"mark {began:.0f}",
                    "updated_at": changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            )
        return image_id

    def put(self, world: InProcess, image_id: str) -> int:
        gateway = world.gateway(inside=InsideMemory(world.glance))
        return world.put(gateway, image_id, b"data")

    def test_nobody_does_for_long(self, world: InProcess) -> None:
        image_id = self.stuck(world)
        assert self.put(world, image_id) == 204
        assert world.data_of(image_id) == [b"data"]

    def test_somebody_may_still(self, world: InProcess) -> None:
        image_id = self.stuck(world, since=GRACE / 2)
        self.put(world, image_id)
        assert world.glance.images[image_id]["status"] == "saving"

    def test_the_mark_is_an_old_one(self, world: InProcess) -> None:
        """It was kept, and somebody else has begun an upload since."""
        image_id = self.stuck(world)
        world.glance.images[image_id]["updated_at"] = "2026-01-01T00:00:00Z"
        self.put(world, image_id)
        assert world.glance.images[image_id]["status"] == "saving"

    def test_somebody_else_does(self, world: InProcess) -> None:
        """Through a host without the gateway, or to a store that is not S3."""
        image_id = self.stuck(world, since=None)
        self.put(world, image_id)
        assert world.glance.images[image_id]["status"] == "saving"

    @pytest.mark.parametrize("store", ["fast", "cheap"])
    def test_what_the_dead_has_left_is_collected(
        self, world: InProcess, store: str
    ) -> None:
        image_id = self.stuck(world)
        attempt = Attempt(store, f"{image_id}.0123456789abcdef")
        Claim(world.stores[store], image_id, attempt, GRACE).create()
        world.stores[store].objects_by_key[attempt.key] = b"of the dead"
        world.age(GRACE)
        assert self.put(world, image_id) == 204
        assert not world.left(image_id)
        assert not world.claimed()

    def test_an_upload_that_was_taken_over_leaves_it_alone(
        self, world: InProcess
    ) -> None:
        """What it does when it fails is not its business any more."""
        image_id = world.glance.create()
        inside = InsideMemory(world.glance)

        def before(step: str) -> None:
            if step == "active":
                world.glance.images[image_id][MARK] = "another 0"
                raise RuntimeError("too late")

        inside.before = before
        assert world.put(world.gateway(inside=inside), image_id, b"data") == 500
        assert world.glance.images[image_id]["status"] == "saving"
        assert not world.left(image_id)

    @pytest.mark.parametrize("store", ["fast", "cheap"])
    def test_somebody_has_a_claim(self, world: InProcess, store: str) -> None:
        image_id = self.stuck(world)
        attempt = Attempt(store, f"{image_id}.0123456789abcdef")
        Claim(world.stores[store], image_id, attempt, GRACE).create()
        self.put(world, image_id)
        assert world.glance.images[image_id]["status"] == "saving"
        world.age(GRACE)
        assert self.put(world, image_id) == 204

    def test_a_store_does_not_say(self, world: InProcess) -> None:
        image_id = self.stuck(world)

        def before(request: str, key: str) -> None:
            if key.startswith(claims.PREFIX):
                raise StoreUnavailable("Store cheap answered 503 SlowDown")

        world.stores["cheap"].before = before
        self.put(world, image_id)
        assert world.glance.images[image_id]["status"] == "saving"

    @pytest.mark.parametrize(
        "more", [{"os_glance_import_task": "a task"}, {"owner": "somebody else"}]
    )
    def test_it_is_not_the_callers_to_take(
        self, world: InProcess, more: dict[str, str]
    ) -> None:
        image_id = self.stuck(world)
        world.glance.images[image_id].update(more)
        self.put(world, image_id)
        assert world.glance.images[image_id]["status"] == "saving"


def test_a_body_that_comes_slowly_shows_that_it_comes(world: InProcess) -> None:
    """Not only when a slab is full."""
    environ = {
        "CONTENT_LENGTH": "4",
        "wsgi.input": io.BytesIO(b"data"),
        "CONTENT_TYPE": "application/octet-stream",
    }
    moved: list[int] = []
    settings = world.settings
    body = requests.body_of(environ, settings, lambda: moved.append(body.received))
    read = environ["wsgi.input"].read  # type: ignore[attr-defined]
    environ["wsgi.input"] = types.SimpleNamespace(read=lambda wanted: read(1))
    body.read_into(memoryview(bytearray(4)))
    assert moved == [1, 2, 3, 4]


@pytest.mark.parametrize("method", ["PUT", "STAGE"])
@pytest.mark.parametrize("by_api", [True, False])
def test_an_image_that_waits_and_has_data(
    world: InProcess, method: str, *, by_api: bool
) -> None:
    """What would come would be added, and what is there be served."""
    image_id = world.glance.create()
    url = f"s3://s3.example:9000/fast/{image_id}.0123456789abcdef"
    world.glance.rows[image_id].append({"url": url, "metadata": {"store": "fast"}})
    gateway = world.gateway(inside=None if by_api else InsideMemory(world.glance))
    if method == "PUT":
        for store in ("", "local"):
            assert world.put(gateway, image_id, b"data", store) == 409
    else:
        path = f"/v2/images/{image_id}/stage"
        environ = {**webob.Request.blank(path, method="PUT").environ, **CALLER}
        status, _, body = webob.Request(environ).call_application(gateway)
        b"".join(body)
        assert status.startswith("409")
    assert not world.glance.received


@pytest.mark.parametrize("store_wide", [True, False])
def test_a_store_that_gives_no_sign_of_life(
    world: InProcess, *, store_wide: bool
) -> None:
    """It is a 503 before the body is read; a right that is missing is not one."""
    image_id = world.glance.create()
    waits = []

    def before(request: str, key: str) -> None:
        if request == "ping":
            waits.append(retries.time_to_answer(60.0))
            error = StoreUnavailable("Store fast does not answer")
            error.store_wide = store_wide
            raise error

    world.stores["fast"].before = before
    gateway = world.gateway(inside=InsideMemory(world.glance))
    assert world.put(gateway, image_id, b"data") == (503 if store_wide else 204)
    assert (world.glance.images[image_id]["status"] == "queued") is store_wide
    assert waits == [30.0]  # a proxy in front waits for 50


def test_an_image_that_is_deleted_meanwhile(world: InProcess) -> None:
    inside = InsideMemory(world.glance)
    image_id = world.glance.create()

    def after(step: str) -> None:
        if step == "saving":
            del world.glance.images[image_id]

    inside.after = after
    assert world.put(world.gateway(inside=inside), image_id, b"data") == 410
    assert not world.left(image_id)


def test_a_loser_drops_what_it_has_stored(world: InProcess) -> None:
    inside = InsideMemory(world.glance)
    image_id = world.glance.create()

    def before(step: str) -> None:
        if step == "active":
            raise RuntimeError("somebody else was faster")

    inside.before = before
    assert world.put(world.gateway(inside=inside), image_id, b"x" * 2 * PART) == 500
    assert not world.left(image_id)
    assert not world.claimed()
