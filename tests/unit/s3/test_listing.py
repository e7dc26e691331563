# SPDX-License-Identifier: Apache-2.0
"""Listings of servers that name the start of the next page, or only in part."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from s3gateway.errors import StoreError
from s3gateway.s3 import listing
from s3gateway.s3.bucket import Bucket
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER

THEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
KEYS = [f"key-{number}" for number in range(7)]
PAGE = 3


class Server(Bucket):
    """A server with seven objects and seven uploads, three of them on a page.

    :ivar says: which of its markers it names
    """

    def __init__(self, *says: str) -> None:
        super().__init__(store_settings(), TRANSFER)
        self.says = says
        self.asked: list[dict[str, str]] = []
        self.stuck = False

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        self.asked.append(parameters)
        assert len(self.asked) < 10, "for ever"
        after = max(
            parameters.get(name, "")
            for name in ("ContinuationToken", "StartAfter", "KeyMarker")
        )
        found = [key for key in KEYS if key > after or self.stuck]
        page, last = found[:PAGE], found[:PAGE][-1:]
        markers = dict.fromkeys(("NextContinuationToken", "NextKeyMarker"), *last)
        markers["NextUploadIdMarker"] = f"upload-{last[0]}"
        return {
            "ResponseMetadata": {"HTTPHeaders": {}},
            "IsTruncated": len(found) > PAGE,
            "Contents": [{"Key": k, "LastModified": THEN, "Size": 1} for k in page],
            "Uploads": [
                {"Key": k, "Initiated": THEN, "UploadId": f"upload-{k}"} for k in page
            ],
            **{name: markers[name] for name in self.says},
        }


@pytest.mark.parametrize("says", [("NextContinuationToken",), ()])
def test_objects(says: tuple[str, ...]) -> None:
    server = Server(*says)
    assert [found.key for found in listing.objects(server, "key")] == KEYS
    assert {asked["Prefix"] for asked in server.asked} == {"key"}


@pytest.mark.parametrize(
    "says",
    [
        ("NextKeyMarker", "NextUploadIdMarker"),
        ("NextKeyMarker",),
        ("NextUploadIdMarker",),
        (),
    ],
)
def test_uploads(says: tuple[str, ...]) -> None:
    server = Server(*says)
    found = list(listing.uploads(server))
    assert [each.key for each in found] == KEYS
    assert [each.upload_id for each in found] == [f"upload-{key}" for key in KEYS]


@pytest.mark.parametrize("says", [("NextPartNumberMarker",), ()])
def test_the_parts_of_an_upload(says: tuple[str, ...]) -> None:
    class Parts(Bucket):
        """A server with seven parts of an upload, three of them on a page."""

        def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
            assert operation == "list_parts"
            assert (parameters["Key"], parameters["UploadId"]) == ("key", "id")
            after = parameters.get("PartNumberMarker", 0)
            numbers = range(after + 1, min(after + PAGE, 7) + 1)
            markers = {"NextPartNumberMarker": str(after + PAGE)}
            return {
                "ResponseMetadata": {"HTTPHeaders": {}},
                "IsTruncated": after + PAGE < 7,
                "Parts": [{"PartNumber": n, "Size": 10**n} for n in numbers],
                **{name: markers[name] for name in says},
            }

    server = Parts(store_settings(), TRANSFER)
    assert listing.received(server, "key", "id") == 11_111_110


def test_a_server_that_begins_again_and_again() -> None:
    server = Server()
    server.stuck = True
    for pages in (listing.uploads(server), listing.objects(server, "key")):
        server.asked.clear()
        assert [next(pages).key for _ in range(PAGE)] == KEYS[:PAGE]
        with pytest.raises(StoreError, match="the same page again and again"):
            next(pages)


def test_an_empty_page_that_is_said_not_to_be_the_last() -> None:
    server = Server()
    server.ask = lambda *words, **parameters: {  # type: ignore[method-assign]
        "ResponseMetadata": {"HTTPHeaders": {}},
        "IsTruncated": True,
    }
    assert list(listing.uploads(server)) == []
    assert list(listing.objects(server, "key")) == []
