# SPDX-License-Identifier: Apache-2.0
"""Requests that once got past the guard: each of them, in both shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.leaks.attacks import NEW
from tests.leaks.attacks import OLD
from tests.leaks.attacks import VENDOR
from tests.leaks.attacks import Attack
from tests.leaks.ground import Line
from tests.leaks.ground import prepare
from tests.support.clients.api import Api
from tests.support.hidden import hidden
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud

SHAPES = ("filter", "stand-alone")


def gateway(cloud: Cloud, shape: str) -> str:
    """Return where a gateway is."""
    return (
        cloud.standalone() if shape == "stand-alone" else cloud.glance(gateway=True)
    ).url


def new(url: str) -> list[dict[str, Any]]:
    location = {"url": url, "metadata": {}}
    return [{"op": "add", "path": "/locations/-", "value": location}]


def hidden_add(url: str) -> list[dict[str, Any]]:
    location = {"url": url, "metadata": {}}
    return [{"op": "add", "path": "/name", "add": "/locations/-", "value": location}]


def hidden_replace(url: str) -> list[dict[str, Any]]:
    value = [{"url": url, "metadata": {}}]
    return [{"op": "add", "path": "/name", "replace": "/locations", "value": value}]


#: Method, target, media type, ``Accept`` and patch of each.
ATTACKS = {
    **{
        f"{method} with {query}": (method, f"/v2/images/{{id}}?{query}", NEW, "", new)
        for method in ("POST", "GET", "PUT", "DELETE")
        for query in ("_method=PATCH", "_method=patch", "%5Fmethod=Patch")
    },
    "an old add beside a new one": ("PATCH", "/v2/images/{id}", OLD, "", hidden_add),
    "an old replace": ("PATCH", "/v2/images/{id}", OLD, "", hidden_replace),
    **{
        f"Accept: {accept}": ("PATCH", "/images/{id}", NEW, accept, new)
        for accept in (f"{VENDOR};q=1.0", f"{VENDOR},", f",,{VENDOR}.9", VENDOR)
    },
    "a newline behind the id": ("PATCH", "/v2/images/{id}%0A", NEW, "", new),
    "a case of its own": ("PATCH", "/v2/images/{ID}", NEW, "", new),
    "dots": ("PATCH", "/v2/images/x/../{id}", NEW, "", new),
    "a form": ("POST", "/v2/images/{id}?x", "multipart/form-data; boundary=x", "", new),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ATTACKS)
def test_it_writes_nothing(cloud: Cloud, shape: str, name: str) -> None:
    method, target, kind, accept, patch = ATTACKS[name]
    ground = prepare(cloud)
    url = f"s3://{hidden(cloud).host}/{cloud.bucket('fast')}/{ground.others}"
    target = target.replace("{id}", ground.queued).replace(
        "{ID}", ground.queued.upper()
    )
    headers = [("Content-Type", kind), *[("Accept", accept)] * bool(accept)]
    made = Attack(method, target, tuple(headers), json.dumps(patch(url)).encode())
    before = ground.rows()
    line = Line(gateway(cloud, shape))
    status = line.send(made)
    line.close()
    assert ground.rows() == before
    assert status in (300, 400, 403, 404, 405), status
    bob = Api(cloud.glance(gateway=False).url, BOB)
    assert bob.download(ground.others).body == b"bob's secret"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v2/images/{id}/locations%0A"),
        ("PUT", "/v2/images/{id}/locations?_method=POST"),
        ("GET", "/v2/images/{id}/locations?_method=POST"),
        ("POST", "/v2/images/{id}/locations/"),
    ],
)
def test_no_spelling_of_locations_is_past_the_guard(
    cloud: Cloud, shape: str, method: str, target: str
) -> None:
    ground = prepare(cloud)
    body = json.dumps({"url": "http://127.0.0.1:9/x"}).encode()
    kind = (("Content-Type", "application/json"),)
    line = Line(gateway(cloud, shape))
    status = line.send(
        Attack(method, target.replace("{id}", ground.queued), kind, body)
    )
    line.close()
    assert status in (400, 403, 404), status
    admin = Api(cloud.glance(gateway=False).url, ADMIN)
    assert admin.request("GET", f"/v2/images/{ground.queued}/tasks").json() == {
        "tasks": []
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_newline_behind_file_is_no_way_past_the_gateway(
    cloud: Cloud, shape: str
) -> None:
    ground = prepare(cloud)
    octets = (("Content-Type", "application/octet-stream"),)
    line = Line(gateway(cloud, shape))
    target = f"/v2/images/{ground.queued}/file%0A"
    assert line.send(Attack("PUT", target, octets, b"data")) == 400
    target = f"/v2/images/{ground.mine}/file%0A"
    assert line.send(Attack("GET", target, (), b"")) == 400
    line.close()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_form_of_curls_still_creates_an_image(cloud: Cloud, shape: str) -> None:
    api = Api(gateway(cloud, shape), ALICE)
    kind = "application/x-www-form-urlencoded"
    answer = api.request(
        "POST", "/v2/images", b'{"name": "by curl"}', Content_Type=kind
    )
    assert (answer.status, answer.json()["name"]) == (201, "by curl")


@pytest.mark.parametrize("shape", SHAPES)
def test_nobody_can_try_out_hosts_and_buckets(cloud: Cloud, shape: str) -> None:
    api = Api(gateway(cloud, shape), ALICE)
    host, bucket = hidden(cloud).host, cloud.bucket("fast")
    right, wrong = f"s3://{host}/{bucket}/x", "s3://127.0.0.1:1/no-bucket/x"
    for url in (right, wrong):
        answer = api.send_json("POST", "/v2/images", {"note": url, "tags": [url]})
        assert answer.json()["note"] == url
        assert answer.json()["tags"] == [url]
        change = {"op": "replace", "path": "/note", "value": f"{url}!"}
        assert api.patch(answer.json()["id"], change).json()["note"] == f"{url}!"
    texts = [
        api.send_json("POST", "/v2/images", {"disk_format": url}).body
        for url in (right, wrong)
    ]
    assert texts[0] == texts[1]
    assert b"s3://unknown/unknown" in texts[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_client_cannot_make_it_look_like_a_loop(cloud: Cloud, shape: str) -> None:
    api = Api(gateway(cloud, shape), ALICE)
    assert api.request("GET", "/v2/images?limit=1", Via="1.1 s3gateway").status == 200
