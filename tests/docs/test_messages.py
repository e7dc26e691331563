# SPDX-License-Identifier: Apache-2.0
"""Every error text and every log line that matters is explained."""

from __future__ import annotations

import pathlib

import pytest

from tests.docs import messages


def test_every_message_is_in_the_documentation() -> None:
    missing, stale = messages.differences()
    assert not missing, "run python -m tests.docs.messages"
    assert not stale, "run python -m tests.docs.messages"


@pytest.mark.parametrize(
    "expected",
    [
        "Glance did not answer.",
        "Store <store> answered <status> <code>",  # f-string, stripped
        "The incoming image is too large: The provided image is too large.",  # constant
        "[<name>] s3_store_thread_pools: <count> is too small; set 1 or more",
        "A claim of image <image_id> was left: <error>",  # a log line's format
    ],
)
def test_messages_of_each_kind_are_found(expected: str) -> None:
    assert expected in messages.in_code()


def test_no_message_is_explained_twice() -> None:
    found = [messages.normal(message) for message in messages.in_page()]
    assert sorted({one for one in found if found.count(one) > 1}) == []


def test_a_message_that_is_not_explained_is_noticed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.rst"
    text = messages.PAGE.read_text()
    assert "\n``Glance did not answer.``\n" in text
    page.write_text(text.replace("``Glance did not answer.``", "``Never said.``"))
    monkeypatch.setattr(messages, "PAGE", page)
    assert messages.differences() == (["Glance did not answer."], ["Never said."])
