# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import json
import re
from urllib import parse

import pytest

from s3gateway.config.keys import KeyPair
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
    sweep = Sweep(lambda: [KeyPair("AK", SECRET)])
    assert sweep.redact(text) == (b"before REDACTED after", True)


def test_short_keys_are_words_that_occur_anywhere() -> None:
    text = b"openstack is not a secret"
    sweep = Sweep(lambda: [KeyPair("AK", "openstack"), KeyPair("", "")])
    assert sweep.redact(text) == (text, False)


def test_short_keys_are_found_behind_their_access_key() -> None:
    sweep = Sweep(lambda: [KeyPair("openstack", "0p3n'stack")])
    text = b"s3://openstack:0p3n'stack@host/bucket/key"
    assert sweep.redact(text) == (b"s3://REDACTEDhost/bucket/key", True)


def test_keys_of_before_are_still_found() -> None:
    keys = [KeyPair("AK", "an-old-secret-key-of-ours")]
    sweep = Sweep(lambda: keys)
    sweep.redact(b"")
    keys[0] = KeyPair("AK", "a-new-secret-key-of-ours")
    for key in (b"an-old-secret-key-of-ours", b"a-new-secret-key-of-ours"):
        assert sweep.redact(key) == (b"REDACTED", True)


TOKEN = "IQoJb3JpZ2luX2VjE/+session//token=="


@pytest.mark.parametrize("secret", [SECRET, TOKEN])
def test_temporary_keys_and_their_token_are_found(secret: str) -> None:
    sweep = Sweep(lambda: [KeyPair("AK", SECRET, TOKEN)])
    for form in (secret, parse.quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert sweep.redact(f"<{form}>".encode()) == (b"<REDACTED>", True)


def test_temporary_keys_do_not_add_up() -> None:
    """There is another pair each hour, and each text is searched for all of them."""
    lasting = KeyPair("AK", SECRET)
    keys = [lasting, KeyPair("ASIA", "a-temporary-secret-0", "a-session-token-of-0")]
    sweep = Sweep(lambda: keys)
    sweep.redact(b"")
    keys[:] = [KeyPair("ASIA", "a-temporary-secret-1", "a-session-token-of-1")]
    for gone in (b"a-temporary-secret-0", b"a-session-token-of-0"):
        assert sweep.redact(gone) == (gone, False)
    for found in (SECRET.encode(), b"a-temporary-secret-1", b"a-session-token-of-1"):
        assert sweep.redact(found) == (b"REDACTED", True)
