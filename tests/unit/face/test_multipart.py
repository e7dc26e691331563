# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

import pytest

from s3gateway.face.app import Face
from s3gateway.streams.buffers import Budget
from tests.support.s3.memory import etag_of
from tests.support.s3.memory import unavailable
from tests.support.s3.stores import TRANSFER
from tests.unit.face import signing
from tests.unit.face.conftest import IMAGE
from tests.unit.face.conftest import KEY
from tests.unit.face.conftest import MIB
from tests.unit.face.conftest import Ground

ONE = b"1" * (5 * MIB)
TWO = b"2" * 1234


def begun(ground: Ground) -> str:
    reply = ground.ask("POST", f"{KEY}?uploads")
    assert reply.status == 200
    assert (reply.text("Bucket"), reply.text("Key")) == ("fast", IMAGE)
    return reply.text("UploadId")


def sent(ground: Ground, upload_id: str, number: int, data: bytes) -> str:
    target = f"{KEY}?partNumber={number}&uploadId={upload_id}"
    reply = ground.ask("PUT", target, data)
    assert reply.status == 200
    return reply.answer.header("ETag")


def document(*parts: tuple[object, str], namespace: bool = True) -> bytes:
    told = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' if namespace else ""
    rows = "".join(
        f"<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        for number, etag in parts
    )
    found = f"<CompleteMultipartUpload{told}>{rows}</CompleteMultipartUpload>"
    return found.encode()


XML = document((1, etag_of(TWO))).decode()


@pytest.mark.parametrize("namespace", [True, False])
def test_parts_become_an_object(ground: Ground, namespace: bool) -> None:
    upload_id = begun(ground)
    two = sent(ground, upload_id, 2, TWO)
    one = sent(ground, upload_id, 1, ONE)
    assert ground.store.objects_by_key == {}
    body = document((1, one), (2, two), namespace=namespace)
    reply = ground.ask("POST", f"{KEY}?uploadId={upload_id}", body)
    assert (reply.status, reply.text("Key")) == (200, IMAGE)
    assert ground.store.objects_by_key == {IMAGE: ONE + TWO}
    assert reply.text("ETag")


def test_a_part_may_be_empty(ground: Ground) -> None:
    upload_id = begun(ground)
    one = sent(ground, upload_id, 1, b"")
    ground.ask("POST", f"{KEY}?uploadId={upload_id}", document((1, one)))
    assert ground.store.objects_by_key == {IMAGE: b""}


def test_only_the_named_parts_count(ground: Ground) -> None:
    upload_id = begun(ground)
    one = sent(ground, upload_id, 1, ONE)
    sent(ground, upload_id, 2, TWO)
    ground.ask("POST", f"{KEY}?uploadId={upload_id}", document((1, one)))
    assert ground.store.objects_by_key == {IMAGE: ONE}


def test_an_abort_leaves_nothing(ground: Ground) -> None:
    upload_id = begun(ground)
    sent(ground, upload_id, 1, ONE)
    assert ground.ask("DELETE", f"{KEY}?uploadId={upload_id}").status == 204
    assert ground.store.open_uploads == {}


def test_an_abort_of_another_upload_leaves_it(ground: Ground) -> None:
    """A second attempt of Glance has the same key."""
    upload_id = begun(ground)
    assert ground.ask("DELETE", f"{KEY}?uploadId=other").status == 204
    assert list(ground.store.open_uploads) == [upload_id]


def test_an_upload_that_is_not_there(ground: Ground) -> None:
    target = f"{KEY}?partNumber=1&uploadId=other"
    reply = ground.ask("PUT", target, ONE)
    assert (reply.status, reply.code) == (404, "NoSuchUpload")
    body = document((1, "0" * 32))
    reply = ground.ask("POST", f"{KEY}?uploadId=other", body)
    assert (reply.status, reply.code) == (404, "NoSuchUpload")


def test_a_part_that_is_not_the_signed_one_does_not_reach_the_store(
    ground: Ground,
) -> None:
    upload_id = begun(ground)
    target = f"{KEY}?partNumber=1&uploadId={upload_id}"
    environ = signing.request("PUT", target, TWO)
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "0" * 64
    assert ground.send(environ).code == "SignatureDoesNotMatch"
    reply = ground.ask("PUT", target, TWO, payload="0" * 64)
    assert reply.code == "XAmzContentSHA256Mismatch"
    assert ground.store.open_uploads[upload_id].parts == {}


def test_a_part_is_sent_again_if_the_store_does_not_answer(ground: Ground) -> None:
    upload_id = begun(ground)
    refusals = [1]

    def before(request: str, key: str) -> None:
        if request == "part" and refusals:
            refusals.pop()
            unavailable("part")(request, key)

    ground.store.before = before
    # The store in memory does not retry by itself, the one of S3 does.
    target = f"{KEY}?partNumber=1&uploadId={upload_id}"
    assert ground.ask("PUT", target, TWO).code == "ServiceUnavailable"
    assert sent(ground, upload_id, 1, TWO)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<Complete", "MalformedXML"),
        (document(), "MalformedXML"),
        (document((0, "a")), "MalformedXML"),
        (document((1, "&lt;")), "MalformedXML"),
        (document(("1x", "a")), "MalformedXML"),
        (document((2, "a"), (1, "b")), "InvalidPartOrder"),
        (document((1, "a"), (1, "b")), "InvalidPartOrder"),
        (b'<!DOCTYPE x [<!ENTITY y "z">]>' + document((1, "a")), "MalformedXML"),
        (document((1, "a")), "InvalidPart"),
        (b"\xff\xfe", "MalformedXML"),
        (f"<!DOCTYPE x>{XML}".encode("utf-16"), "MalformedXML"),
        (XML.encode("utf-16"), "MalformedXML"),
        (XML.encode("utf-16-le"), "MalformedXML"),
        (XML.encode("utf-16-be"), "MalformedXML"),
        (XML.replace("Complete", "Other").encode(), "MalformedXML"),
    ],
)
def test_completions_that_are_refused(ground: Ground, body: bytes, code: str) -> None:
    upload_id = begun(ground)
    sent(ground, upload_id, 1, TWO)
    reply = ground.ask("POST", f"{KEY}?uploadId={upload_id}", body)
    assert (reply.status, reply.code) == (400, code)
    assert ground.store.objects_by_key == {}
    assert upload_id in ground.store.open_uploads


@pytest.mark.parametrize("number", ["0", "10001", "x", "1.5", "-1", ""])
def test_part_numbers(ground: Ground, number: str) -> None:
    upload_id = begun(ground)
    target = f"{KEY}?partNumber={number}&uploadId={upload_id}"
    assert ground.ask("PUT", target, TWO).code == "InvalidArgument"


def test_a_part_that_memory_does_not_hold_is_refused(ground: Ground) -> None:
    environ = signing.request("PUT", f"{KEY}?partNumber=1&uploadId=x", b"")
    environ["CONTENT_LENGTH"] = str(641 * MIB)
    reply = ground.send(environ)
    assert (reply.status, reply.code) == (400, "EntityTooLarge")


def test_parts_at_once_share_the_memory(ground: Ground) -> None:
    """Those that do not fit wait, and all get through."""
    send_at_once(ground)


def test_one_part_at_a_time_may_be_more_than_the_memory(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []

    class Observed(Budget):
        """Those who have got memory rest while others ask for it."""

        def wait_for(self, size: int, at_once: Callable[[], bool]) -> None:
            super().wait_for(size, at_once)
            left.append(self._left)
            time.sleep(0.05)

    monkeypatch.setattr("s3gateway.upload.stream.Budget", Observed)
    none = dataclasses.replace(TRANSFER, upload_memory=0)
    ground.face = Face(ground.keys, {"fast": ground.store}, none, ground.written)
    send_at_once(ground)
    assert left == [-MIB] * 8


def send_at_once(ground: Ground) -> None:
    """Send eight parts of a MiB at the same time."""
    upload_id = begun(ground)
    data = b"x" * MIB
    replies: list[str] = []

    def send(number: int) -> None:
        replies.append(sent(ground, upload_id, number, data))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(replies) == 8
    assert len(ground.store.open_uploads[upload_id].parts) == 8
