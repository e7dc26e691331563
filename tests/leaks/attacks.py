# SPDX-License-Identifier: Apache-2.0
"""Requests by which a member tries to write a location, made at random from a seed.

Methods, overrides, paths, media types, ``Accept`` and patches in all the spellings that
a server, a router or a library might take for the plain one: nested, doubled, mixed and
broken.  Each is the bytes on the wire.
"""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any
from urllib import parse

OLD = "application/openstack-images-v2.0-json-patch"
NEW = "application/openstack-images-v2.1-json-patch"
VENDOR = "application/vnd.openstack.images-v2"

_METHODS = ["PATCH"] * 8 + ["POST"] * 4 + ["PUT", "GET", "DELETE", "HEAD", "OPTIONS"]
_ODD_METHODS = ["patch", "Patch", "PoST", "put", "PATCH ", "TRACE", "MERGE"]

_OVERRIDES = [
    "_method=PATCH",
    "_method=patch",
    "_method=POST",
    "_Method=PATCH",
    "%5Fmethod=PATCH",
    "_metho%64=PATCH",
    "x=1&_method=PATCH",
    "x=1;_method=PATCH",
    "_method=GET&_method=PATCH",
    "_method=PATCH&_method=GET",
    "+_method=PATCH",
    "_method[]=PATCH",
    "_method=%50ATCH",
    "_method=PUT",
    "a_method=PATCH",
]

_IMAGE, _LOCATIONS = "/v2/images/{id}", "/v2/images/{id}/locations"
_ODD_PATHS = [
    "//v2//images//{id}",
    "/v2/images/{id}/",
    "/v2/images/{id}%0A",
    "/v2/images/{id}%0a%0a",
    "/v2/images/{id}%0D",
    "/v2/images/%0A{id}",
    "/v2/images/{id}%20",
    "/v2/images/{id}%00",
    "/v2/images/{id}%2F",
    "/v2/images%2F{id}",
    "/v2%2Fimages%2F{id}",
    "/%76%32/images/{id}",
    "/v2/./images/{id}",
    "/v2/images/./{id}",
    "/v2/images/x/../{id}",
    "/v2/images/x/%2E%2E/{id}",
    "/../v2/images/{id}",
    "/v2/images/{id};x=1",
    "/v2/images/{id}.json",
    "/v2/images/{ID}",
    "/V2/images/{id}",
    "/v2/IMAGES/{id}",
    "/v2.9/images/{id}",
    "/v2.99/images/{id}",
    "/v1/images/{id}",
    "/images/{id}",
    "//images//{id}",
    "/v2/v2/images/{id}",
    "/v2/images/{id}%",
    "/v2/images/{id}/locations%0A",
    "/v2/images/{id}/locations/",
    "/v2/images/{id}//locations",
    "/v2/images/{id}/Locations",
    "/v2/images/{id}/%6Cocations",
    "/images/{id}/locations",
    "/v2/images/{id}/file%0A",
    "/v2/images/{id}/import",
    "/v2/images/{id}/stage",
    "/v2/images",
    "/v2/tasks",
    "http://127.0.0.1/v2/images/{id}",
]

_MEDIA_TYPES = [NEW] * 6 + [OLD] * 5
_ODD_MEDIA_TYPES = [
    "",
    "application/json",
    "application/json-patch+json",
    "application/octet-stream",
    f"{NEW}; charset=utf-8",
    f"{OLD};charset=utf-16",
    f" {NEW}",
    f"{NEW} ",
    NEW.upper(),
    f"{OLD}, {NEW}",
    f"{NEW};{OLD}",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-8",
    "multipart/form-data; boundary=x",
]

_ACCEPTS = [
    VENDOR,
    f"{VENDOR};q=1.0",
    f"{VENDOR},",
    f",,{VENDOR}.9",
    f"{VENDOR}.9",
    f"{VENDOR}.99",
    f" {VENDOR}",
    f"{VENDOR};v=1",
    VENDOR.upper(),
    f"text/html, {VENDOR}",
    f"{VENDOR}, */*",
    "application/json",
    "*/*",
    "text/html",
]

_POINTERS = {"add": "/locations/-", "replace": "/locations", "remove": "/locations/0"}
_ODD_POINTERS = [
    "/locations/0",
    "/locations",
    "//locations/-",
    "/ locations/-",
    "/locations /-",
    "/loc~0ations/-",
    "/~1locations/-",
    "locations/-",
    "/Locations/-",
    "/locations/1",
    "/locations/-/url",
    "/locations/-/",
    "/\u00a0locations/-",
    "/direct_url",
    "/location",
    "/name",
]


@dataclasses.dataclass(frozen=True)
class Aims:
    """What the requests of one run are about.

    :ivar images: the ids that they name, the attacker's own and the victim's
    :ivar urls: the locations that they try to write, among them the victim's
    """

    images: tuple[str, ...]
    urls: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Attack:
    """A request as it is sent.

    :ivar target: what stands behind the method in the first line
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def wire(self, token: str) -> bytes:
        """Return the bytes of the request."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"X-Auth-Token: {token}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        body = self.body
        if ("Transfer-Encoding", "chunked") in self.headers:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            body = chunk + b"0\r\n\r\n"
        else:
            lines += [f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


class Attacker:
    """Makes attacks; the same seed makes the same ones."""

    def __init__(self, seed: int, aims: Aims) -> None:
        self._chance = random.Random(seed)  # noqa: S311  not for secrecy
        self._aims = aims

    def aim(self, aims: Aims) -> None:
        """Go on with other images."""
        self._aims = aims

    def attack(self) -> Attack:
        """Return the next one."""
        method = self._often(_METHODS, _ODD_METHODS, 0.04)
        kind = self._often(_MEDIA_TYPES, _ODD_MEDIA_TYPES, 0.3)
        target = self._target(method)
        return Attack(method, target, self._headers(kind), self._body(kind))

    def _often(self, usual: list[str], odd: list[str], share: float) -> str:
        return self._chance.choice(odd if self._chance.random() < share else usual)

    def _target(self, method: str) -> str:
        image_id = self._chance.choice(self._aims.images)
        usual = [_IMAGE, _LOCATIONS] if method == "POST" else [_IMAGE]
        path = self._often(usual, _ODD_PATHS, 0.35)
        target = path.replace("{id}", image_id).replace("{ID}", image_id.upper())
        if self._chance.random() < (0.2 if method == "PATCH" else 0.7):
            target += "?" + self._chance.choice(_OVERRIDES)
        return target

    def _headers(self, kind: str) -> tuple[tuple[str, str], ...]:
        found = [("Content-Type", kind)] if kind else []
        if self._chance.random() < 0.25:
            found.append(("Accept", self._chance.choice(_ACCEPTS)))
        if self._chance.random() < 0.05:
            found.append(("X-HTTP-Method-Override", "PATCH"))
        if self._chance.random() < 0.05:
            found.append(("OpenStack-System-Scope", "all"))
        if self._chance.random() < 0.15:
            found.append(("Transfer-Encoding", "chunked"))
        return tuple(found)

    def _body(self, kind: str) -> bytes:
        chance = self._chance.random()
        if chance < 0.05:
            return self._form()
        document = self._location() if chance < 0.2 else self._patch(kind)
        return self._written(document)

    def _form(self) -> bytes:
        patch = json.dumps(self._patch(NEW))
        if self._chance.random() < 0.5:
            return f"_method=PATCH&body={parse.quote(patch)}".encode()
        field = 'Content-Disposition: form-data; name="_method"\r\n\r\nPATCH'
        return f"--x\r\n{field}\r\n--x--\r\n{patch}".encode()

    def _patch(self, kind: str) -> Any:
        count = self._chance.choice((1, 1, 1, 2, 3))
        changes = [self._change(kind) for _ in range(count)]
        chance = self._chance.random()
        if chance < 0.03:
            return {"op": "add", "path": "/locations/-", "value": self._location()}
        if chance < 0.05:
            return [changes]
        return changes

    def _change(self, kind: str) -> dict[str, Any]:
        """Return an operation in the form of a media type, in the other, or in both."""
        operation = self._chance.choice(("add", "add", "add", "replace", "remove"))
        pointer = self._often([_POINTERS[operation]], _ODD_POINTERS, 0.35)
        value: Any = self._location()
        if operation == "replace" or self._chance.random() < 0.1:
            value = [value] * self._chance.choice((0, 1, 1, 2))
        new = {"op": operation, "path": pointer, "value": value}
        old = {operation: pointer, "value": value}
        right, other = (old, new) if OLD in kind else (new, old)
        found = self._chance.choice((right,) * 6 + (other, {**new, **old}))
        if self._chance.random() < 0.3:  # another one, of which one might be looked at
            hidden = self._chance.choice(("add", "replace", "path", "op", "remove"))
            harmless = self._chance.choice(("/name", "/note", "/locations/-", "add"))
            found = {**found, hidden: harmless}
            if self._chance.random() < 0.5:
                found = dict(reversed(found.items()))
        return found

    def _location(self) -> Any:
        url: Any = self._chance.choice(self._aims.urls)
        kind = self._chance.random()
        if kind < 0.05:
            url = self._chance.choice((f" {url}", f"{url}\n", url.upper(), [url], None))
        location = {"url": url, "metadata": {}}
        if kind > 0.9:
            location["metadata"] = {"store": self._chance.choice(("fast", "local"))}
        elif kind > 0.85:
            del location["metadata"]
        elif kind > 0.82:
            location["validation_data"] = {"checksum": "0" * 32}
        return location

    def _written(self, document: Any) -> bytes:
        """Return a document as JSON, now and then in a way that is seldom seen."""
        text = json.dumps(document)
        if self._chance.random() < 0.8:
            return text.encode()
        return self._chance.choice((
            text.encode("utf-16"),
            text.encode("utf-8-sig"),
            text[:-2].encode(),
            f"{text} {text}".encode(),
            text.replace("/locations", "\\u002flocations").encode(),
            # of a member that is there twice the last one counts
            text.replace('"op": "add"', '"op": "test", "op": "add"').encode(),
            text.replace('"path": ', '"path": "/name", "path": ').encode(),
            b"[" * 5000 + text.encode() + b"]" * 5000,
            b"",
        ))  # fmt: skip
