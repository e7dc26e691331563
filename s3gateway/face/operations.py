# SPDX-License-Identifier: Apache-2.0
"""What all operations of the face have at hand, and how they answer."""

from __future__ import annotations

import dataclasses

from s3gateway.face.payload import Payload
from s3gateway.face.requests import Asked
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from s3gateway.http.wsgi import Headers
from s3gateway.store import About
from s3gateway.store import ObjectStore


@dataclasses.dataclass(frozen=True)
class Request:
    """A request that was verified, for a store that is configured.

    :ivar payload: its body, unread
    """

    asked: Asked
    store: ObjectStore
    payload: Payload
    environ: Environ

    @property
    def about(self) -> About:
        """The facts about the image, for the metadata of a new object."""
        return {"image-id": self.asked.image_id}


def done(headers: Headers, body: bytes = b"") -> Answer:
    """Return the answer to a request that was carried out."""
    kind = [("Content-Type", "application/xml")] if body else []
    length = ("Content-Length", str(len(body)))
    return Answer("200 OK", [*kind, *headers, length], [body] if body else [])


def gone() -> Answer:
    """Return the answer to a request after which nothing is left."""
    return Answer("204 No Content", [], [])
