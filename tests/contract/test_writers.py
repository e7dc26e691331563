# SPDX-License-Identifier: Apache-2.0
"""What every store does with multipart uploads."""

from __future__ import annotations

from concurrent import futures

import pytest

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.http.ranges import Span
from tests.contract.conftest import Subject
from tests.contract.objects import PART
from tests.contract.objects import PARTS
from tests.contract.objects import read
from tests.contract.objects import slabs

DATA = b"".join(PARTS)
UPLOADS_OF_2010 = {"moto"}  # it says so of each one


def test_parts_become_the_object_whatever_order_they_come_in(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    writer = store.begin(key)
    assert writer.upload_id
    with pytest.raises(ObjectNotFound):
        store.stat(key)
    with futures.ThreadPoolExecutor(3) as pool:
        numbered = list(enumerate(PARTS, start=1))[::-1]
        list(pool.map(lambda each: writer.send(each[0], slabs(each[1])), numbered))
    with pytest.raises(ObjectNotFound):
        store.stat(key)
    writer.commit()
    assert store.stat(key).size == len(DATA)
    assert read(store, key, Span(0, len(DATA)), len(DATA)) == DATA
    over = Span(PART - 10, 2 * PART + 10)
    assert read(store, key, over, len(DATA)) == DATA[over.start : over.stop]
    store.delete(key)


def test_a_part_that_is_sent_again_counts_once(offered: Subject) -> None:
    """The answer to the first try was lost."""
    store, key = offered.store, offered.key()
    writer = store.begin(key)
    for number, part in [(1, PARTS[1]), (2, PARTS[2]), (1, PARTS[0])]:
        writer.send(number, slabs(part))
    writer.commit()
    size = len(PARTS[0]) + len(PARTS[2])
    assert store.stat(key).size == size
    assert read(store, key, Span(0, size), size) == PARTS[0] + PARTS[2]
    store.delete(key)


def test_a_commit_whose_answer_was_lost_may_be_repeated(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    writer = store.begin(key)
    writer.send(1, slabs(PARTS[2]))
    writer.commit()
    writer.commit()
    assert store.stat(key).size == len(PARTS[2])
    store.delete(key)


def test_an_aborted_upload_leaves_nothing(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    writer = store.begin(key)
    writer.send(1, slabs(PARTS[2]))
    writer.cancel()
    writer.abort()
    writer.abort()
    with pytest.raises(ObjectNotFound):
        store.stat(key)
    with pytest.raises(StoreError):
        writer.commit()


def test_an_upload_is_abandoned_by_its_id(offered: Subject) -> None:
    """As another process does that finds it in a claim."""
    store, key = offered.store, offered.key()
    writer = store.begin(key)
    writer.send(1, slabs(PARTS[2]))
    store.abandon(key, writer.upload_id)
    store.abandon(key, writer.upload_id)


def test_an_upload_is_abandoned_by_its_key(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    other = subject.key(key + "0")
    store.begin(key)
    kept = store.begin(other)
    store.abandon(key)
    assert len(set(subject.left())) == 1
    kept.abort()


def test_uploads_that_are_listed_are_open_ones(subject: Subject) -> None:
    """A store need not list all of them, but what it lists can be abandoned."""
    store = subject.store
    ids = {store.begin(subject.key()).upload_id for _ in range(2)}
    for listed in store.uploads():
        assert listed.upload_id in ids
        assert listed.key in subject.used
        if subject.server is None or subject.server.name not in UPLOADS_OF_2010:
            assert -60 < listed.age < 60
    for key in subject.used:
        store.abandon(key)


def test_an_object_and_an_upload_to_its_key_do_not_meet(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    store.put(key, [memoryview(b"object")])
    writer = store.begin(key)
    writer.send(1, slabs(PARTS[2]))
    assert store.note(key).data == b"object"
    writer.abort()
    assert store.note(key).data == b"object"
    store.delete(key)
