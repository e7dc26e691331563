# SPDX-License-Identifier: Apache-2.0
"""Every way in which Glance can answer with an image's locations in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.people import SERVICE
from tests.support.servers.cloud import Cloud


@dataclasses.dataclass(frozen=True)
class Subject:
    """A public image in S3, and the user who looks at it.

    :ivar uri: its location as Glance's database holds it
    """

    image_id: str
    uri: str
    alice: Api
    bob: Api
    admin: Api
    service: Api


@dataclasses.dataclass(frozen=True)
class Surface:
    """A request whose answer may hold a location.

    :ivar leaks: whether stock's answer holds one, up to Glance 32
    """

    name: str
    ask: Callable[[Subject], Response]
    leaks: bool

    def __str__(self) -> str:
        return self.name


def subject(cloud: Cloud, *, gateway: bool) -> Subject:
    """Return a public image that stock wrote, seen with or without the filter."""
    stock = cloud.glance(gateway=False).url
    alice, admin = Api(stock, ALICE), Api(stock, ADMIN)
    image_id = alice.create(name="public")
    assert alice.upload(image_id, b"written by stock").status == 204
    change = {"op": "replace", "path": "/visibility", "value": "public"}
    assert admin.patch(image_id, change).status == 200
    uri = admin.show(image_id)["locations"][0]["url"]
    url = cloud.glance(gateway=gateway).url
    users = [Api(url, user) for user in (ALICE, BOB, ADMIN, SERVICE)]
    return Subject(image_id, uri, *users)


SURFACES: list[Surface] = []


def surface(
    name: str, *, leaks: bool = True
) -> Callable[[Callable[[Subject], Response]], Callable[[Subject], Response]]:
    """Make a function a surface."""

    def add(ask: Callable[[Subject], Response]) -> Callable[[Subject], Response]:
        SURFACES.append(Surface(name, ask, leaks))
        return ask

    return add


# Of this image only: what other tests leave in the list is no part of the proof.
_LIST = "/v2/images?limit=1000&id=in:{}"


def _show(api: Api, subject: Subject) -> Response:
    return api.request("GET", f"/v2/images/{subject.image_id}")


def _patch(api: Api, subject: Subject, op: str, path: str, value: Any) -> Response:
    change = {"op": op, "path": path, "value": value}
    return api.patch(subject.image_id, change)


@surface("show, by the owner")
def _(subject: Subject) -> Response:
    return _show(subject.alice, subject)


@surface("show, by another project")
def _(subject: Subject) -> Response:
    return _show(subject.bob, subject)


@surface("show, by an admin")
def _(subject: Subject) -> Response:
    return _show(subject.admin, subject)


@surface("list, by the owner")
def _(subject: Subject) -> Response:
    return subject.alice.request("GET", _LIST.format(subject.image_id))


@surface("list, by another project")
def _(subject: Subject) -> Response:
    return subject.bob.request("GET", _LIST.format(subject.image_id))


@surface("a property is added")
def _(subject: Subject) -> Response:
    return _patch(subject.alice, subject, "add", "/note", "s3 is fine")


@surface("the name is replaced")
def _(subject: Subject) -> Response:
    return _patch(subject.admin, subject, "replace", "/name", "renamed")


@surface("metadata of the location is replaced")
def _(subject: Subject) -> Response:
    shown = _show(subject.admin, subject).json()["locations"]
    for location in shown:
        location["metadata"]["note"] = "by admin"
    return _patch(subject.admin, subject, "replace", "/locations", shown)


@surface("the same location is added again")
def _(subject: Subject) -> Response:
    [location] = _show(subject.admin, subject).json()["locations"]
    return _patch(subject.admin, subject, "add", "/locations/-", location)


@surface("locations of an active image are replaced by others")
def _(subject: Subject) -> Response:
    # The answer names the old ones: "Original locations is not empty: ..."
    value = [{"url": subject.uri + "x", "metadata": {"store": "fast"}}]
    return _patch(subject.admin, subject, "replace", "/locations", value)


@surface("GET /locations, by a service", leaks=True)
def _(subject: Subject) -> Response:
    return subject.service.request("GET", f"/v2/images/{subject.image_id}/locations")


@surface("GET /locations, by the owner", leaks=False)
def _(subject: Subject) -> Response:
    return subject.alice.request("GET", f"/v2/images/{subject.image_id}/locations")


@surface("an image is created", leaks=False)
def _(subject: Subject) -> Response:
    return subject.alice.send_json("POST", "/v2/images", {"name": "new"})


@surface("an image is created with locations", leaks=False)
def _(subject: Subject) -> Response:
    image = {"locations": [{"url": subject.uri, "metadata": {}}]}
    return subject.admin.send_json("POST", "/v2/images", image)


@surface("POST /locations and its task")
def _(subject: Subject) -> Response:
    image_id = subject.service.create(visibility="private")
    subject.service.send_json(
        "POST", f"/v2/images/{image_id}/locations", {"url": subject.uri}
    )
    return subject.service.request("GET", f"/v2/images/{image_id}/tasks")


@surface("copy-image and its tasks", leaks=False)
def _(subject: Subject) -> Response:
    method = {"method": {"name": "copy-image"}, "stores": ["cheap"]}
    subject.admin.send_json("POST", f"/v2/images/{subject.image_id}/import", method)
    return subject.admin.request("GET", f"/v2/images/{subject.image_id}/tasks")


@surface("import of an active image", leaks=False)
def _(subject: Subject) -> Response:
    method = {"method": {"name": "glance-direct"}}
    path = f"/v2/images/{subject.image_id}/import"
    return subject.alice.send_json("POST", path, method)


@surface("an upload to the active image", leaks=False)
def _(subject: Subject) -> Response:
    return subject.alice.upload(subject.image_id, b"other data")
