# SPDX-License-Identifier: Apache-2.0
"""What ``gc`` takes, and what it leaves alone: every reason there is."""

from __future__ import annotations

import pathlib
import time
import uuid
from collections.abc import Callable

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import UsageError
from tests.unit.manage.bench import DAY
from tests.unit.manage.bench import HOUR
from tests.unit.manage.bench import Bench

Hook = Callable[[str, str], None]


@pytest.fixture
def bench(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("s3gateway.manage.collector._SETTLE", 0.0)
    return Bench(tmp_path)


def test_what_died_is_collected(bench: Bench) -> None:
    image_id = bench.active()  # has other data
    named = bench.object(bench.glance.gone())
    bench.takes(
        bench.object(image_id),
        bench.object(bench.glance.gone(), store="cheap"),
        bench.upload(bench.glance.gone()),
        named,
        bench.claim(bench.glance.gone(), named),
    )
    well, shown = bench("--delete")
    assert (well, shown["rows"]) == (True, [])
    assert shown["summary"] == "0 collected, 0 left"


@pytest.mark.parametrize("store", ["fast", "cheap"])
def test_a_claim_is_found_in_every_store(bench: Bench, store: str) -> None:
    """Older gateways kept all of them in the first one."""
    image_id = bench.glance.gone()
    key = bench.object(image_id, store="fast")
    bench.claim(image_id, key, age=1.0, store=store)
    bench.spares(key)
    bench.takes(key, bench.claim(image_id, key, store=store))


def test_whose_claim_was_written_by_an_older_gateway(bench: Bench) -> None:
    image_id = bench.active()
    bench.takes(bench.claim(image_id, whose=""))
    other = str(uuid.uuid4())
    bench.spares(bench.claim(other, whose=""))


def test_ids_in_upper_case(bench: Bench) -> None:
    """Older gateways wrote such keys for clients that used that spelling."""
    image_id = bench.glance.gone()
    upper = image_id.upper()
    bench.claim(image_id, age=1.0)
    key = bench.object(upper)
    bench.spares(key)  # as long as an upload to the image is alive
    del bench.stores["fast"].objects_by_key[f".s3gateway/{image_id}"]
    claim = bench.claim(upper, key)
    bench.takes(key, claim)
    active = bench.active()
    [needed] = bench.glance.shown[active]
    wrong = bench.object(active.upper())
    bench.takes(wrong)
    assert needed in bench.left()


@pytest.mark.parametrize("spell", [str.upper, str.title])
def test_an_active_image_whose_id_is_in_upper_case(
    bench: Bench, spell: Callable[[str], str]
) -> None:
    """Glance keeps the case in which an image's maker writes its id."""
    image_id = spell(bench.glance.gone())
    key = bench.object(image_id)
    bench.glance.shown[image_id] = [key]
    for words in ((), ("--force",)):
        bench.spares(key, words=words)
    bench.takes(bench.object(image_id))
    assert key in bench.left()


def test_what_an_image_of_another_name_refers_to(bench: Bench) -> None:
    key = bench.object(bench.glance.gone())
    bench.glance.shown[str(uuid.uuid4())] = [key]
    bench.spares(key, words=("--force",))


def test_what_another_glance_has_written(bench: Bench) -> None:
    """Also where it has had an image of the same id, as a copied database has."""
    image_id = bench.glance.gone()
    summary = bench.spares(
        bench.object(str(uuid.uuid4()), whose="theirs"),
        bench.object(image_id, whose="theirs"),
        bench.claim(image_id, whose="theirs"),
        bench.object(bench.glance.gone(), whose=""),
        bench.upload(str(uuid.uuid4())),
        bench.put("backup/notes.txt", b"notes", 2 * DAY, "ours", "fast"),
        bench.put(image_id, b"by Glance's own driver", 2 * DAY, "", "fast"),
        words=("--force",),
    )
    # What a claim that is left alone names is not looked at.
    assert "left alone: 2 of another Glance" in summary
    assert "left alone: 2 of no Glance that they name" in summary


def test_another_glance_that_has_the_same_id(bench: Bench) -> None:
    """As two whose databases are both on 127.0.0.1: the images say more."""
    keys = [bench.object(str(uuid.uuid4())) for _ in range(3)]
    well, shown = bench("--delete")
    assert not well
    assert (
        "left alone: 3 of images that Glance's database has never had"
        in (shown["summary"])
    )
    bench.takes(*keys, words=("--force",))


def test_a_remote_glance_does_not_show_what_was_deleted(bench: Bench) -> None:
    bench.remote = True
    image_id = bench.active()
    upload = bench.upload(bench.glance.gone())
    bench.takes(
        bench.object(bench.glance.gone()),
        bench.object(image_id),
        bench.upload(image_id),
    )
    bench.spares(upload, words=("--force",))


def test_an_older_database(bench: Bench) -> None:
    """Restored from a backup: an image was uploaded, and one moved, afterwards."""
    bench.glance.changed = DAY
    queued, moved, claimed = (bench.active() for _ in range(3))
    bench.glance.shown[queued] = bench.glance.shown[claimed] = []
    data = bench.object(claimed, age=DAY - HOUR)
    summary = bench.spares(
        bench.object(queued, age=DAY - HOUR),
        bench.object(moved, age=DAY - HOUR, store="cheap"),
        bench.claim(claimed, data, age=DAY - HOUR),
        data,
    )
    assert "left alone: 3 newer than the last change in Glance's database" in summary
    bench.takes(bench.object(bench.glance.gone(), age=DAY - 60))  # within the grace


def test_a_cloud_in_which_nothing_happens(bench: Bench) -> None:
    """An upload that died after hours was the last thing that did."""
    bench.glance.changed = DAY
    image_id = bench.active()
    bench.glance.shown[image_id] = []
    [left] = [key for key in bench.left() if key.startswith(image_id)]
    del bench.stores["fast"].objects_by_key[left]
    claim = bench.claim(image_id, f"{image_id}.{'0' * 16}", age=DAY - HOUR)
    bench.takes(claim, bench.upload(image_id))


def test_an_empty_database(bench: Bench) -> None:
    bench.glance.shown.clear()
    before = bench.left()
    well, shown = bench("--delete")
    assert not well
    assert shown["summary"].startswith(
        "0 found, 0 collected: Glance's database has no image: look at [database]"
    )
    assert bench.left() == before


def test_too_much(bench: Bench) -> None:
    """One in ten goes; one more, and nothing does."""
    keys = [bench.object(bench.glance.gone()) for _ in range(5)]
    well, shown = bench("--delete")
    assert not well
    assert shown["summary"].startswith("5 found, 0 collected: 5 of 45 objects would go")
    assert set(keys) <= bench.left()
    for _ in range(5):
        bench.active()
    bench.takes(*keys)


def test_more_than_a_hundred(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the cloud is; here it is more than seven."""
    monkeypatch.setattr("s3gateway.manage.gc._MANY", 7)
    for _ in range(40):
        bench.active()
    keys = [bench.object(bench.glance.gone()) for _ in range(8)]
    assert "8 of 88 objects would go" in bench.spares(*keys)
    assert "8 of 88" in bench.spares(*keys, words=("--limit", "2"))
    bench.takes(*keys, words=("--force",))


def test_where_and_how_many_and_how_old(bench: Bench) -> None:
    for _ in range(20):
        bench.active("cheap")
    old = bench.object(bench.glance.gone(), age=9 * DAY)
    young = bench.object(bench.glance.gone(), age=HOUR)
    cheap = bench.object(bench.glance.gone(), store="cheap")
    bench.takes(cheap, words=("--store", "cheap"))
    bench.takes(old, words=("--older-than", "7d", "--force"))
    bench("--delete", "--limit", "1")
    bench("--delete", "--limit", "1")
    assert young not in bench.left()
    with pytest.raises(UsageError, match="--store: 'slow' is not an S3 store"):
        bench("--store", "slow")


@pytest.mark.parametrize(
    "words", [("--older-than", "7"), ("--older-than", "-7d"), ("--limit", "0")]
)
def test_words_that_make_no_sense(bench: Bench, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        bench(*words)


def test_a_claim_that_is_not_to_be_collected_keeps_its_image_busy(
    bench: Bench,
) -> None:
    """Its upload may go on as long as nobody has taken the claim over."""
    image_id = bench.glance.gone()
    key = bench.object(image_id, age=9 * DAY)
    bench.claim(image_id, age=2 * DAY)
    bench.spares(key, words=("--older-than", "7d"))
    bench.spares(key, words=("--store", "cheap"))


def test_an_upload_that_is_over_when_its_claim_is_looked_at(bench: Bench) -> None:
    claim = bench.claim(bench.active())
    store, seen = bench.stores["fast"], []

    def before(request: str, key: str) -> None:
        if request == "note":
            seen.append(key)
            if len(seen) == 2:  # first whose it is, then what it names
                del store.objects_by_key[claim]

    store.before = before
    well, shown = bench("--delete")
    assert (well, shown["summary"]) == (True, "1 collected, 0 left")


def test_an_image_that_was_made_of_it_meanwhile(bench: Bench) -> None:
    """``restore --deleted`` gives it another id than the object's key begins with."""
    key, other = bench.object(bench.glance.gone()), str(uuid.uuid4())

    def before(request: str, name: str) -> None:
        if (request, name) == ("stat", key):
            bench.glance.shown[other] = [key]

    bench.stores["fast"].before = before
    well, shown = bench("--delete")
    assert (well, shown["counts"]["collected"], shown["counts"]["kept"]) == (
        False,
        0,
        1,
    )
    assert key in bench.left()
    bench.spares(key)


def test_an_image_that_was_made_of_what_a_dead_upload_left(bench: Bench) -> None:
    """The claim is older than the image, or ``restore`` was killed behind it."""
    image_id = bench.glance.gone()
    key = bench.object(image_id)
    claim = bench.claim(image_id, key)
    bench.glance.shown[str(uuid.uuid4())] = [key]
    bench.glance.changed = HOUR
    bench.takes(claim)
    assert key in bench.left()


def test_an_object_that_is_being_restored(bench: Bench) -> None:
    """That began when the claims had been listed."""
    image_id = bench.glance.gone()
    key = bench.object(image_id)
    claim = f".s3gateway/{image_id}"

    def before(request: str, name: str) -> None:
        if (request, name) == ("stat", key):
            bench.claim(image_id, age=1.0)

    bench.stores["fast"].before = before
    well, shown = bench("--delete")
    assert (well, shown["counts"]["kept"]) == (False, 1)
    assert {key, claim} <= bench.left()


def test_a_dead_claim_that_an_upload_takes_over_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --rate it may take long until it is a claim's turn."""
    now = time.monotonic
    first, image_id = sorted([bench.glance.gone(), bench.glance.gone()])
    before_it = bench.claim(first, bench.object(first))
    key = bench.object(image_id)
    claim = bench.claim(image_id, key)
    store = bench.stores["fast"]

    def before(request: str, name: str) -> None:
        if (request, name) == ("delete", before_it):
            monkeypatch.setattr(time, "monotonic", lambda: now() + DAY)
            bench.claim(image_id, age=1.0)

    store.before = before
    bench("--delete")
    assert {key, claim} <= bench.left()


def test_what_a_probe_has_left(bench: Bench) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    bench.takes(bench.object(nobody), bench.upload(nobody))


def refusing(request: str, prefix: str, error: StoreError) -> Hook:
    def before(asked: str, key: str) -> None:
        if (asked, key) == (request, prefix):
            raise error

    return before


def test_a_store_that_lists_no_uploads(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    error = StoreError("Store fast answered 501 NotImplemented")
    bench.stores["fast"].before = refusing("uploads", "", error)
    key = bench.object(bench.glance.gone())
    bench.takes(key, bench.claim(bench.glance.gone(), key))
    assert "The uploads in store fast are not listed: Store fast answered 501" in (
        capsys.readouterr().err
    )


def test_a_store_that_cannot_be_looked_through(bench: Bench) -> None:
    for _ in range(10):
        bench.active("cheap")
    error = StoreUnavailable("Store fast did not answer: ConnectTimeoutError")
    bench.stores["fast"].before = refusing("objects", "", error)
    kept = bench.object(bench.glance.gone())
    taken = bench.object(bench.glance.gone(), store="cheap")
    with pytest.raises(GatewayError, match="Not all stores could be looked through"):
        bench("--delete")
    assert kept in bench.left()
    assert taken not in bench.left()


@pytest.mark.parametrize(("silent", "other"), [("fast", "cheap"), ("cheap", "fast")])
def test_claims_that_are_not_known(bench: Bench, silent: str, other: str) -> None:
    """Those of the first store may be about uploads to any."""
    for _ in range(10):
        bench.active("cheap")
    error = StoreUnavailable("Store did not answer: ConnectTimeoutError")
    bench.stores[silent].before = refusing("objects", ".s3gateway/", error)
    keys = {
        name: bench.object(bench.glance.gone(), store=name) for name in bench.stores
    }
    with pytest.raises(GatewayError):
        bench("--delete")
    assert keys[silent] in bench.left()
    assert (keys[other] in bench.left()) is (silent == "fast")


def test_one_object_that_cannot_be_looked_at(bench: Bench) -> None:
    image_id = bench.glance.gone()
    locked, other = bench.object(image_id), bench.object(image_id)
    error = StoreDenied("Store fast answered 403 403")
    bench.stores["fast"].before = refusing("stat", locked, error)
    well, shown = bench("--delete")
    assert (well, shown["summary"]) == (
        False,
        "1 collected, 0 left; 4 bytes in all; left alone: 1 that cannot be read",
    )
    assert locked in bench.left()
    assert other not in bench.left()


@pytest.mark.parametrize("kind", ["claim", "upload", "object"])
def test_an_image_that_a_dead_upload_left_saving(bench: Bench, kind: str) -> None:
    image_id = bench.waiting(since=2 * DAY)
    key = getattr(bench, kind)(image_id)
    bench.takes(key)
    assert bench.glance.image(image_id)["status"] == "queued"


def test_an_image_that_is_saving_with_nothing_in_a_bucket(bench: Bench) -> None:
    """The upload died before its first request to S3 was over."""
    image_id = bench.waiting(since=2 * DAY)
    well, shown = bench()
    assert not well
    assert [(row["code"], row["key"]) for row in shown["rows"]] == [("image", image_id)]
    well, _ = bench("--delete", "--store", "fast")
    assert well  # the claim of an upload that is running may be in the other
    assert bench.glance.image(image_id)["status"] == "saving"
    well, shown = bench("--delete")
    assert well, shown
    assert bench.glance.image(image_id)["status"] == "queued"


@pytest.mark.parametrize("since", [60.0, None])
def test_nothing_in_a_bucket_and_somebody_may_be_saving(
    bench: Bench, since: float | None
) -> None:
    image_id = bench.waiting(since=since)
    assert bench("--delete")[0]
    assert bench.glance.image(image_id)["status"] == "saving"


@pytest.mark.parametrize("store", ["fast", "cheap"])
def test_an_image_with_a_living_claim_stays_saving(bench: Bench, store: str) -> None:
    image_id = bench.waiting(since=2 * DAY)
    bench.spares(bench.claim(image_id, age=60.0, store=store))
    assert bench.glance.image(image_id)["status"] == "saving"


def test_an_image_that_stays_saving_whatever_is_done(bench: Bench) -> None:
    bench.waiting(since=2 * DAY)
    bench.glance.stubborn = True
    well, shown = bench("--delete")
    assert not well
    assert shown["summary"].startswith("0 collected, 1 left")


@pytest.mark.parametrize("since", [60.0, None])
def test_an_image_that_somebody_may_be_saving(
    bench: Bench, since: float | None
) -> None:
    """It may become active this very moment, with the object."""
    image_id = bench.waiting(since=since)
    bench.spares(bench.object(image_id), bench.upload(image_id))
    assert bench.glance.image(image_id)["status"] == "saving"


def test_an_image_that_stays_saving(bench: Bench) -> None:
    """Somebody else was faster: what there is may be the image's now."""
    image_id = bench.waiting(since=2 * DAY)
    bench.glance.stubborn = True
    bench.spares(bench.object(image_id))


def test_each_leftover_says_what_became_of_it(bench: Bench) -> None:
    old = bench.object(bench.glance.gone(), age=9 * DAY)
    kept = bench.object(bench.waiting(since=60.0))
    later = bench.object(bench.glance.gone(), store="cheap")
    well, shown = bench("--delete", "--limit", "2")
    assert not well
    rows = {row["key"]: row for row in shown["rows"]}
    assert {key: row["state"] for key, row in rows.items()} == {
        old: "collected",
        kept: "kept",
        later: "found",
    }
    assert {row["code"] for row in rows.values()} == {"object"}
    assert rows[old]["age_seconds"] == 9 * DAY
    assert shown["counts"] == {
        "found": 3, "collected": 1, "kept": 1, "size_bytes": 12,
        "spared_foreign": 0, "spared_nameless": 0, "spared_newer": 0,
        "spared_unheard_of": 0, "spared_unreadable": 0,
    }  # fmt: skip


def test_what_is_beyond_the_limit_is_no_problem(bench: Bench) -> None:
    for _ in range(2):
        bench.object(bench.glance.gone())
    well, shown = bench("--delete", "--limit", "1")
    assert (well, shown["summary"]) == (True, "1 collected, 1 left; 8 bytes in all")
    well, _ = bench()
    assert not well


def test_how_much_is_wasted_and_whose_it_is(bench: Bench) -> None:
    image_id = bench.active()
    bench.glance.owners[image_id] = "acme"
    wrong, nobodys = bench.object(image_id), bench.object(bench.glance.gone())
    upload = bench.upload(bench.glance.gone())
    [open_one] = bench.stores["fast"].open_uploads.values()
    open_one.parts[1] = b"x" * 3 * 1024**2
    claim = bench.claim(bench.glance.gone())
    _, shown = bench()
    rows = {row["key"]: row for row in shown["rows"]}
    assert {key: row["size_bytes"] for key, row in rows.items()} == {
        wrong: 4, nobodys: 4, upload: 3 * 1024**2, claim: None,
    }  # fmt: skip
    assert rows[wrong]["project"] == "acme"
    assert rows[nobodys]["project"] is None
    assert shown["counts"]["size_bytes"] == 3 * 1024**2 + 8
    assert "3.0 MiB in all" in shown["summary"]


def test_of_some_images_only(bench: Bench) -> None:
    """How much would go is reckoned of all objects nevertheless."""
    one, another = bench.glance.gone(), bench.glance.gone().upper()
    keys = {name: bench.object(name) for name in (one, another)}
    doubtful = bench.object(str(uuid.uuid4()))
    bench.takes(keys[another], words=("--image", another))
    well, _ = bench("--image", bench.glance.gone())
    assert well
    assert {keys[one], doubtful} <= bench.left()
    waiting = bench.waiting(since=2 * DAY)
    _, shown = bench("--image", waiting)
    assert [row["key"] for row in shown["rows"]] == [waiting]


def test_so_many_a_second(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("s3gateway.manage.work.time.monotonic", lambda: 100.0)
    monkeypatch.setattr("s3gateway.manage.work.time.sleep", slept.append)
    keys = [bench.object(bench.glance.gone()) for _ in range(4)]
    bench("--delete", "--rate", "2")
    assert not set(keys) & bench.left()
    pauses = [0, 0, 0.5, 1.0]  # a second's worth may come at once
    assert [seconds for seconds in slept if seconds in pauses] == 2 * pauses


def test_who_is_interrupted_says_what_was_collected(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [bench.object(bench.glance.gone()) for _ in range(3)]

    def before(request: str, key: str) -> None:
        if request == "delete" and key in keys and len(bench.left() & set(keys)) == 2:
            raise KeyboardInterrupt

    bench.stores["fast"].before = before
    _, shown = bench("--delete")
    assert shown["interrupted"] is True
    assert shown["counts"]["collected"] == 1
    [gone] = set(keys) - bench.left()
    states = {row["key"]: row["state"] for row in shown["rows"]}
    assert states == {key: "collected" if key == gone else "found" for key in keys}
    assert f"object {gone} in fast collected" in capsys.readouterr().err


def test_what_glances_driver_has_left_behind_the_face(bench: Bench) -> None:
    """A part that came lately is a sign of life; there is no claim."""
    bench.seal()
    dead, alive, unheard_of = (
        bench.glance.gone(),
        bench.glance.gone(),
        str(uuid.uuid4()),
    )
    store = bench.stores["fast"]
    for image_id in (dead, alive, unheard_of):
        store.begin(image_id).send(1, [memoryview(b"part")])
        store.open_uploads[f"upload-of-{image_id}"].touched = store.now - 2 * DAY
    store.open_uploads[f"upload-of-{alive}"].touched = store.now - 1.0
    data = bench.put(dead, b"data of another upload", 2 * DAY, "", "fast")
    bench.spares(alive, unheard_of)
    assert store.objects_by_key[data] == b"data of another upload"
    assert set(store.open_uploads) == {f"upload-of-{alive}", f"upload-of-{unheard_of}"}


def test_an_upload_of_glances_driver_to_an_image_that_is_saving(bench: Bench) -> None:
    """Nobody would restore the image if Glance was killed; its data is not visible."""
    bench.seal()
    image_id = bench.waiting(since=None)
    bench.stores["fast"].begin(image_id)
    _, shown = bench("--delete")
    assert bench.stores["fast"].open_uploads == {}, shown


def test_without_a_face_uploads_of_glances_driver_are_not_looked_at(
    bench: Bench,
) -> None:
    image_id = bench.glance.gone()
    bench.stores["fast"].begin(image_id)
    bench.spares(image_id, words=("--force",))
    assert "untouched" not in bench.stores["fast"].requests


def test_a_store_that_does_not_list_parts(bench: Bench) -> None:
    bench.seal()
    image_id = bench.glance.gone()
    bench.stores["fast"].begin(image_id)

    def before(request: str, key: str) -> None:
        if request == "untouched":
            raise StoreDenied("Store fast answered 403 AccessDenied")

    bench.stores["fast"].before = before
    bench.spares(image_id, words=("--force",))
