# SPDX-License-Identifier: Apache-2.0
"""A full disk, a broken one, and other processes: downloads go on in any case."""

from __future__ import annotations

import errno
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from s3gateway.download.hot import files
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.usable import LOCK
from s3gateway.http.ranges import Span
from tests.support.s3.memory import etag_of
from tests.unit.download.hot.ground import COUNT
from tests.unit.download.hot.ground import DATA
from tests.unit.download.hot.ground import PIECE
from tests.unit.download.hot.ground import SIZE
from tests.unit.download.hot.ground import Ground

ROOT = pathlib.Path(__file__).resolve().parents[4]
ERRORS = [
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EAGAIN,
]


def failing(code: int) -> Callable[..., int]:
    def fail(*arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what moves the host's clock."""
    real, moved = time.time, 0.0
    monkeypatch.setattr(
        "s3gateway.download.hot.directory.time.time", lambda: real() + moved
    )

    def move(seconds: float) -> None:
        nonlocal moved
        moved += seconds

    return move


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("step", ["_write", "publish"])
def test_a_disk_that_cannot_be_written(
    ground: Ground,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: int,
    step: str,
) -> None:
    """Nothing is written for a while, and the log says so once; then it goes on."""
    worker = ground.worker()
    with monkeypatch.context() as patched:
        patched.setattr(Draft, step, failing(code))
        for _ in range(3):
            assert worker.download() == DATA
        assert ground.has_no_piece()
        assert ground.nothing_is_left(worker)
    told = [line for line in caplog.messages if "hot_images_dir" in line]
    assert told == [
        f"hot_images_dir: {os.strerror(code)}; nothing is written to it for 60 seconds"
    ]
    monkeypatch.setattr("s3gateway.download.hot.directory._REST", 0.0)
    worker.images.directory._rests_until = 0.0
    assert worker.download() == DATA
    ground.wait_for_pieces()


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
def test_a_disk_that_cannot_be_opened(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    ground.make_hot()
    worker = ground.worker()
    monkeypatch.setattr("s3gateway.download.hot.files.os.open", failing(code))
    assert worker.download() == worker.download() == DATA
    assert ground.nothing_is_left(worker)


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
def test_a_disk_that_cannot_be_read(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Also in the middle of a piece that is being handed out."""
    ground.make_hot()
    worker = ground.worker()
    body = worker.begin()
    received = next(body)
    monkeypatch.setattr("s3gateway.download.hot.files.os.pread", failing(code))
    assert received + b"".join(body) == DATA
    assert worker.has_all_memory()


def test_a_full_disk_has_room_for_what_is_read(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the directory is handed out, although nothing can be written."""
    ground.make_hot()
    ground.pieces()[0].unlink()
    before = ground.store.sent
    monkeypatch.setattr(Draft, "_write", failing(errno.ENOSPC))
    assert ground.worker().download() == DATA
    assert ground.store.sent - before <= PIECE


def test_a_slow_disk_holds_up_one_block(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of each connection, and not all blocks of the image."""
    real = Draft._write

    def write(draft: Draft, data: memoryview) -> None:
        time.sleep(0.2)
        real(draft, data)

    monkeypatch.setattr(Draft, "_write", write)
    monkeypatch.setattr("s3gateway.download.hot.directory._SLOW", 0.1)
    worker = ground.worker()
    assert worker.download() == worker.download() == DATA
    assert ground.has_no_piece()
    assert ground.nothing_is_left(worker)
    assert "hot_images_dir: The disk is slow; nothing is written" in caplog.text


def test_a_limit_of_the_size_of_files(ground: Ground) -> None:
    """As of a disk that is full in the middle of a block: a real error of the kernel.

    Another process, because the limit is of a process.
    """
    code = (
        "import resource, sys, pathlib\n"
        "from tests.unit.download.hot.ground import DATA, Ground\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))\n"
        "ground = Ground(pathlib.Path(sys.argv[1]))\n"
        "worker = ground.worker()\n"
        "assert worker.download() == worker.download() == DATA\n"
        "assert len(ground.pieces()) <= 1, ground.pieces()\n"
        "assert ground.nothing_is_left(worker)\n"
    )
    command = [sys.executable, "-c", code, str(ground.path)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=240)


def test_the_directory_vanishes(ground: Ground) -> None:
    worker = ground.make_hot()
    body = worker.begin()
    received = next(body)
    vanish(ground.path)
    assert received + b"".join(body) == DATA
    assert worker.download() == DATA
    assert not ground.path.exists()
    worker.images.directory._rests_until = 0.0
    assert worker.download() == worker.download() == worker.download() == DATA
    ground.wait_for_pieces()
    assert ground.path.stat().st_mode & 0o777 == 0o700


def vanish(path: pathlib.Path) -> None:
    """Remove a directory at once, so that nobody adds a file meanwhile."""
    shutil.rmtree(path.rename(path.with_name("vanished")))


def test_another_directory_takes_its_place(ground: Ground) -> None:
    """One that others may read gets no image."""
    worker = ground.make_hot()
    ground.path.rename(ground.path.with_name("before"))  # at once, as it is in use
    ground.path.mkdir(mode=0o755)
    ground.path.chmod(0o755)
    for _ in range(3):
        assert worker.download() == DATA
    assert ground.has_no_piece()


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_jumps(
    ground: Ground, clock: Callable[[float], None], years: int
) -> None:
    """Files of the past and of the future are read again, and replaced."""
    worker = ground.make_hot()
    clock(years * 365 * 86400)
    before = ground.store.sent
    assert worker.download() == DATA
    assert ground.store.sent > before
    clock(-years * 365 * 86400)
    assert worker.download() == DATA
    assert ground.nothing_is_left(worker)


def test_what_is_old_goes(ground: Ground, clock: Callable[[float], None]) -> None:
    worker = ground.make_hot()
    clock(3601)
    worker.images.sweeper.sweep()
    assert [path.name for path in ground.path.iterdir()] == [LOCK]


def test_what_was_used_longest_ago_goes(tmp_path: pathlib.Path) -> None:
    """Not what was written first."""
    ground = Ground(tmp_path / "hot")
    ground.make_hot()
    [first, second, *others] = ground.pieces()
    for path in others:
        os.utime(path, (time.time() - 100, path.stat().st_mtime))
    smaller = Ground(ground.path, size=4 * PIECE).worker()
    deadline = time.monotonic() + 30
    while _total(ground.pieces()) >= 4 * PIECE and time.monotonic() < deadline:
        smaller.images.sweeper.sweep()  # not while one of the larger one is at it
        time.sleep(0.01)
    left = ground.pieces()
    assert {first, second} <= set(left)
    assert PIECE < _total(left) < 4 * PIECE


def test_many_processes_keep_to_the_size(tmp_path: pathlib.Path) -> None:
    """Each of them has written less than that after which it would sweep alone."""
    ground = Ground(tmp_path / "hot", size=200 * PIECE)
    ground.make_hot()
    [first, *_] = ground.pieces()
    data = first.read_bytes()  # it may be the first that goes
    for number in range(184):
        first.with_name(f"{first.name[:-7]}{number:x}-1").write_bytes(data)
    for number in range(30):
        worker = ground.worker()
        worker.images.sweeper.wrote(PIECE)
        first.with_name(f"{first.name[:-7]}{number:x}-2").write_bytes(data)
    assert _total(ground.pieces()) < 200 * PIECE


def _total(pieces: list[pathlib.Path]) -> int:
    return sum(path.stat().st_size for path in pieces)


def test_a_process_that_stands_still_is_not_waited_for(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the drafts of all pieces, and writes nothing."""
    monkeypatch.setattr("s3gateway.download.hot.reader._PATIENCE", 0.1)
    worker = ground.worker()
    assert worker.download() == DATA
    held = hold_all(ground)
    began = time.monotonic()
    assert worker.download() == DATA
    assert time.monotonic() - began < 30
    assert ground.pieces() == []
    for draft in held:
        draft.drop()


def hold_all(ground: Ground) -> list[Draft]:
    """Begin to write all pieces, as another process that is silent."""
    names = next(path.name for path in ground.path.glob("*.uses")).removesuffix(".uses")
    spans = [Span(at, min(at + PIECE, SIZE)) for at in range(0, SIZE, PIECE)]
    return [
        Draft(ground.path / f"{names}-{span.start:x}-{span.length:x}", span.length)
        for span in spans
    ]


def test_one_that_goes_on_is_waited_for(ground: Ground) -> None:
    worker = ground.worker()
    assert worker.download() == DATA
    sent = ground.store.sent
    drafts = hold_all(ground)

    def write() -> None:
        for number, draft in enumerate(drafts):
            time.sleep(0.3)
            draft.write(memoryview(DATA)[number * PIECE : (number + 1) * PIECE])
            draft.publish(etag_of(DATA))

    other = threading.Thread(target=write)
    other.start()
    assert worker.download() == DATA
    other.join()
    assert ground.store.sent == sent


def test_a_sweep_of_another_thread_is_not_waited_for(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = ground.make_hot().images.sweeper
    begun, ends = threading.Event(), threading.Event()
    sweeps: list[object] = []

    def sweep(count: object) -> None:
        sweeps.append(count)
        begun.set()
        assert ends.wait(20)

    monkeypatch.setattr(sweeper, "_sweep", sweep)
    other = threading.Thread(target=sweeper.sweep)
    other.start()
    assert begun.wait(60)
    sweeper.sweep()
    ends.set()
    other.join()
    assert len(sweeps) == 1


def test_what_a_killed_process_has_left(ground: Ground) -> None:
    """Its drafts are taken over, or swept away; nobody waits for it."""
    worker = ground.worker()
    assert worker.download() == DATA
    code = (
        "import sys, pathlib, time\n"
        "from tests.unit.download.hot.ground import Ground\n"
        "from tests.unit.download.hot.test_trouble import hold_all\n"
        "held = hold_all(Ground(pathlib.Path(sys.argv[1])))\n"
        "[draft.write(memoryview(bytes(1000))) for draft in held]\n"
        "print('held', flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(ground.path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert len(ground.drafts()) == COUNT
        worker.images.sweeper.sweep()
        assert len(ground.drafts()) == COUNT  # it lives
        other.kill()
    for draft in ground.drafts()[::2]:
        draft.with_name(draft.name.removesuffix(".draft")).touch()  # damaged, too
    assert worker.download() == DATA
    ground.wait_for_pieces()


def test_what_a_killed_process_has_left_is_swept_away(ground: Ground) -> None:
    worker = ground.make_hot()
    (left := files.draft_of(ground.pieces()[0])).write_bytes(b"half of it")
    worker.images.sweeper.sweep()
    assert not left.exists()
    assert len(ground.pieces()) == COUNT


def test_files_of_others_stay(ground: Ground) -> None:
    worker = ground.make_hot()
    (ground.path / "README").write_text("What an operator has written")
    (ground.path / "lost+found").mkdir()
    os.utime(ground.path / "README", (0, 0))
    worker.images.sweeper.sweep()
    assert (ground.path / "README").exists()
    assert (ground.path / "lost+found").exists()


def test_a_link_is_not_followed(ground: Ground, tmp_path: pathlib.Path) -> None:
    ground.make_hot()
    [one, *_] = ground.pieces()
    elsewhere = one.rename(tmp_path / "elsewhere")
    one.symlink_to(elsewhere)
    assert ground.worker().download() == DATA
    assert elsewhere.exists()


def test_four_processes_read_it_once(ground: Ground) -> None:
    """To the byte, when the image is hot before they begin."""
    worker = ground.worker()
    assert worker.download() == DATA
    code = (
        "import sys, pathlib\n"
        "from s3gateway.download import body\n"
        "from s3gateway.download.hot import directory, reader\n"
        "from tests.unit.download.hot.ground import Ground\n"
        "reader._PATIENCE = directory._SLOW = 60.0  # this machine may be busy\n"
        "body._FIRST_PIECE = 60.0\n"
        "worker = Ground(pathlib.Path(sys.argv[1])).worker()\n"
        "worker.at_once(4)\n"
        "print(worker.store.sent)\n"
    )
    command = [sys.executable, "-c", code, str(ground.path)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)
    ]
    outputs = [process.communicate(timeout=280)[0] for process in running]
    assert sum(map(int, outputs)) == SIZE


@pytest.mark.parametrize("seed", range(2))
def test_processes_that_are_killed_never_harm_the_others(
    ground: Ground, seed: int
) -> None:
    """Some download again and again, and one after the other is killed."""
    code = (
        "import sys, pathlib\n"
        "from tests.unit.download.hot.ground import DATA, Ground\n"
        "worker = Ground(pathlib.Path(sys.argv[1])).worker()\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    assert worker.download() == DATA\n"
    )

    def begin(count: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code, str(ground.path), str(count)]
        return subprocess.Popen(command, cwd=ROOT)

    running = [begin(1000) for _ in range(3)]
    for number in range(6):
        time.sleep(0.3 + 0.1 * seed)
        victim = running.pop(0)
        victim.kill()
        victim.wait()
        if number < 3:
            running.append(begin(1000))
    last = begin(3)
    assert last.wait(240) == 0
    for other in running:
        other.kill()
        other.wait()
    worker = ground.worker()
    assert worker.download() == DATA
    worker.images.sweeper.sweep()
    assert ground.nothing_is_left(worker)
