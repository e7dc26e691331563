# SPDX-License-Identifier: Apache-2.0
"""The mix of operations asks a Glance for what it says, and reports in warp's form."""

from __future__ import annotations

import http.server
import itertools
import json
import pathlib
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.client import Failed
from benchmarks.mix import SHARES
from benchmarks.mix import Done
from benchmarks.mix import Mix
from benchmarks.mix import Report
from tests.support.servers import web

MIB = 1024**2
SIZE = 1000


class Images(http.server.BaseHTTPRequestHandler):
    """An image API that keeps data in memory."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    data: dict[str, bytes]
    counted: Counter[str]
    accepted: int

    def do_POST(self) -> None:
        self._body()
        with self.lock:
            image = f"image{self.counted['POST']}"
            self.counted["POST"] += 1
            self.data[image] = b""
        self._answer(201, json.dumps({"id": image}).encode())

    def do_PUT(self) -> None:
        self.data[self._image()] = self._body()
        self._answer(self.accepted)

    def do_GET(self) -> None:
        if self._image() not in self.data:
            self._answer(404)
        else:
            is_data = self.path.endswith("/file")
            self._answer(200, self.data[self._image()] if is_data else b"{}")

    def do_DELETE(self) -> None:
        with self.lock:
            self.counted["DELETE"] += 1
        self._answer(204 if self.data.pop(self._image(), None) else 404)

    def _image(self) -> str:
        return self.path.split("/")[3]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def images() -> Iterator[str]:
    """The URL of an image API that has no images."""
    Images.data, Images.counted, Images.accepted = {}, Counter(), 204
    with web.serving(Images) as url:
        yield url


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "source"
    path.write_bytes(bytes(SIZE))
    return path


class Clock:
    """Takes the place of ``time``; a look at it takes ten milliseconds."""

    def __init__(self) -> None:
        self._looks = itertools.count()

    def monotonic(self) -> float:
        return next(self._looks) / 100


def test_everything_is_done_and_nothing_left(
    images: str, source: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few operations a busy machine does in two seconds."""
    monkeypatch.setattr("benchmarks.mix.time", Clock())
    report = Mix(images, "token", source, SIZE, at_once=4).run(2, images=8)
    done = Counter(each.name for each in report.done)
    assert set(done) == set(SHARES)
    assert Images.counted["POST"] == 8 + done["PUT"]
    assert Images.data == {}
    assert "Report: Total. Concurrency: 4." in str(report)


def test_a_wrong_answer_is_no_figure(images: str, source: pathlib.Path) -> None:
    Images.accepted = 500
    with pytest.raises(Failed):
        Mix(images, "token", source, SIZE, at_once=1).run(0.5, images=1)


@pytest.fixture
def report() -> Report:
    done = [
        Done(name, 10 * MIB if name in ("GET", "PUT") else 0, seconds, 100 + seconds)
        for name in SHARES
        for seconds in (1.0, 2.0, 3.0, 4.0)
    ]
    return Report(done, started=100, at_once=20)


def test_a_report(report: Report) -> None:
    assert report.rate("GET") == (10, 1)
    assert report.rate() == (20, 4)
    assert report.median("STAT") == 2500
    lines = str(report).splitlines()
    at = lines.index("Report: GET. Concurrency: 20. Ran: 4s")
    assert lines[at + 1 : at + 3] == [
        " * Average: 10.00 MiB/s, 1.00 obj/s",
        (
            " * Reqs: Avg: 2500.0ms, 50%: 3000.0ms, 90%: 4000.0ms, 99%: 4000.0ms, "
            "Fastest: 1000.0ms, Slowest: 4000.0ms, StdDev: 1118.0ms"
        ),
    ]
    assert " * Average: 1.00 obj/s" in lines, "nothing is moved by a STAT"
    assert lines[-1] == " * Average: 20.00 MiB/s, 4.00 obj/s"
