# SPDX-License-Identifier: Apache-2.0
"""What a row of the parity table did and what it was answered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import threading
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import requests

from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.servers.cloud import Cloud

# Ids, times and request ids are the only things that are ignored.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")
_HTTP_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
_PORT = re.compile(r"127\.0\.0\.1:\d+")


@dataclasses.dataclass
class Entry:
    """One fact of a row: an answer, or something else that was observed.

    :ivar what: the request, or what was observed
    :ivar facts: by field name; JSON bodies are taken apart later
    """

    what: str
    facts: dict[str, Any]


class Recorder:
    """What one row saw of one Glance.

    :ivar cloud: what the Glance belongs to, for a look at its S3
    """

    def __init__(self, url: str, cloud: Cloud) -> None:
        self.url = url
        self.cloud = cloud
        self.entries: list[Entry] = []
        self._names: dict[str, str] = {}

    def user(self, token: str) -> RecordingApi:
        """Return a client whose answers are recorded."""
        return RecordingApi(self, self.url, token)

    def note(self, what: str, **facts: Any) -> None:
        """Record something that is not an answer."""
        self.entries.append(Entry(self.anonymous(what), facts))

    def add(self, method: str, path: str, answer: Response) -> None:
        """Record an answer."""
        headers: dict[str, Any] = {
            f"header {name.lower()}": self.anonymous(value)
            for name, value in answer.headers.items()
        }
        headers.pop("header x-openstack-request-id", None)
        body = self._body(answer)
        if not isinstance(body, bytes):
            # it follows from the body, which is compared
            length = headers.pop("header content-length", None)
            headers["length right"] = length in (None, str(len(answer.body)))
        facts = {"status": answer.status, **headers, "body": body}
        self.entries.append(Entry(self.anonymous(f"{method} {path}"), facts))

    def anonymous(self, text: str) -> str:
        """Return a text with ids, times and ports replaced."""
        text = _UUID.sub(lambda match: self._name(match.group()), text)
        text = _HTTP_DATE.sub("<date>", _TIME.sub("<time>", text))
        return _PORT.sub("<server>", text)

    def _name(self, uuid: str) -> str:
        return self._names.setdefault(uuid, f"<id {len(self._names) + 1}>")

    def _body(self, answer: Response) -> Any:
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("application/json") and answer.body:
            return json.loads(self.anonymous(answer.body.decode()))
        if kind.startswith("text/"):
            return self.anonymous(answer.body.decode())
        return answer.body


class RecordingApi(Api):
    """A client that records every answer it gets."""

    def __init__(self, recorder: Recorder, url: str, token: str) -> None:
        super().__init__(url, token)
        self.recorder = recorder

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        /,
        **headers: str,
    ) -> Response:
        try:
            answer = super().request(method, path, body, **headers)
        except requests.ConnectionError:
            answer = Response(0, {}, b"the connection broke")
        self.recorder.add(method, path, answer)
        return answer

    @contextlib.contextmanager
    def polling(self, image_id: str) -> Iterator[None]:
        """Record which statuses a poller sees while something is done."""
        seen: set[str] = set()
        done = threading.Event()
        silent = Api(self.url, self.token)

        def poll() -> None:
            while not done.is_set():
                seen.add(silent.show(image_id)["status"])

        poller = threading.Thread(target=poll)
        poller.start()
        try:
            yield
        finally:
            done.set()
            poller.join()
            statuses = ",".join(sorted(seen))
            self.recorder.note(f"polled {image_id}", statuses=statuses)
