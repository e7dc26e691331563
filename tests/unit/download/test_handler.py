# SPDX-License-Identifier: Apache-2.0
"""GET of image data from top to bottom, with a Glance and stores in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import PreconditionFailed
from s3gateway.errors import RangeNotSatisfiable
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.glance.notifications import Notifications
from s3gateway.http.wsgi import Answer
from tests.support.s3.memory import MemoryStore
from tests.unit.download.conftest import DATA
from tests.unit.download.conftest import FROM_GLANCE
from tests.unit.download.conftest import ID
from tests.unit.download.conftest import FakeGlance
from tests.unit.download.conftest import Make
from tests.unit.download.conftest import location
from tests.unit.download.conftest import request
from tests.unit.download.conftest import shown

Stores = dict[str, MemoryStore]
LAST = "Fri, 20 Nov 2026 12:00:00 GMT"


def refusing(*requests: str, error: BaseException) -> Callable[[str, str], None]:
    def before(name: str, key: str) -> None:
        if name in requests:
            raise error

    return before


def data_of(answer: Answer) -> bytes:
    return answer.read()


def test_all_of_an_image(make: Make, glance: FakeGlance, stores: Stores) -> None:
    answer = make().get(request(), ID)
    assert answer.status == "200 OK"
    assert answer.header("Content-Length") == str(len(DATA))
    assert answer.header("Content-MD5") == glance.images[ID]["checksum"]
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("ETag") == f'"{glance.images[ID]["os_hash_value"]}"'
    assert answer.header("Last-Modified") == LAST
    assert data_of(answer) == DATA
    assert stores["fast"].open_readers == 0
    assert stores["cheap"].requests == []
    assert [asked[2] for asked in glance.requests] == ["", f"bytes={len(DATA)}-"]


def test_head_reads_nothing(make: Make, stores: Stores) -> None:
    answer = make().get(request("HEAD", HTTP_RANGE="bytes=1-2"), ID)
    assert answer.status == "200 OK"
    assert answer.header("Content-Length") == str(len(DATA))
    assert data_of(answer) == b""
    assert stores["fast"].requests == []


@pytest.mark.parametrize(
    ("field", "value", "start", "stop"),
    [
        ("HTTP_RANGE", "bytes=5-9", 5, 10),
        ("HTTP_RANGE", f"bytes=5-{'9' * 5000}", 5, len(DATA)),
        ("HTTP_RANGE", "bytes=-7", len(DATA) - 7, len(DATA)),
        ("HTTP_CONTENT_RANGE", "bytes 5-9/*", 5, 10),
    ],
)
def test_a_part(make: Make, field: str, value: str, start: int, stop: int) -> None:
    answer = make().get(request(**{field: value}), ID)
    assert answer.status == "206 Partial Content"
    assert answer.header("Content-Range") == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert data_of(answer) == DATA[start:stop]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("HTTP_RANGE", f"bytes={len(DATA)}-"),
        ("HTTP_RANGE", f"bytes={'9' * 5000}-"),
        ("HTTP_CONTENT_RANGE", "bytes 0-100/5"),
        ("HTTP_CONTENT_RANGE", f"bytes 0-{'9' * 5000}/*"),
    ],
)
def test_a_part_that_is_not_there(
    make: Make, stores: Stores, field: str, value: str
) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        make().get(request(**{field: value}), ID)
    assert ("Content-Range", f"bytes */{len(DATA)}") in refused.value.headers
    assert stores["fast"].requests == []


def test_several_parts_are_glances_to_refuse(make: Make, glance: FakeGlance) -> None:
    answer = make().get(request(HTTP_RANGE="bytes=0-1,5-6"), ID)
    assert data_of(answer) == FROM_GLANCE
    assert glance.was_passed_to


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"HTTP_IF_NONE_MATCH": "*"}, 304),
        ({"HTTP_IF_MODIFIED_SINCE": LAST}, 304),
        ({"HTTP_IF_MODIFIED_SINCE": "Fri, 20 Nov 99999999999 12:00:00 GMT"}, 200),
        ({"HTTP_IF_RANGE": '"another"', "HTTP_RANGE": "bytes=0-1"}, 200),
        ({"HTTP_IF_RANGE": LAST, "HTTP_RANGE": "bytes=0-1"}, 206),
    ],
)
def test_conditions(make: Make, fields: dict[str, str], outcome: int) -> None:
    answer = make().get(request(**fields), ID)
    assert answer.code == outcome
    answer.close()


def test_a_condition_that_fails(make: Make, stores: Stores) -> None:
    with pytest.raises(PreconditionFailed):
        make().get(request(HTTP_IF_MATCH='"another"'), ID)
    assert stores["fast"].requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "queued", "size": None},
        {"status": "deactivated"},
        {"size": 0},
        {"locations": []},
        {"locations": [{"url": "file:///images/x", "metadata": {"store": "disk"}}]},
        {
            "locations": [
                {"url": "file:///images/x", "metadata": {"store": "disk"}},
                location("fast", "images"),
            ]
        },
    ],
    ids=str,
)
def test_what_is_not_ours_is_glances(
    make: Make, glance: FakeGlance, stores: Stores, changes: dict[str, Any]
) -> None:
    glance.images[ID] = shown(**changes)
    assert data_of(make().get(request(), ID)) == FROM_GLANCE
    assert glance.was_passed_to
    assert stores["fast"].requests == []


def test_an_image_that_is_not_there(make: Make, glance: FakeGlance) -> None:
    glance.images.clear()
    answer = make().get(request(), ID)
    assert answer.code == 404
    assert glance.was_passed_to


def test_a_caller_who_may_not(make: Make, glance: FakeGlance, stores: Stores) -> None:
    glance.readable = False
    assert make().get(request(), ID).code == 403
    assert glance.was_passed_to
    assert stores["fast"].requests == []


@pytest.mark.parametrize("shows", [{"status": "active"}, {"id": ID}, []], ids=str)
def test_a_glance_that_shows_no_image(
    make: Make, glance: FakeGlance, shows: Any
) -> None:
    glance.images[ID] = shows
    with pytest.raises(GlanceError):
        make().get(request(), ID)


def test_the_preferred_store_comes_first(make: Make, stores: Stores) -> None:
    answer = make().get(request(QUERY_STRING="prefer=cheap"), ID)
    assert data_of(answer) == DATA
    assert stores["fast"].requests == []


AWAY = StoreUnavailable("Store fast did not answer")
DENIED = StoreDenied("Store fast answered 403 AccessDenied")
WRONG_KEYS = StoreDenied("Store fast answered 403 InvalidAccessKeyId")
WRONG_KEYS.store_wide = True
FAILS = StoreUnavailable("Store fast answered 500 InternalError")
FAILS.code = "InternalError"


@pytest.mark.parametrize("error", [AWAY, DENIED, ObjectNotFound("gone")], ids=repr)
@pytest.mark.parametrize("step", ["read", "more"])
def test_the_other_store_has_it(
    make: Make, stores: Stores, step: str, error: StoreError
) -> None:
    stores["fast"].before = refusing(step, error=error)
    assert data_of(make().get(request(), ID)) == DATA
    assert stores["fast"].open_readers == stores["cheap"].open_readers == 0


@pytest.mark.parametrize(
    ("error", "status"),
    [(AWAY, 503), (WRONG_KEYS, 503), (DENIED, 500), (FAILS, 500)],
    ids=repr,
)
@pytest.mark.parametrize("step", ["read", "more"])
def test_no_store_has_it(
    make: Make, stores: Stores, step: str, error: StoreError, status: int
) -> None:
    """What is said of one object is not worth another try: a 500 as in stock."""
    for store in stores.values():
        store.before = refusing(step, error=error)
    with pytest.raises(StoreError) as refused:
        make().get(request(), ID)
    assert refused.value.status == status
    assert all(store.open_readers == 0 for store in stores.values())


def test_an_object_that_is_nowhere_is_glances_to_miss(
    make: Make, glance: FakeGlance, stores: Stores
) -> None:
    """It may be in a store that only Glance knows by now."""
    for store in stores.values():
        store.objects_by_key.clear()
    assert data_of(make().get(request(), ID)) == FROM_GLANCE
    assert glance.was_passed_to


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("can't start new thread"),
        MemoryError(),
        OSError(24, "Too many open files"),
        SystemExit(1),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("step", ["read", "more"])
def test_nothing_is_left_open_before_the_first_byte(
    make: Make, stores: Stores, step: str, failure: BaseException
) -> None:
    stores["fast"].before = refusing(step, error=failure)
    before = set(threading.enumerate())
    with pytest.raises(type(failure)):
        make(verify_downloads=True).get(request(), ID)
    assert stores["fast"].open_readers == 0
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_no_thread_for_the_digest(
    make: Make, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then an error is answered: what is not verified is not handed out."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError):
        make(verify_downloads=True).get(request(), ID)
    assert stores["fast"].requests == []


def test_a_digest_that_is_another(make: Make, glance: FakeGlance) -> None:
    glance.images[ID] = shown(os_hash_value="0" * 128)
    answer = make(verify_downloads=True).get(request(), ID)
    received: list[bytes] = []
    with pytest.raises(ObjectNotFound):
        received.extend(answer.body)
    assert sum(map(len, received)) < len(DATA)


def test_a_part_is_not_verified(make: Make, glance: FakeGlance) -> None:
    glance.images[ID] = shown(os_hash_value="0" * 128)
    handler = make(verify_downloads=True)
    answer = handler.get(request(HTTP_RANGE="bytes=0-9"), ID)
    assert data_of(answer) == DATA[:10]


def test_an_image_without_digests(make: Make, glance: FakeGlance) -> None:
    glance.images[ID] = shown(os_hash_value=None, os_hash_algo=None, checksum=None)
    answer = make(verify_downloads=True).get(request(), ID)
    assert data_of(answer) == DATA
    assert not answer.header("ETag")
    assert not answer.header("Content-MD5")


class Bus:
    """A notifier that keeps what it is given, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.sent: list[tuple[str, Any]] = []
        self._failure = failure

    def info(self, context: Any, event: str, payload: Any) -> None:
        if self._failure is not None:
            raise self._failure
        self.sent.append((event, payload))

    error = info


def test_what_was_sent_is_told(make: Make) -> None:
    bus = Bus()
    answer = make(Notifications(bus)).get(request(HTTP_RANGE="bytes=5-9"), ID)
    assert bus.sent == []
    assert data_of(answer) == DATA[5:10]
    told = {
        "bytes_sent": 5,
        "image_id": ID,
        "owner_id": "acme",
        "receiver_tenant_id": "acme",
        "receiver_user_id": "alice",
    }
    assert bus.sent == [("image.send", told)]


def test_a_notifier_that_fails_breaks_nothing(make: Make) -> None:
    bus = Bus(ConnectionError("the message bus is down"))
    assert data_of(make(Notifications(bus)).get(request(), ID)) == DATA


def test_nothing_is_told_of_a_body_that_broke_off(make: Make, stores: Stores) -> None:
    bus = Bus()
    answer = make(Notifications(bus)).get(request(), ID)
    body = iter(answer.body)
    received = next(body)
    for store in stores.values():
        store.before = refusing("read", "more", error=AWAY)
    for _ in range(3):
        with pytest.raises(GatewayError):
            next(body)
    answer.close()
    assert DATA.startswith(received)
    assert bus.sent == []
    assert all(store.open_readers == 0 for store in stores.values())


def test_a_client_that_goes_away(make: Make, stores: Stores) -> None:
    answer = make().get(request(), ID)
    assert next(iter(answer.body))
    answer.close()
    answer.close()
    assert stores["fast"].open_readers == 0


def test_a_dead_first_copy_is_not_waited_for(make: Make, stores: Stores) -> None:
    dead = StoreUnavailable("Store fast broke off: NewConnectionError")
    stores["fast"].before = refusing("read", error=dead)
    answer = make(retry_time=600.0).get(request(), ID)
    assert data_of(answer) == DATA
    assert stores["fast"].requests == ["read"]


def test_a_store_that_is_down_is_asked_last(make: Make, stores: Stores) -> None:
    stores["fast"].is_down = True
    assert data_of(make().get(request(), ID)) == DATA
    assert stores["fast"].requests == []
    gone = ObjectNotFound("Store cheap has none")
    stores["cheap"].before = refusing("read", error=gone)
    assert data_of(make().get(request(), ID)) == DATA


@pytest.mark.parametrize("times", [1, 2])
def test_a_copy_that_breaks_off_is_asked_for_the_rest_once(
    make: Make, stores: Stores, times: int
) -> None:
    broken = [StoreUnavailable("Store fast broke off") for _ in range(times)]

    def before(name: str, key: str) -> None:
        if name == "more" and broken:
            raise broken.pop()

    answer = make(retry_time=600.0, download_window=1).get(request(), ID)
    stores["fast"].before = before
    assert data_of(answer) == DATA
    assert stores["fast"].requests.count("read") == 2
    assert ("read" in stores["cheap"].requests) == (times == 2)


def test_the_last_copy_is_waited_for(make: Make, stores: Stores) -> None:
    busy = [StoreUnavailable("Store cheap answered 503 SlowDown") for _ in range(2)]

    def before(name: str, key: str) -> None:
        if name == "read" and busy:
            raise busy.pop()

    stores["fast"].before = refusing("read", error=StoreDenied("Store fast: 403"))
    stores["cheap"].before = before
    assert data_of(make(retry_time=600.0).get(request(), ID)) == DATA
