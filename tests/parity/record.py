# SPDX-License-Identifier: Apache-2.0
"""The requests of a row of the parity table, and the answers."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import requests

from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.clients.api import in_chunks
from tests.support.servers.cloud import Cloud

# Ids, times and request ids are the only things that are ignored.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")
_HTTP_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
_UNTIL_IT_IS_TAKEN = 1.0  # seconds
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

    def watched(self, image_id: str, data: bytes) -> Watched:
        """Return data of which the second half is sent when the status was noted."""

        def look() -> None:
            time.sleep(_UNTIL_IT_IS_TAKEN)
            shown = Api(self.url, self.token).show(image_id)
            body = json.loads(self.recorder.anonymous(json.dumps(shown)))
            self.recorder.note(f"{image_id} while its data comes in", body=body)

        return Watched(data, look)


class Watched:
    """A body of known length, or of unknown if it is iterated over as it is.

    :param look: called when the first half was sent
    """

    def __init__(self, data: bytes, look: Callable[[], None]) -> None:
        self._data = data
        self._look = look

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        half = len(self._data) // 2
        yield from in_chunks(self._data[:half])
        self._look()
        yield from in_chunks(self._data[half:])
