# SPDX-License-Identifier: Apache-2.0
"""What has the name of a file of the gateway's, and is something else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import socket
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from s3gateway.download.hot.files import BLOCK
from s3gateway.download.hot.files import draft_of
from s3gateway.download.hot.usable import LOCK
from tests.support.s3.memory import etag_of
from tests.unit.download.hot.ground import DATA
from tests.unit.download.hot.ground import PIECE
from tests.unit.download.hot.ground import Ground

Place = Callable[[pathlib.Path], None]


def pipe(path: pathlib.Path) -> None:
    os.mkfifo(path)


def directory(path: pathlib.Path) -> None:
    path.mkdir()


def link(path: pathlib.Path) -> None:
    path.symlink_to(precious(path))


def hard_link(path: pathlib.Path) -> None:
    path.hardlink_to(precious(path))


def unix_socket(path: pathlib.Path) -> None:
    here = pathlib.Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as found:
            found.bind(path.name)
    finally:
        os.chdir(here)


def precious(path: pathlib.Path) -> pathlib.Path:
    """Return a file outside of the directory that nobody may change."""
    found = path.parent.parent / "precious"
    found.write_bytes(b"precious")
    return found


KINDS = [pipe, directory, link, hard_link, unix_socket]


def piece(ground: Ground) -> pathlib.Path:
    return ground.pieces()[1]


def draft(ground: Ground) -> pathlib.Path:
    return draft_of(piece(ground))


def uses(ground: Ground) -> pathlib.Path:
    return next(ground.path.glob("*.uses"))


def in_time(act: Callable[[], object]) -> object:
    """Do something that must not wait for ever; return what it returns."""
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(act()), daemon=True)
    thread.start()
    thread.join(60)
    assert done
    return done[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", [piece, draft, uses])
def test_it_gives_way(
    ground: Ground, kind: Place, where: Callable[[Ground], pathlib.Path]
) -> None:
    """No download waits for it or changes what it leads to, and writing goes on."""
    ground.make_hot()
    path = where(ground)
    path.unlink(missing_ok=True)
    if where is not piece:
        piece(ground).unlink()
    kind(path)
    worker = ground.worker()
    for _ in range(4):
        assert in_time(lambda: ground.worker().download() == DATA)
        in_time(worker.images.sweeper.sweep)
        assert worker.download() == DATA
    ground.wait_for_pieces()
    kept = ground.path.parent / "precious"
    assert not kept.exists() or kept.read_bytes() == b"precious"


@pytest.mark.parametrize("kind", KINDS)
def test_the_sweep_takes_it_too(ground: Ground, kind: Place) -> None:
    worker = ground.make_hot()
    path = draft(ground)
    kind(path)
    in_time(worker.images.sweeper.sweep)
    assert not os.path.lexists(path)


def test_without_the_lock_nothing_is_written(ground: Ground) -> None:
    """Nobody could sweep, and the directory would grow and grow."""
    worker = ground.make_hot()
    pipe(ground.path / "pipe")
    (ground.path / "pipe").rename(ground.path / LOCK)  # a writer may make it anew
    in_time(worker.images.sweeper.sweep)
    piece(ground).unlink()
    assert worker.download() == DATA
    assert len(ground.pieces()) == 5


def forge(path: pathlib.Path, trailer: object) -> None:
    """Write a piece of zeros whose end is whole."""
    text = trailer if isinstance(trailer, bytes) else json.dumps(trailer).encode()
    digest = hashlib.blake2b(text, digest_size=32).digest()
    path.unlink()
    path.write_bytes(bytes(PIECE) + digest + text)
    path.chmod(0o600)


def whole(path: pathlib.Path) -> dict[str, object]:
    return {
        "name": path.name,
        "etag": etag_of(DATA),
        "sums": [zlib.crc32(bytes(BLOCK))],
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files away")
def test_a_file_of_another_user_is_not_believed(ground: Ground) -> None:
    """The directory was open to others for a while."""
    worker = ground.make_hot()
    path = piece(ground)
    forge(path, whole(path))
    os.chown(path, 4711, 4711)
    ground.path.chmod(0o777)
    assert worker.download() == DATA
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [{"sums": []}, {"sums": None}, {"sums": ["x"]}, {"sums": [1, 2]}, {"etag": None}],
    ids=str,
)
def test_a_trailer_with_other_values(ground: Ground, change: dict[str, object]) -> None:
    ground.make_hot()
    path = piece(ground)
    forge(path, {**whole(path), **change})
    assert ground.worker().download() == DATA


@pytest.mark.parametrize(
    "trailer",
    [b"{", b"[" * 100_000, b"\xff", [], {}, 1, None],
    ids=lambda x: str(x)[:5],
)
def test_a_trailer_of_another_kind(ground: Ground, trailer: object) -> None:
    ground.make_hot()
    path = piece(ground)
    forge(path, trailer)
    worker = ground.worker()
    assert worker.download() == DATA
    deadline = time.monotonic() + 60
    while not is_good(path):
        assert time.monotonic() < deadline
        assert worker.download() == DATA


def is_good(path: pathlib.Path) -> bool:
    """Whether the second piece is there again, with its own bytes."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()[:PIECE] == DATA[PIECE : 2 * PIECE]
    return False
