# SPDX-License-Identifier: Apache-2.0
"""What every store does with whole objects."""

from __future__ import annotations

from concurrent import futures

import pytest

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.http.ranges import Span
from tests.contract.conftest import GLANCE_ID
from tests.contract.conftest import Subject
from tests.contract.objects import DATA
from tests.contract.objects import content
from tests.contract.objects import fill
from tests.contract.objects import read
from tests.contract.objects import views


def test_the_check_sees_what_is_left_behind(offered: Subject) -> None:
    one, other = offered.key(), offered.key()
    offered.store.put(one, views(b"left"))
    writer = offered.store.begin(other)
    left = offered.left()
    assert one in left
    assert any(other in name and "upload" in name for name in left)
    writer.abort()
    offered.store.delete(one)
    assert offered.left() == []


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=len)
def test_what_is_put_is_there(offered: Subject, data: bytes) -> None:
    store, key = offered.store, offered.key()
    half = len(data) // 2
    store.put(key, views(data[:half], data[half:]))
    assert store.stat(key).size == len(data)
    if data:
        assert content(store, key, len(data)) == data
    if len(data) < 64 * 1024:
        assert store.note(key).data == data
    store.delete(key)
    with pytest.raises(ObjectNotFound):
        store.stat(key)


@pytest.mark.parametrize("data", [b"", DATA], ids=len)
def test_what_is_put_is_listed_and_has_an_age(subject: Subject, data: bytes) -> None:
    store, key = subject.store, subject.key()
    store.put(key, views(data))
    assert -60 < store.note(key).age < 60
    assert [(o.key, o.size) for o in store.objects(key)] == [(key, len(data))]
    store.delete(key)
    assert not list(store.objects(key))


def test_everything_says_which_glance_it_belongs_to(subject: Subject) -> None:
    store, keys = subject.store, [subject.key() for _ in range(3)]
    store.put(keys[0], views(b"a note"))
    store.put(keys[1], views(b"an image"), about={"image-id": "an-id"})
    writer = store.begin(keys[2])
    writer.send(1, views(b"a large image"))
    writer.commit()
    for key in keys:
        whose = (store.stat(key).glance_id, store.note(key).glance_id)
        assert whose == (GLANCE_ID, GLANCE_ID)
        store.delete(key)


def test_a_put_replaces(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    store.put(key, views(b"one"))
    before = store.note(key).etag
    store.put(key, views(b"another"))
    assert store.note(key).data == b"another"
    assert store.note(key).etag not in ("", before)
    store.delete(key)


def test_what_is_not_there(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    with pytest.raises(ObjectNotFound):
        store.stat(key)
    with pytest.raises(ObjectNotFound):
        store.note(key)
    with pytest.raises(ObjectNotFound):
        store.read(key, Span(0, 10), size=10)
    with pytest.raises(ObjectNotFound):
        store.read(key, Span(2, 5), size=10)
    store.delete(key)


def test_nothing_is_listed_and_no_upload_is_abandoned(subject: Subject) -> None:
    store, key = subject.store, subject.key()
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


def test_a_put_that_must_not_replace(offered: Subject) -> None:
    """What a store that cannot tell does is told by ``decides_between_writers``."""
    store, key = offered.store, offered.key()
    store.put(key, views(b"first"), if_absent=True)
    try:
        store.put(key, views(b"second"), if_absent=True)
    except ObjectExists:
        assert store.note(key).data == b"first"
    else:
        assert not store.decides_between_writers()
    store.delete(key)
    store.put(key, views(b"third"), if_absent=True)
    assert store.note(key).data == b"third"
    store.delete(key)


def test_a_put_that_replaces_one_version_alone(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    first = store.put(key, views(b"first"))
    assert first.strip('"') == store.note(key).etag.strip('"')
    second = store.put(key, views(b"second"), if_match=first)
    assert store.note(key).data == b"second"
    try:
        store.put(key, views(b"third"), if_match=first)
    except ObjectExists:
        assert store.note(key).data == b"second"
        store.put(key, views(b"third"), if_match=second)
    assert store.note(key).data == b"third"
    store.delete(key)
    with pytest.raises((ObjectExists, ObjectNotFound)):
        store.put(key, views(b"fourth"), if_match=second)
    assert not list(store.objects(key))


def test_one_of_many_writers_wins_where_the_store_decides(offered: Subject) -> None:
    store, key = offered.store, offered.key()

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
def test_a_span_is_read_alone(offered: Subject, span: Span) -> None:
    store, key = offered.store, offered.key()
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
def test_buffers_are_filled(offered: Subject, span: Span) -> None:
    store, key = offered.store, offered.key()
    store.put(key, views(DATA))
    for _ in range(2):  # the second time over the connection of the first
        reader = store.read(key, span, size=len(DATA))
        found = reader.read(1000) + fill(reader, 150_001) + reader.read(1000)
        while len(found) < span.length:
            found += fill(reader, min(10_000, span.length - len(found)))
        reader.close()
        assert found == DATA[span.start : span.stop]
    store.delete(key)


def test_a_reader_may_be_closed_at_any_time(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    store.put(key, views(DATA))
    for limit in (0, 1, len(DATA)):
        reader = store.read(key, Span(0, len(DATA)), size=len(DATA))
        if limit:
            assert reader.read(limit)
        reader.close()
        reader.close()
    assert content(store, key, len(DATA)) == DATA
    store.delete(key)
