# SPDX-License-Identifier: Apache-2.0
"""Registration: what the image shows decides, whatever Glance answers."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import pytest
import webob

from s3gateway import uris
from s3gateway.errors import Conflict
from s3gateway.errors import GlanceError
from s3gateway.errors import ImageGone
from s3gateway.errors import NotRegistered
from s3gateway.errors import Overwritten
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.glance.api import image_from
from s3gateway.glance.registration import Registrar
from s3gateway.glance.registration import Stored
from tests.support.s3.memory import store_settings
from tests.support.servers.image_api import ImageApi

SIZE = 42
STORED = Stored(
    store=store_settings(),
    key="an-image.0123456789abcdef",
    size=SIZE,
    checksum="ab" * 16,
    os_hash_algo="sha512",
    os_hash_value="cd" * 64,
    virtual_size=7,
)
OURS = {
    "url": "s3://s3.example:9000/fast/an-image.0123456789abcdef",
    "metadata": {"store": "fast"},
}
THEIRS = {
    "url": "s3://s3.example:9000/fast/an-image.fedcba9876543210",
    "metadata": {"store": "fast"},
}


class World:
    """A Glance with one image, which a test makes fail, and a registrar before it.

    :ivar answers: the status of each PATCH that is answered and not carried out; with
        0 there is no answer
    """

    def __init__(self) -> None:
        self.glance = ImageApi(lambda url: SIZE)
        self.image_id = self.glance.create()
        self.answers: list[int] = []
        self.patched: list[str] = []
        self.certain = False
        self.with_credentials = False
        self.identity: Callable[[Any], Any] = lambda environ: environ

    @property
    def image(self) -> dict[str, Any]:
        return self.glance.images[self.image_id]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PATCH":
            body = environ["wsgi.input"].read()
            environ["wsgi.input"].seek(0)
            self.patched.append(body.decode())
            if self.answers:
                if not self.answers[0]:
                    fail(self.answers.pop(0))
                start_response(f"{self.answers.pop(0)} Faulty", [])
                return [b"{}"]
        return self.glance(environ, start_response)

    def registrar(self) -> Registrar:
        return Registrar(
            Glance(self),
            multi_store=True,
            with_credentials=self.with_credentials,
            identity=self.identity,
            certain=self.certain,
        )

    def register(self) -> Image:
        environ = dict(webob.Request.blank("/").environ)
        return self.registrar().register(environ, self.before(), STORED)

    def before(self, image_id: str = "") -> Image:
        """Return an image as it was when its data was judged."""
        return image_from({**self.glance.images[image_id or self.image_id]})

    def becomes(self, *rows: dict[str, Any], **fields: Any) -> None:
        """Let the image be so when it is looked at."""

        def before(method: str) -> None:
            if method == "GET":
                self.glance.rows[self.image_id] = list(rows)
                self.image.update(fields)

        self.glance.before = before


@pytest.fixture
def world() -> World:
    return World()


def fail(*arguments: object) -> None:
    raise TimeoutError("injected")


def test_it_is_active_with_its_data(world: World) -> None:
    image = world.register()
    assert (image.status, image.size, image.checksum) == ("active", SIZE, "ab" * 16)
    [location] = image.locations
    uri = uris.try_parse(location.url)
    assert uri is not None
    assert uri.key == STORED.key
    assert location.metadata == {"store": "fast", "s3gateway_virtual_size": "7"}
    assert len(world.patched) == 1


def test_an_answer_that_is_lost(world: World) -> None:
    world.glance.after = lambda method: fail() if method == "PATCH" else None
    assert world.register().status == "active"


@pytest.mark.parametrize("status", [401, 403, 409, 410, 413])
def test_an_answer_for_the_caller(world: World, status: int) -> None:
    world.answers = [status]
    with pytest.raises(Refused) as caught:
        world.register()
    assert caught.value.answer.code == status


@pytest.mark.parametrize("status", [400, 500, 0])
@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_keys_are_sent_only_where_the_configuration_says_so(
    world: World, status: int, certain: bool, wanted: bool
) -> None:
    """Whatever happens: Glance 33 would take them, and write them into its log."""
    world.answers, world.certain = [status, status], certain
    world.with_credentials = wanted
    with pytest.raises(NotRegistered):
        world.register()
    secret = STORED.store.location_keys.secret_key
    found = [secret in body for body in world.patched]
    assert found == [wanted, False][: 2 - certain]


def test_one_bad_moment_of_glance_has_no_keys_sent(world: World) -> None:
    """Neither then nor later; it is asked once more."""
    registrar = world.registrar()
    environ = dict(webob.Request.blank("/").environ)
    for answers in [500], [0], []:
        image_id = world.glance.create()
        world.answers = list(answers)
        registrar.register(environ, world.before(image_id), STORED)
    assert len(world.patched) == 5
    assert not any("ACCESSKEY" in body for body in world.patched)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_answer_for_nobody(world: World, status: int) -> None:
    world.answers = [status, status]
    with pytest.raises(
        NotRegistered, match=f"did not register image .*: {status} Faulty"
    ):
        world.register()


def test_no_answer_and_no_data(world: World) -> None:
    world.glance.before = lambda method: fail() if method == "PATCH" else None
    with pytest.raises(NotRegistered, match="no answer"):
        world.register()


@pytest.mark.parametrize("status", [502, 504])
def test_a_proxy_has_not_waited(world: World, status: int) -> None:
    world.answers = [status]
    with pytest.raises(
        GlanceError, match="cannot confirm the registration yet"
    ) as caught:
        world.register()
    assert not isinstance(caught.value, NotRegistered)


def test_glance_takes_the_other_form_of_the_location(world: World) -> None:
    world.answers, world.with_credentials = [400], True
    registrar = world.registrar()
    environ = dict(webob.Request.blank("/").environ)
    registrar.register(environ, world.before(), STORED)
    assert ["ACCESSKEY" in body for body in world.patched] == [True, False]
    others = [world.glance.create(), world.glance.create()]
    registrar.register(environ, world.before(others[0]), STORED)
    assert "ACCESSKEY" not in world.patched[-1]
    world.answers = [500]  # a host with the older Glance
    registrar.register(environ, world.before(others[1]), STORED)
    assert "ACCESSKEY" in world.patched[-1]


def test_nobody_could_register(world: World) -> None:
    """Nothing was asked of Glance."""

    def identity(environ: Any) -> Any:
        raise GlanceError("The gateway could not get a token.")

    world.identity = identity
    with pytest.raises(NotRegistered, match="could not get a token"):
        world.register()
    assert not world.patched


def test_the_image_cannot_be_looked_at(world: World) -> None:
    world.glance.before = lambda method: fail() if method == "GET" else None
    with pytest.raises(GlanceError) as caught:
        world.register()
    assert not isinstance(caught.value, NotRegistered)


def test_the_image_is_gone(world: World) -> None:
    def before(method: str) -> None:
        if method == "commit":
            del world.glance.images[world.image_id]

    world.glance.before = before
    with pytest.raises(ImageGone):
        world.register()


def test_formats_are_those_that_the_data_was_judged_by(world: World) -> None:
    judged = world.before()

    def before(method: str) -> None:
        if method == "PATCH":
            world.image.update(disk_format="qcow2", container_format="ova")

    world.glance.before = before
    environ = dict(webob.Request.blank("/").environ)
    image = world.registrar().register(environ, judged, STORED)
    assert image.properties["disk_format"] == judged.properties["disk_format"]
    assert image.properties["container_format"] == "bare"


def test_formats_that_changed_all_the_same(world: World) -> None:
    world.becomes(OURS, status="active", disk_format="qcow2")
    with pytest.raises(GlanceError):
        world.register()


def test_somebody_elses_change_makes_it_wait_again(world: World) -> None:
    def before(method: str) -> None:
        if method == "GET":
            world.image["status"] = "queued"

    world.glance.before = before
    with pytest.raises(Overwritten, match="Delete it"):
        world.register()


def test_somebody_elses_change_takes_size_and_digests_away(world: World) -> None:
    """As on MariaDB, where the location stays."""
    fields = {"status": "queued", "size": None, "checksum": None, "os_hash_value": None}
    world.becomes(OURS, **fields)
    with pytest.raises(Overwritten):
        world.register()


OTHER_DATA = {"status": "active", "size": 7, "checksum": "ef" * 16}


@pytest.mark.parametrize(
    ("rows", "fields"),
    [
        ([THEIRS], OTHER_DATA),
        ([THEIRS], {}),  # the same bytes, from another upload
        ([], {"status": "saving", "size": None, "checksum": None}),
    ],
)
def test_others_have_won(
    world: World, rows: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    world.becomes(*rows, **fields)
    with pytest.raises(Conflict, match="got its data from another upload"):
        world.register()


@pytest.mark.parametrize(
    ("rows", "fields"),
    [
        ([OURS, THEIRS], OTHER_DATA),
        ([], OTHER_DATA),  # where it is is hidden
        ([], {**OTHER_DATA, "status": "deactivated"}),
    ],
)
def test_others_have_won_and_the_image_may_need_the_object(
    world: World, rows: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    world.becomes(*rows, **fields)
    with pytest.raises(GlanceError, match="may refer to this data as well") as caught:
        world.register()
    assert not isinstance(caught.value, NotRegistered)


@pytest.mark.parametrize(
    ("rows", "fields"),
    [
        ([THEIRS, OURS], {}),  # a copy that was added meanwhile
        ([], {}),  # where it is is hidden
        ([], {"status": "deactivated"}),
    ],
)
def test_the_data_is_ours_all_the_same(
    world: World, rows: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    world.becomes(*rows, **fields)
    assert world.register().checksum == STORED.checksum


def test_a_rehearsal_changes_nothing(world: World) -> None:
    image = Glance(world).show(dict(webob.Request.blank("/").environ), world.image_id)
    environ = dict(webob.Request.blank("/").environ)
    answer = world.registrar().rehearse(environ, image, "sha512")
    assert answer.code == 400
    assert world.image["status"] == "queued"
