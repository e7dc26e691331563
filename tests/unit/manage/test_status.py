# SPDX-License-Identifier: Apache-2.0
"""Which uploads ``status`` shows, and which of them it takes for dead."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import pathlib
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreUnavailable
from s3gateway.manage import status
from s3gateway.manage.context import Context
from tests.support import schema
from tests.support.s3.memory import unavailable
from tests.unit.manage.bench import DAY
from tests.unit.manage.bench import HOUR
from tests.unit.manage.bench import Bench

NONCE = "0" * 16


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Bench:
    return Bench(tmp_path)


def shown(bench: Bench) -> tuple[bool, list[dict[str, Any]]]:
    well, document, error = printed(bench)
    assert error is None
    return well, document["rows"]


def printed(bench: Bench) -> tuple[bool, dict[str, Any], GatewayError | None]:
    context: Context = bench.context("status")
    well, failure = False, None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            well = status.run(context)
        except GatewayError as error:
            failure = error
        context.output.finish()
    return well, schema.valid(json.loads(out.getvalue())), failure


def moment(text: str) -> float:
    found = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    return found.replace(tzinfo=datetime.timezone.utc).timestamp()


def named(image_id: str) -> str:
    return f"{image_id}.{NONCE}"


def test_nothing_is_under_way(bench: Bench) -> None:
    assert shown(bench) == (True, [])


def test_an_upload_that_gets_on(bench: Bench) -> None:
    """A claim, the multipart upload that it names, and the image's mark."""
    store = bench.stores["fast"]
    store.now = 200.0
    began = time.time()
    image_id = bench.waiting(since=250)
    store.begin(named(image_id)).send(1, [memoryview(b"data")])
    bench.claim(image_id, named(image_id), age=20.0)
    well, [row] = shown(bench)
    took = time.time() - began
    assert well
    for name, ago in (("began_at", 250), ("last_sign_at", 20)):
        assert -2 < moment(row.pop(name)) - (began - ago) < took + 2
    assert row == {
        "image": image_id,
        "store": "fast",
        "state": "alive",
        "gateway": "elsewhere",
        "silent_seconds": 20,
        "received_bytes": 4,
        "detail": "",
    }


def test_an_upload_through_the_api_has_no_mark(bench: Bench) -> None:
    bench.stores["cheap"].now = 200.0
    image_id = str(uuid.uuid4())
    bench.claim(image_id, age=20.0, store="cheap")
    _, [row] = shown(bench)
    assert (row["store"], row["state"], row["began_at"]) == ("cheap", "alive", None)
    assert row["received_bytes"] is None


def test_a_claim_in_the_place_of_earlier_releases(bench: Bench) -> None:
    """It is in the first store, and says which one it is of."""
    image_id = str(uuid.uuid4())
    bench.claim(image_id, named(image_id), age=20.0, store="cheap")
    _, [row] = shown(bench)
    assert row["store"] == "fast"


def test_an_upload_that_is_silent_is_dead(bench: Bench) -> None:
    image_id = bench.waiting(since=HOUR)
    bench.claim(image_id, age=HOUR)
    well, [row] = shown(bench)
    assert not well
    assert (row["state"], row["silent_seconds"]) == ("dead", HOUR)
    assert "gc --delete" in row["detail"]


def test_an_upload_that_is_over_and_has_left_something(bench: Bench) -> None:
    image_id = str(uuid.uuid4())
    content = {"nonce": "x", "over": True, "attempts": []}
    data = json.dumps(content).encode()
    bench.put(f".s3gateway/{image_id}", data, 1.0, "ours", "fast")
    well, [row] = shown(bench)
    assert not well
    assert row["detail"].startswith("it is over")


def test_a_claim_of_which_only_the_mark_is_left(bench: Bench) -> None:
    image_id = str(uuid.uuid4())
    content = {"nonce": "x", "gateway": "host-1", "attempts": []}
    key = f".s3gateway/{image_id}.registering"
    bench.put(key, json.dumps(content).encode(), DAY, "ours", "fast")
    _, [row] = shown(bench)
    assert (row["image"], row["gateway"], row["state"]) == (image_id, "host-1", "dead")


@pytest.mark.parametrize(("age", "state"), [(200.0, "alive"), (DAY, "dead")])
def test_a_multipart_upload_without_a_claim(
    bench: Bench, age: float, state: str
) -> None:
    bench.stores["fast"].now = age
    image_id = str(uuid.uuid4())
    bench.stores["fast"].begin(named(image_id))
    well, [row] = shown(bench)
    assert (row["image"], row["state"], row["received_bytes"]) == (image_id, state, 0)
    assert well == (state == "alive")


def test_one_that_died_beside_one_that_gets_on(bench: Bench) -> None:
    """They have different keys."""
    image_id = bench.waiting(since=100)
    dead = bench.upload(image_id)
    bench.claim(image_id, named(image_id), dead, age=20.0)
    well, rows = shown(bench)
    assert not well
    assert sorted(row["state"] for row in rows) == ["alive", "dead"]


def test_a_new_upload_to_an_image_that_an_earlier_one_left(bench: Bench) -> None:
    """It is too young to have a claim; the mark is all there is of it."""
    image_id = bench.waiting(since=10)
    bench.upload(image_id)
    _, rows = shown(bench)
    assert sorted(row["state"] for row in rows) == ["alive", "dead"]


@pytest.mark.parametrize(
    ("since", "state"), [(10, "alive"), (HOUR, "dead"), (None, "unknown")]
)
def test_an_image_that_is_saving(bench: Bench, since: float | None, state: str) -> None:
    image_id = bench.waiting(since)
    well, [row] = shown(bench)
    assert (row["image"], row["store"], row["state"]) == (image_id, None, state)
    assert well == (state != "dead")


def test_an_upload_of_glances_own(bench: Bench) -> None:
    image_id = bench.waiting(None)
    bench.stores["fast"].begin(image_id)
    bench.stores["fast"].begin(".s3gateway-check/0123")
    well, [row] = shown(bench)
    assert well
    assert (row["state"], row["store"]) == ("unknown", "fast")
    assert row["detail"] == "Glance's own, not the gateway's"


def test_a_multipart_upload_that_ends_meanwhile(bench: Bench) -> None:
    store = bench.stores["fast"]
    store.begin(named(str(uuid.uuid4())))
    store.before = lambda request, key: (
        store.open_uploads.clear() if request == "received" else None
    )
    _, [row] = shown(bench)
    assert row["received_bytes"] is None


def test_a_claim_that_goes_meanwhile(bench: Bench) -> None:
    store = bench.stores["fast"]
    bench.claim(str(uuid.uuid4()), age=1.0)
    store.before = lambda request, key: (
        store.objects_by_key.clear() if request == "note" else None
    )
    assert shown(bench) == (True, [])


def test_a_store_that_does_not_answer(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the other one says is shown."""
    bench.stores["cheap"].before = unavailable("objects")
    bench.waiting(since=10)
    well, document, error = printed(bench)
    assert not well
    assert str(error) == "Not all uploads could be looked at."
    assert [row["state"] for row in document["rows"]] == ["alive"]
    assert "in store cheap are not known" in capsys.readouterr().err


def test_a_glance_that_does_not_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> Callable[..., Any]:
        raise StoreUnavailable("not a store, but as silent")

    monkeypatch.setattr(bench.glance, "images", silent)
    bench.claim(str(uuid.uuid4()), age=10.0)
    _, document, error = printed(bench)
    assert str(error) == "Not all uploads could be looked at."
    assert [row["state"] for row in document["rows"]] == ["alive"]
