# SPDX-License-Identifier: Apache-2.0
"""Downloads of a hot image: S3 is asked once for all workers of a host."""

from __future__ import annotations

import contextlib
import pathlib
import random
import time
from concurrent import futures

import psutil
import pytest

from s3gateway.download.failover import Version
from s3gateway.download.hot.images import HotImages
from s3gateway.download.hot.kept import KeptPiece
from s3gateway.download.pieces import Reading
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.streams.digests import Verification
from tests.support.s3.memory import MIB
from tests.unit.download.delivering import deliver
from tests.unit.download.delivering import store
from tests.unit.download.hot.ground import COUNT
from tests.unit.download.hot.ground import DATA
from tests.unit.download.hot.ground import IMAGE
from tests.unit.download.hot.ground import PIECE
from tests.unit.download.hot.ground import SIZE
from tests.unit.download.hot.ground import VERSION
from tests.unit.download.hot.ground import Ground
from tests.unit.download.hot.ground import Worker


def away(request: str, key: str) -> None:
    raise StoreUnavailable("Store fast did not answer")


def test_four_workers_read_it_once(ground: Ground) -> None:
    """But for what the first one had read before the second began."""
    ground.store.before = lambda request, key: time.sleep(0.002)
    workers = [ground.worker() for _ in range(4)]
    bodies = [worker.begin() for worker in workers for _ in range(4)]
    with futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(b"".join, bodies)) == {DATA}
    assert ground.store.sent <= SIZE + 2 * PIECE
    assert ground.nothing_is_left(*workers)


def test_one_download_alone_costs_nothing(ground: Ground) -> None:
    """It has one connection, and writes nothing but that it was there."""
    worker = ground.worker()
    assert worker.download() == DATA
    assert ground.store.requests.count("read") == 1
    assert sum(path.stat().st_size for path in ground.path.iterdir()) == 1


def test_the_third_one_does_not_ask_s3(ground: Ground) -> None:
    ground.make_hot()
    ground.store.before = away
    worker = ground.worker()
    assert worker.download() == DATA
    assert worker.has_all_memory()


def test_a_range_reads_what_is_there(ground: Ground) -> None:
    ground.make_hot()
    ground.store.before = away
    for span in (Span(0, 1), Span(SIZE - 1, SIZE), Span(MIB + 5, 4 * MIB + 7)):
        body = ground.worker().begin(span=span)
        assert b"".join(body) == DATA[span.start : span.stop]


def test_ranges_make_no_image_hot(ground: Ground) -> None:
    worker = ground.worker()
    for _ in range(3):
        assert b"".join(worker.begin(span=Span(0, SIZE - 1))) == DATA[:-1]
    assert ground.has_no_piece()


def test_without_memory_it_is_read_from_the_directory(ground: Ground) -> None:
    ground.make_hot()
    ground.store.before = away
    worker = ground.worker()
    assert worker.budget.take(worker.memory)
    assert worker.download() == DATA


def test_a_file_that_two_open_at_once_is_closed_by_both(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks at the disk before it knows that the other one has the piece."""
    worker = ground.make_hot()
    looked: list[KeptPiece | None] = []

    def look(reading: Reading, at: int) -> KeptPiece | None:
        looked.append(reading._object.kept(at // PIECE))
        return looked[-1]

    monkeypatch.setattr(Reading, "_kept", look)
    first, second = worker.begin(), worker.begin()
    assert b"".join(first) == b"".join(second) == DATA
    assert len(looked) > COUNT
    assert open_files(ground.path) == []


def open_files(directory: pathlib.Path) -> list[pathlib.Path]:
    """Return the files of a directory that this process has open."""
    found = [pathlib.Path(file.path) for file in psutil.Process().open_files()]
    return [path for path in found if path.parent == directory]


def test_the_names_of_files_tell_nothing(ground: Ground) -> None:
    ground.make_hot()
    secrets = [IMAGE, "fast", "key", "s3.example", "abcdef"]
    for path in ground.path.iterdir():
        assert not [each for each in secrets if each in path.name]
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "version",
    [
        Version(IMAGE, "sha512:another"),
        Version("another", VERSION.digest),
        Version(IMAGE, ""),
    ],
    ids=str,
)
def test_other_data_is_another_image(ground: Ground, version: Version) -> None:
    """And one without a digest is not kept: nothing says what its data is."""
    worker = ground.make_hot()
    ground.store.objects_by_key["key"] = DATA[::-1]
    for _ in range(3):
        assert b"".join(worker.begin(version=version)) == DATA[::-1]
    assert worker.download() == DATA


def test_another_bucket_is_another_object(ground: Ground) -> None:
    worker = ground.make_hot()
    other = store("cheap", DATA[::-1])
    body = deliver(other, pieces=worker.pieces, version=VERSION)
    assert b"".join(body) == DATA[::-1]


def test_versions_of_an_object_are_not_mixed(ground: Ground) -> None:
    """A part of the pieces is of the old one: the download is of one, or breaks off."""
    ground.make_hot()
    for path in ground.pieces()[::2]:
        path.unlink()
    ground.store.objects_by_key["key"] = DATA[::-1]
    received = b""
    with contextlib.suppress(StoreError):
        for data in ground.worker().begin():
            received += data
    assert DATA.startswith(received) or DATA[::-1].startswith(received)


@pytest.mark.parametrize("memory", [SIZE, 0], ids=["pieces", "one connection"])
def test_a_version_that_is_gone_breaks_one_download_off(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    """The object was copied back, so it has the same data and another ETag.

    A part of the pieces is kept.  They would break off each download for a day.
    """
    worker = ground.worker()
    version = Version("an-image", VERSION.digest)
    for _ in range(2):
        assert b"".join(worker.begin(version=version)) == DATA
    ground.wait_for_pieces()
    for path in ground.pieces()[1:]:
        path.unlink()
    monkeypatch.setattr("tests.support.s3.memory.etag_of", lambda data: '"other"')
    worker.budget.take(worker.memory - memory)
    with contextlib.suppress(StoreError):
        assert b"".join(worker.begin(version=version)) == DATA
    assert b"".join(worker.begin(version=version)) == DATA


def test_what_is_deleted_goes(ground: Ground) -> None:
    worker = ground.make_hot()
    other = Version("another", "sha512:abcdef")
    for _ in range(2):
        assert b"".join(worker.begin(version=other)) == DATA
    worker.images.forget(IMAGE)
    ground.wait_for_pieces()
    worker.images.forget("another")
    assert ground.has_no_piece()


def test_an_id_in_capitals_is_the_same_image(ground: Ground) -> None:
    """MariaDB finds it, and Glance deletes it."""
    ground.make_hot().images.forget(IMAGE.upper())
    assert ground.has_no_piece()


def test_what_is_written_after_a_delete_goes_too(ground: Ground) -> None:
    worker = ground.worker()
    first, second = worker.begin(), worker.begin()
    received = next(second)
    worker.images.forget(IMAGE)
    assert b"".join(first) == received + b"".join(second) == DATA
    assert ground.has_no_piece()


def test_a_use_that_is_counted_late_keeps_nothing(ground: Ground) -> None:
    """Of a download that Glance admitted just before the image was deleted."""
    worker = ground.worker()
    first, second = worker.begin(), worker.begin()
    received = next(second)
    worker.images.forget(IMAGE)
    late = worker.begin()
    assert b"".join(first) == received + b"".join(second) == b"".join(late) == DATA
    assert ground.has_no_piece()


def test_an_image_that_does_not_fit_is_not_kept(tmp_path: pathlib.Path) -> None:
    ground = Ground(tmp_path / "hot", size=SIZE)
    worker = ground.worker()
    for _ in range(3):
        assert worker.download() == DATA
    assert ground.has_no_piece()


def test_two_gateways_of_other_settings_share_it(ground: Ground) -> None:
    """The smaller size counts for both, and pieces of another length are others."""
    large = ground.make_hot()
    small = Ground(ground.path, size=9 * MIB)
    worker = small.worker()
    other = Version("another", "sha512:abcdef")
    for _ in range(2):
        assert b"".join(worker.begin(version=other)) == DATA
    assert 6 * MIB < settled(small, worker) <= 9 * MIB
    assert large.download() == DATA


def settled(ground: Ground, worker: Worker) -> int:
    """Return the size of all files, when all is written and swept."""
    ground.wait_for_writers()
    assert not ground.drafts()
    worker.images.sweeper.sweep()
    return sum(path.stat().st_size for path in ground.path.iterdir())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_files_the_bytes_are_right(
    ground: Ground, seed: int
) -> None:
    """They are damaged, cut, swapped, emptied and removed, also while they are read."""
    chance = random.Random(seed)  # noqa: S311
    ground.make_hot()
    bodies = [ground.worker().begin() for _ in range(4)]
    received = [b""] * 4
    for _ in range(30):
        hurt(chance, ground.pieces())
        number = chance.randrange(4)
        with contextlib.suppress(StopIteration):
            received[number] += next(bodies[number])
    for number, body in enumerate(bodies):
        assert received[number] + b"".join(body) == DATA


def hurt(chance: random.Random, files: list[pathlib.Path]) -> None:
    """Do something bad to a file, as a bad disk does, or an operator."""
    if not files:
        return
    path = chance.choice(files)
    with contextlib.suppress(FileNotFoundError):
        size = path.stat().st_size
        what = chance.randrange(5)
        if what == 0:
            path.unlink()
        elif what == 1:
            path.rename(chance.choice(files))
        elif size:
            with path.open("r+b") as file:
                file.seek(chance.randrange(size))
                file.write(b"damaged") if what < 4 else file.truncate()


def test_it_is_off_without_a_size() -> None:
    assert type(HotImages.of(Ground(pathlib.Path("/"), size=0).settings)) is not (
        HotImages
    )


def test_verification_that_fails_removes_the_pieces(ground: Ground) -> None:
    worker = ground.worker()
    version = Version("an-image", "sha512:abcdef")
    for _ in range(2):
        assert b"".join(worker.begin(version=version)) == DATA
    ground.wait_for_pieces()
    body = deliver(
        ground.store,
        pieces=worker.pieces,
        version=version,
        verification=Verification(SIZE, "sha256", "0" * 64),
    )
    with pytest.raises(ObjectNotFound):
        b"".join(body)
    assert ground.has_no_piece()
