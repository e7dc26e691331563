# SPDX-License-Identifier: Apache-2.0
"""An upload that something goes wrong in, at every step that it takes.

The steps are the requests to the stores and to Glance, the notifications and the
threads.  A first upload shows which there are; then at each of them, before it is
done and after, each kind of exception is raised.
"""

from __future__ import annotations

import errno
import io
import pathlib
from collections.abc import Callable
from collections.abc import Iterator

import pytest
import webob

from s3gateway.errors import StoreUnavailable
from s3gateway.monitoring import metrics
from s3gateway.upload import claims
from s3gateway.upload.claims import Attempt
from s3gateway.upload.holding import Claim
from tests.support.faults.steps import EXCEPTIONS
from tests.support.faults.steps import SIZES
from tests.support.faults.steps import Attempted
from tests.support.faults.steps import Step
from tests.support.s3.memory import MemoryStore
from tests.support.servers.inprocess import CALLER
from tests.support.servers.inprocess import GRACE
from tests.support.servers.inprocess import InProcess


class Upload(Attempted):
    """An upload, and what is true of it afterwards."""

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def check(self) -> None:
        """What the image refers to is there, whole; what else is left a claim names."""
        if self.is_active:
            assert self.world.data_of(self.image_id) == [self.data]
        assert self.world.left(self.image_id) <= self.world.claimed()
        if self.outcome == 204:
            assert self.is_active

    def check_spotless(self) -> None:
        """Nothing is left but what the image refers to."""
        self.check()
        assert not self.world.left(self.image_id)
        assert not self.world.claimed()

    def check_next(self) -> None:
        """Once the claim is dead, the next upload succeeds and clears up."""
        self.world.age(GRACE)
        assert self.world.put(self.gateway, self.image_id, self.data) == 204
        self.outcome = 204
        self.check_spotless()


Run = Callable[..., Upload]


def phases(run: Run, size: str) -> dict[str, list[Step]]:
    """Return the steps of an upload that nothing goes wrong in."""
    upload = run(size)
    assert upload.outcome == 204
    upload.check_spotless()
    steps = upload.steps.seen
    registers = steps.index(Step("glance", "PATCH", 2))  # the first is the rehearsal
    looks = steps.index(Step("glance", "GET", 2, done=True))
    return {
        "receive": steps[:registers],
        "register": steps[registers : looks + 1],
        "tell": steps[looks + 1 :],
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("error", EXCEPTIONS)
class TestAnythingAtAnyStep:
    def each(self, run: Run, size: str, error: str, phase: str) -> Iterator[Upload]:
        for step in phases(run, size)[phase]:
            upload = run(size, step, EXCEPTIONS[error])
            print(f"{step}: {upload.outcome!r}")
            upload.check()
            yield upload

    def test_while_it_receives(self, run: Run, size: str, error: str) -> None:
        """Nothing is left, and the next upload need not wait."""
        for upload in self.each(run, size, error, "receive"):
            upload.check_spotless()
            if not upload.is_active:
                assert upload.outcome != 204
                assert upload.world.put(upload.gateway, upload.image_id, b"next") == 204

    def test_while_it_registers(self, run: Run, size: str, error: str) -> None:
        """The object stays, and so does the claim, unless the image was seen."""
        for upload in self.each(run, size, error, "register"):
            if upload.outcome == 204:
                upload.check_spotless()
                continue
            [objects] = [
                store.objects_by_key.keys() & upload.world.claimed()
                for name, store in upload.world.stores.items()
                if name == "fast"
            ]
            assert len(objects) == 1
            if not upload.is_active:
                assert upload.world.put(upload.gateway, upload.image_id, b"next") == 409
                upload.check_next()

    def test_while_it_tells(self, run: Run, size: str, error: str) -> None:
        """The image has its data, and a client whose gateway lives gets 204."""
        for upload in self.each(run, size, error, "tell"):
            assert upload.is_active
            killed = isinstance(upload.outcome, BaseException)
            assert upload.outcome == 204 or killed
            if upload.steps.at != Step("fast", "delete claim"):
                upload.check_spotless()


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    return InProcess(tmp_path, monkeypatch)


def refuse(store: MemoryStore, request: str, key: str) -> None:
    """Let a store refuse some requests about one object."""

    def before(asked: str, about: str) -> None:
        if asked == request and about.startswith(key):
            raise StoreUnavailable("Store fast answered 503 SlowDown")

    store.before = before


def fail(method: str) -> None:
    if method == "PATCH":
        raise TimeoutError("injected")


def test_an_object_that_cannot_be_dropped_is_named(world: InProcess) -> None:
    gateway, image_id = world.gateway(), world.glance.create()
    store = world.stores["fast"]
    store.after = lambda request, key: setattr(world.glance, "before", fail)
    refuse(store, "delete", image_id)
    assert world.put(gateway, image_id, b"data") == 500
    assert len(world.left(image_id)) == 1
    assert world.claimed(running=True) == world.left(image_id)
    store.before = store.after = lambda request, key: None
    world.glance.before = lambda method: None
    world.age(GRACE)
    assert world.put(gateway, image_id, b"data") == 204
    assert not world.left(image_id)
    assert not world.claimed()


@pytest.mark.parametrize("request_", ["abandon", "delete"])
def test_what_the_dead_left_stays_named_until_it_is_gone(
    world: InProcess, request_: str
) -> None:
    gateway, image_id = world.gateway(), world.glance.create()
    died(world, image_id)
    refuse(world.stores["fast"], request_, f"{image_id}.dead")
    assert world.put(gateway, image_id, b"data") == 204
    assert f"{image_id}.dead" in world.claimed()
    assert not world.claimed(running=True)


def test_what_the_dead_left_stays_while_glance_does_not_say_whether_it_is_needed(
    world: InProcess,
) -> None:
    gateway, image_id = world.gateway(), world.glance.create()
    died(world, image_id)
    looks = 0

    def before(method: str) -> None:
        nonlocal looks
        looks += method == "GET"
        if looks == 3:  # after admission and registration
            raise TimeoutError("injected")

    world.glance.before = before
    assert world.put(gateway, image_id, b"data") == 204
    assert world.left(image_id) == {f"{image_id}.dead"} <= world.claimed()
    assert not world.claimed(running=True)


def died(world: InProcess, image_id: str) -> None:
    """Leave what an upload leaves whose gateway dies."""
    store, key = world.stores["fast"], f"{image_id}.dead"
    Claim(store, image_id, Attempt("fast", key), GRACE).create()
    store.objects_by_key[key] = b"of the dead"
    world.age(GRACE)


def test_metrics_that_raise(world: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    for metric in vars(metrics).values():
        if isinstance(metric, metrics.Metric):
            monkeypatch.setattr(metric, "_find", find)
    image_id = world.glance.create()
    assert world.put(world.gateway(), image_id, b"data") == 204
    assert world.put(world.gateway(), image_id, b"data") == 409
    assert world.data_of(image_id) == [b"data"]
    assert not world.claimed()


def test_an_id_is_spelled_as_glance_shows_it(world: InProcess) -> None:
    """Its database does not tell upper from lower case."""
    image_id = world.glance.create()
    assert world.put(world.gateway(), image_id.upper(), b"data") == 204
    [key] = world.stores["fast"].objects_by_key
    assert key.startswith(f"{image_id}.")


def test_an_empty_body_is_glances(world: InProcess) -> None:
    image_id = world.glance.create()
    assert world.put(world.gateway(), image_id, b"") == 204
    assert world.glance.received[-1] == b""
    assert not world.left(image_id)
    assert not world.claimed()


def test_an_image_that_somebody_else_made_wait_again(world: InProcess) -> None:
    """The object is the image's, and nobody is kept out any more."""
    image_id = world.glance.create()
    patched = []

    def after(method: str) -> None:
        patched.append(method)
        if patched.count("PATCH") == 2 and method == "PATCH":
            world.glance.images[image_id]["status"] = "queued"

    world.glance.after = after
    assert world.put(world.gateway(), image_id, b"data") == 409
    assert not world.claimed()
    assert world.data_of(image_id) == [b"data"]


@pytest.mark.parametrize(
    ("method", "path", "store"),
    [("PUT", "file", "local"), ("PUT", "stage", ""), ("POST", "import", "")],
)
class TestGlancesOwnWaysToTakeData:
    def ask(
        self, world: InProcess, image_id: str, method: str, path: str, store: str
    ) -> int:
        environ = {
            **webob.Request.blank(f"/v2/images/{image_id}/{path}").environ,
            **CALLER,
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": "application/octet-stream",
            "CONTENT_LENGTH": "4",
            "wsgi.input": io.BytesIO(b"data"),
        }
        if store:
            environ["HTTP_X_IMAGE_META_STORE"] = store
        status, _, body = webob.Request(environ).call_application(world.gateway())
        b"".join(body)
        return int(status.split(" ")[0])

    def test_while_an_upload_runs(
        self, world: InProcess, method: str, path: str, store: str
    ) -> None:
        image_id = world.glance.create()
        attempt = Attempt("fast", f"{image_id}.0123456789abcdef")
        Claim(world.stores["fast"], image_id, attempt, GRACE).create()
        assert self.ask(world, image_id, method, path, store) == 409
        assert not world.glance.received

    def test_no_upload_runs_meanwhile(
        self, world: InProcess, method: str, path: str, store: str
    ) -> None:
        image_id = world.glance.create()
        claimed = []
        world.glance.before = lambda method: claimed.append(world.claimed())
        self.ask(world, image_id, method, path, store)
        assert claimed[-1]
        assert not world.claimed()

    def test_a_store_that_is_down(
        self, world: InProcess, method: str, path: str, store: str
    ) -> None:
        image_id = world.glance.create()
        for each in world.stores.values():
            refuse(each, "put", claims.PREFIX)
        assert self.ask(world, image_id, method, path, store) != 409


def test_an_image_that_is_being_imported_is_glances(world: InProcess) -> None:
    image_id = world.glance.create()
    world.glance.images[image_id]["os_glance_import_task"] = "one"
    assert world.put(world.gateway(), image_id, b"data") == 204
    assert len(world.glance.received) == 1
