# SPDX-License-Identifier: Apache-2.0
"""Removes S3 secret keys from every response: the last line of defence.

Other modules mask location URIs that they understand.  This module searches for the
secret keys themselves, so that an unforeseen answer cannot leak one.
"""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from urllib import parse

from s3gateway.config.keys import KeyPair

#: A shorter key may be a common word, such as a tutorial's "openstack".
MIN_LENGTH = 16

REDACTED = b"REDACTED"

_Encoding = Callable[[str], str]

_ENCODINGS: tuple[_Encoding, ...] = (
    str,
    parse.quote,
    parse.quote_plus,
    lambda text: parse.quote(text, safe=""),
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: json.dumps(text)[1:-1],
    lambda text: text.replace("/", "\\/"),
)


class Sweep:
    """Finds secret keys in texts.

    :param keys: returns the current keys.  Earlier ones are still searched for, unless
        they were temporary: those change every hour and would add up.  A secret key
        shorter than ``MIN_LENGTH`` is found only behind its access key, as
        in a location URI
    """

    def __init__(self, keys: Callable[[], Iterable[KeyPair]]) -> None:
        self._keys = keys
        self._lasting: set[str] = set()
        self._known: set[str] = set()
        self._forms: list[bytes] = []

    def redact(self, text: bytes) -> tuple[bytes, bool]:
        """Return the text without secret keys, and whether there were any."""
        self._learn()
        found = [form for form in self._forms if form in text]
        for form in found:
            text = text.replace(form, REDACTED)
        return text, bool(found)

    def _learn(self) -> None:
        pairs = list(self._keys())
        self._lasting.update(_looked_for(pair for pair in pairs if not pair.token))
        known = self._lasting.union(_looked_for(pairs))
        if known == self._known:
            return
        self._known = known
        forms = {form for key in self._known for form in _spellings(key)}
        # The longest first: a plain key may be the start of an escaped one.
        self._forms = sorted(map(str.encode, forms), key=len, reverse=True)


def _looked_for(keys: Iterable[KeyPair]) -> Iterator[str]:
    """Yield the texts to search for."""
    for pair in keys:
        if len(pair.secret_key) >= MIN_LENGTH:
            yield pair.secret_key
        if pair.access_key and pair.secret_key:
            yield f"{pair.access_key}:{pair.secret_key}@"
        if len(pair.token) >= MIN_LENGTH:
            yield pair.token


def _spellings(secret: str) -> set[str]:
    """Return a secret plain, and as one or two encodings would write it."""
    once = {encode(secret) for encode in _ENCODINGS}
    twice = {encode(text) for encode, text in itertools.product(_ENCODINGS, once)}
    lower = {
        re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text) for text in twice
    }
    return once | twice | lower
