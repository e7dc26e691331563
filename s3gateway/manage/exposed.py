# SPDX-License-Identifier: Apache-2.0
"""Whether answers of the API show what users must not see of S3."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib import parse

from s3gateway import uris
from s3gateway.config.stores import StoreSettings

_SHORT = 4  # characters; anything so short is somewhere in any text


class Exposed:
    """Looks at answers, and remembers them for what becomes known later.

    :ivar count: how many answers were looked at
    :param stores: whose host, bucket and keys are not to be seen
    :param url: of the API, whose own host may be seen
    """

    def __init__(self, stores: Iterable[StoreSettings], url: str) -> None:
        self.count = 0
        self._hidden: dict[str, str] = {}
        self._answers: list[tuple[str, str]] = []
        self._uris: list[str] = []
        stores = list(stores)
        names = {store.name for store in stores}
        for store in stores:
            what = f"of store {store.name}"
            for keys in store.known_keys():
                self.hide(keys.access_key, f"the access key {what}")
                self.hide(keys.secret_key, f"the secret key {what}")
                self.hide(keys.token, f"the session token {what}")
            for service in store.services - {parse.urlsplit(url).netloc}:
                self.hide(service, f"the host {what}")
            if store.bucket not in names:  # or a mask would have it
                self.hide(f"/{store.bucket}/", f"the bucket {what}")

    def hide(self, text: str, what: str) -> None:
        """Say what must not be seen, in earlier answers neither."""
        if len(text) >= _SHORT:
            self._hidden[text] = what

    def look(self, question: str, headers: Mapping[str, str], body: bytes) -> None:
        """Look at an answer."""
        self.count += 1
        said = [f"{name}: {value}" for name, value in headers.items()]
        text = "\n".join([*said, body.decode("latin-1")])
        self._answers.append((question, text))
        for url in _urls(body):
            if uris.try_parse(url) is not None:
                self._uris.append(f"{question} shows where the data is in S3")

    def found(self) -> list[str]:
        """Return what was seen that must not be, in sentences."""
        seen = [
            f"{question} shows {what}"
            for question, text in self._answers
            for hidden, what in self._hidden.items()
            if any(form in text for form in _forms(hidden))
        ]
        return list(dict.fromkeys([*self._uris, *seen]))


def _forms(text: str) -> set[str]:
    return {text, parse.quote(text, safe=""), json.dumps(text)[1:-1]}


def _urls(body: bytes) -> Iterator[str]:
    """Yield the locations that an image, or a list of images, shows."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    if not isinstance(document, dict):
        return
    for image in [document, *_objects(document.get("images"))]:
        yield str(image.get("direct_url") or "")
        for location in _objects(image.get("locations")):
            yield str(location.get("url") or "")


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of a document; none if it is no list."""
    found = value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, dict)]
