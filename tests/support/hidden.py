# SPDX-License-Identifier: Apache-2.0
"""Checks that an answer holds nothing that it must not."""

from __future__ import annotations

import dataclasses
import html
import json
from urllib import parse

from tests.support.clients.api import Response
from tests.support.servers.cloud import Cloud


@dataclasses.dataclass(frozen=True)
class Hidden:
    """What a location URI gives away."""

    access_key: str
    secret_key: str
    host: str
    bucket: str

    def found_in(self, text: str) -> list[str]:
        """Return the names of those that are in a text, however it is escaped."""
        return [
            field.name
            for field in dataclasses.fields(self)
            if any(form in text for form in _forms(getattr(self, field.name)))
        ]

    def found_in_answer(self, answer: Response) -> list[str]:
        """Return the names of those that are in an answer's body or headers."""
        return self.found_in(answer.body.decode("latin-1") + repr(answer.headers))


def _forms(text: str) -> set[str]:
    once = {
        text,
        html.escape(text),
        parse.quote(text, safe=""),
        parse.quote(text),
        json.dumps(text)[1:-1],
    }
    return (
        once
        | {html.escape(form) for form in once}
        | {json.dumps(form)[1:-1] for form in once}
    )


def hidden(cloud: Cloud) -> Hidden:
    """Return what the location URIs of a cloud's store ``fast`` give away."""
    return Hidden(
        access_key=cloud.s3.access_key,
        secret_key=cloud.s3.secret_key,
        host=cloud.s3.endpoint.partition("//")[2],
        bucket=cloud.bucket("fast"),
    )
