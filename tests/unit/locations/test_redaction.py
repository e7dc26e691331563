# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import json
import re
from urllib import parse

import pytest

from s3gateway.locations.redaction import Sweep

SECRET = "wJalr<XUtn>FEMI/K7MDENG+bPx&R'fi\"CY=KEY"

ENCODED = {
    "plain": SECRET,
    "quoted": parse.quote(SECRET, safe=""),
    "quoted, slashes kept": parse.quote(SECRET),
    "quoted, lower case": re.sub(
        "%..", lambda code: code[0].lower(), parse.quote(SECRET, safe="")
    ),
    "html": html.escape(SECRET),
    "html, quotes kept": html.escape(SECRET, quote=False),
    "json": json.dumps(SECRET)[1:-1],
    "html in json": json.dumps(html.escape(SECRET))[1:-1],
    "quoted in html": html.escape(parse.quote(SECRET)),
    "json with escaped slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
}


@pytest.mark.parametrize("form", ENCODED)
def test_every_spelling_is_found(form: str) -> None:
    text = f"before {ENCODED[form]} after".encode()
    assert Sweep(lambda: [SECRET]).redact(text) == (b"before REDACTED after", True)


def test_short_keys_are_words_that_occur_anywhere() -> None:
    text = b"openstack is not a secret"
    assert Sweep(lambda: ["openstack", ""]).redact(text) == (text, False)


def test_keys_of_before_are_still_found() -> None:
    keys = ["an-old-secret-key-of-ours"]
    sweep = Sweep(lambda: keys)
    sweep.redact(b"")
    keys[0] = "a-new-secret-key-of-ours"
    for key in (b"an-old-secret-key-of-ours", b"a-new-secret-key-of-ours"):
        assert sweep.redact(key) == (b"REDACTED", True)
