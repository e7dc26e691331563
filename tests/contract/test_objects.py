# SPDX-License-Identifier: Apache-2.0
"""What every store does with whole objects."""

from __future__ import annotations

from concurrent import futures

import pytest

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.http.ranges import Span
from tests.contract.conftest import Subject
from tests.contract.objects import DATA
from tests.contract.objects import content
from tests.contract.objects import fill
from tests.contract.objects import read
from tests.contract.objects import views


def test_the_check_sees_what_is_left_behind(subject: Subject) -> None:
    one, other = subject.key(), subject.key()
    subject.store.put(one, views(b"left"))
    writer = subject.store.begin(other)
    left = subject.left()
    assert one in left
    assert any(other in name and "upload" in name for name in left)
    writer.abort()
    subject.store.delete(one)
    assert subject.left() == []


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=len)
def test_what_is_put_is_there(subject: Subject, data: bytes) -> None:
    store, key = subject.store, subject.key()
    half = len(data) // 2
    store.put(key, views(data[:half], data[half:]))
    assert store.stat(key).size == len(data)
    if data:
        assert content(store, key, len(data)) == data
    if len(data) < 64 * 1024:
        assert store.note(key).data == data
    assert -60 < store.note(key).age < 60
    assert [(o.key, o.size) for o in store.objects(key)] == [(key, len(data))]
    store.delete(key)
    assert not list(store.objects(key))


def test_a_put_replaces(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    store.put(key, views(b"one"))
    before = store.note(key).etag
    store.put(key, views(b"another"))
    assert store.note(key).data == b"another"
    assert store.note(key).etag not in ("", before)
    store.delete(key)


def test_what_is_not_there(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    with pytest.raises(ObjectNotFound):
        store.stat(key)
    with pytest.raises(ObjectNotFound):
        store.note(key)
    with pytest.raises(ObjectNotFound):
        store.read(key, Span(0, 10), size=10)
    with pytest.raises(ObjectNotFound):
        store.read(key, Span(2, 5), size=10)
    store.delete(key)
    store.abandon(key)
    assert not list(store.objects(key))


@pytest.mark.parametrize(
    "name", [".s3gateway/an image", "a+b=c&d%20e", "ü~é/日本", "a..b/c'()*!"]
)
def test_odd_keys(subject: Subject, name: str) -> None:
    store, key = subject.store, subject.key(name)
    store.put(key, views(DATA))
    assert read(store, key, Span(5, 2005), len(DATA)) == DATA[5:2005]
    assert [found.key for found in store.objects(key[:2])] == [key]
    store.delete(key)
    with pytest.raises(ObjectNotFound):
        store.stat(key)


def test_a_prefix_is_a_prefix(subject: Subject) -> None:
    store = subject.store
    keys = [subject.key(f"{name}.{i}") for name in ("one", "two") for i in range(3)]
    for key in keys:
        store.put(key, views(key.encode()))
    assert sorted(o.key for o in store.objects("one.")) == keys[:3]
    assert sorted(o.key for o in store.objects("")) == keys
    assert not list(store.objects("three"))
    for key in keys:
        store.delete(key)


def test_a_put_that_must_not_replace(subject: Subject) -> None:
    """Whether that holds for several at once is another question."""
    store, key = subject.store, subject.key()
    store.put(key, views(b"first"), if_absent=True)
    with pytest.raises(ObjectExists):
        store.put(key, views(b"second"), if_absent=True)
    assert store.note(key).data == b"first"
    store.delete(key)
    store.put(key, views(b"third"), if_absent=True)
    assert store.note(key).data == b"third"
    store.delete(key)


def test_a_put_that_may_replace_one_version_only(subject: Subject) -> None:
    """Where it is not known what that is, the last one to write wins."""
    store, key = subject.store, subject.key()
    first = store.put(key, views(b"first"))
    assert first == store.note(key).etag != ""
    second = store.put(key, views(b"second"), if_match=first)
    assert store.note(key).data == b"second"
    try:
        store.put(key, views(b"third"), if_match=first)
    except ObjectExists:
        assert store.note(key).data == b"second"
        assert store.put(key, views(b"third"), if_match=second) != second
    else:
        assert not store.decides_between_writers()
    assert store.note(key).data == b"third"
    store.delete(key)
    try:
        store.put(key, views(b"fourth"), if_match=first)
    except (ObjectExists, ObjectNotFound):
        assert subject.left() == []
    store.delete(key)


def test_one_of_many_writers_wins_where_the_store_decides(subject: Subject) -> None:
    store, key = subject.store, subject.key()

    def put(number: int) -> int:
        try:
            store.put(key, views(str(number).encode()), if_absent=True)
        except ObjectExists:
            return 0
        return 1

    with futures.ThreadPoolExecutor(8) as pool:
        winners = sum(pool.map(put, range(8)))
    assert winners == 1 if store.decides_between_writers() else winners >= 1
    store.delete(key)


@pytest.mark.parametrize(
    "span",
    [
        Span(0, 1),
        Span(0, len(DATA) - 1),
        Span(len(DATA) - 1, len(DATA)),
        Span(1000, 200_000),
    ],
    ids=str,
)
def test_a_span_is_read_alone(subject: Subject, span: Span) -> None:
    store, key = subject.store, subject.key()
    store.put(key, views(DATA))
    assert read(store, key, span, len(DATA)) == DATA[span.start : span.stop]
    store.delete(key)


def test_only_the_version_that_was_meant_is_read(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    store.put(key, views(DATA))
    etag = store.stat(key).etag
    span = Span(10, 20)
    assert read(store, key, span, len(DATA), etag) == DATA[10:20]
    for part in (span, Span(0, len(DATA))):
        with pytest.raises(ObjectNotFound):
            store.read(key, part, size=len(DATA), etag='"another"')
    for part in (span, Span(0, len(DATA) + 1)):
        with pytest.raises(ObjectNotFound):
            store.read(key, part, size=len(DATA) + 1)
    store.delete(key)


@pytest.mark.parametrize("span", [Span(0, len(DATA)), Span(7, 200_007)], ids=str)
def test_buffers_are_filled(subject: Subject, span: Span) -> None:
    store, key = subject.store, subject.key()
    store.put(key, views(DATA))
    for _ in range(2):  # the second time over the connection of the first
        reader = store.read(key, span, size=len(DATA))
        found = reader.read(1000) + fill(reader, 150_001) + reader.read(1000)
        while len(found) < span.length:
            found += fill(reader, min(10_000, span.length - len(found)))
        reader.close()
        assert found == DATA[span.start : span.stop]
    store.delete(key)


def test_a_reader_may_be_closed_at_any_time(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    store.put(key, views(DATA))
    for limit in (0, 1, len(DATA)):
        reader = store.read(key, Span(0, len(DATA)), size=len(DATA))
        if limit:
            assert reader.read(limit)
        reader.close()
        reader.close()
    assert content(store, key, len(DATA)) == DATA
    store.delete(key)
