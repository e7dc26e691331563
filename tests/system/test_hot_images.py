# SPDX-License-Identifier: Apache-2.0
"""A directory of hot images: real workers read an image from S3 once for all."""

from __future__ import annotations

import pathlib
import random
import signal
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

import psutil
import pytest
import requests

from s3gateway.download.hot.files import DRAFT
from s3gateway.download.hot.names import is_piece
from tests.support.clients.api import Api
from tests.support.faults.s3_faults import Meter
from tests.support.faults.through import Through
from tests.support.faults.through import received
from tests.support.faults.through import through_proxy
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud

MIB = 1024**2
SIZE = 24 * MIB
PIECE = 2 * MIB
DATA = random.Random(29).randbytes(SIZE)  # noqa: S311
CLIENTS = 12
WORKERS = 4


@pytest.fixture(scope="module")
def directory() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="s3gw-hot-") as found:
        yield pathlib.Path(found) / "hot"


@pytest.fixture(scope="module")
def through(
    clouds: Callable[[int], Cloud], directory: pathlib.Path
) -> Iterator[Through]:
    options = {
        "hot_images": "200MiB",
        "hot_images_dir": str(directory),
        "download_piece": str(PIECE // MIB),
        "read_timeout": "60",
        "retry_time": "60",
    }
    with through_proxy(
        clouds(33), ALICE, options=options, workers=WORKERS, threads=CLIENTS + 4
    ) as found:
        yield found


@pytest.fixture
def image_id(through: Through) -> Iterator[str]:
    with through.image(DATA) as found:
        yield found


@pytest.fixture
def meter(through: Through, image_id: str) -> Meter:
    """What S3 sends of the image, which is slow enough that downloads overlap."""
    return through.meter(image_id, 8 * MIB)


def at_once(through: Through, image_id: str, count: int = CLIENTS) -> None:
    through.download_at_once(image_id, DATA, count)


def pieces(directory: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in directory.iterdir() if is_piece(path.name)]


def wait_for_pieces(directory: pathlib.Path) -> None:
    """Wait for all pieces of the image.

    Each is published a moment after its last bytes were handed out.
    """
    deadline = time.monotonic() + 60
    while len(pieces(directory)) != SIZE // PIECE or drafts(directory):
        assert time.monotonic() < deadline, len(pieces(directory))
        time.sleep(0.05)


def drafts(directory: pathlib.Path) -> list[pathlib.Path]:
    return list(directory.glob(f"*{DRAFT}"))


def test_s3_sends_it_once_to_four_workers(
    through: Through, image_id: str, meter: Meter, directory: pathlib.Path
) -> None:
    """But for what the first download had asked for before it joined the others."""
    at_once(through, image_id)
    assert meter.count <= 1.05 * SIZE + 6 * MIB
    wait_for_pieces(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    sent = meter.count
    at_once(through, image_id, 4)
    assert meter.count == sent


def test_it_is_there_while_s3_is_away(
    through: Through, image_id: str, directory: pathlib.Path
) -> None:
    at_once(through, image_id, 4)
    wait_for_pieces(directory)
    through.proxy.down()
    try:
        assert received(through.api, image_id) == (DATA, True)
        part = through.api.download(image_id, Range="bytes=5000000-5000099")
        assert (part.status, part.body) == (206, DATA[5_000_000:5_000_100])
    finally:
        through.proxy.up()


def test_glance_is_asked_first(
    through: Through, image_id: str, directory: pathlib.Path
) -> None:
    """A stranger gets nothing, and nobody gets a deactivated image."""
    at_once(through, image_id, 4)
    wait_for_pieces(directory)
    assert Api(through.api.url, BOB).download(image_id).status == 404
    admin = Api(through.api.url, ADMIN)
    answer = admin.request("POST", f"/v2/images/{image_id}/actions/deactivate")
    assert answer.status == 204
    assert through.api.download(image_id).status == 403
    assert pieces(directory) == []
    admin.request("POST", f"/v2/images/{image_id}/actions/reactivate")
    assert received(through.api, image_id) == (DATA, True)


def test_a_delete_takes_its_pieces(
    through: Through, image_id: str, directory: pathlib.Path
) -> None:
    at_once(through, image_id, 4)
    wait_for_pieces(directory)
    assert through.api.delete(image_id).status == 204
    assert through.api.download(image_id).status == 404
    assert pieces(directory) == []


@pytest.mark.parametrize("by", ["patch", "store"])
def test_a_copy_that_is_removed_takes_its_pieces(
    through: Through, image_id: str, directory: pathlib.Path, by: str
) -> None:
    """Glance lets nobody remove the last location."""
    admin = Api(through.api.url, ADMIN)
    at_once(through, image_id, 4)
    last = {"op": "remove", "path": "/locations/0"}
    assert admin.patch(image_id, last).status == 403
    assert pieces(directory)
    admin.copy(image_id, "cheap")
    if by == "patch":
        assert admin.patch(image_id, last).status == 200
    else:
        path = f"/v2/stores/fast/{image_id}"
        assert admin.request("DELETE", path).status == 204
    assert through.api.show(image_id)["stores"] == "cheap"
    assert pieces(directory) == []
    at_once(through, image_id, 4)


def test_a_worker_that_is_killed_leaves_good_pieces(
    through: Through, image_id: str, meter: Meter, directory: pathlib.Path
) -> None:
    """Its clients see a broken connection, and those of the others do not wait long."""
    with futures.ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(received, through.api, image_id) for _ in range(CLIENTS)]
        while not pieces(directory):
            assert not all(each.done() for each in running)
        [victim, *_] = psutil.Process(through.glance.server.pid).children()
        victim.send_signal(signal.SIGKILL)
        for each in running:
            try:
                data, whole = each.result(120)
            except requests.ConnectionError:
                continue
            assert DATA.startswith(data)
            assert whole == (data == DATA)
    at_once(through, image_id, 4)


def test_damaged_files_are_read_from_s3(
    through: Through, image_id: str, directory: pathlib.Path
) -> None:
    at_once(through, image_id, 4)
    wait_for_pieces(directory)
    for number, path in enumerate(sorted(pieces(directory))):
        with path.open("r+b") as file:
            file.seek(number * 1000)
            file.write(b"damaged") if number % 2 else file.truncate()
    at_once(through, image_id, 4)
    assert "A piece in hot_images_dir was removed" in through.glance.log


def test_a_directory_that_others_can_read_is_refused(
    cloud: Cloud, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "hot").mkdir()
    (tmp_path / "hot").chmod(0o755)
    options = {"hot_images": "1GiB", "hot_images_dir": str(tmp_path / "hot")}
    with pytest.raises(Exception, match=r"hot_images_dir.*set its mode to 0700"):
        cloud.glance(gateway=True, config={"s3gateway": options})
