# SPDX-License-Identifier: Apache-2.0
"""Many clients at once, and the resources of a server process before and after them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import pathlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import psutil
import requests

from tests.support.clients.api import OCTETS
from tests.support.clients.api import in_chunks
from tests.support.s3.memory import MIB
from tests.support.servers.identity import token

KIB = 1024

#: Sizes of images in bytes; the largest goes to S3 in several parts.
SIZES = (64 * KIB, MIB, 9 * MIB)
_HOW_OFTEN = (8, 4, 1)
_BLOB = random.Random(6).randbytes(12 * MIB)  # noqa: S311
_MOST = 3  # images of a client
_STEPS = {"upload": 3, "download": 4, "range": 3, "list": 4, "show": 2, "delete": 2}
_PATIENCE = 120.0  # seconds


@dataclasses.dataclass
class Record:
    """What all clients have done, and what went wrong."""

    requests: Counter[str] = dataclasses.field(default_factory=Counter)
    errors: list[str] = dataclasses.field(default_factory=list)
    moved: int = 0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def __str__(self) -> str:
        kinds = [f"{count} {kind}" for kind, count in sorted(self.requests.items())]
        total = f"{self.requests.total()} operations ({', '.join(kinds)})"
        moved = f"{self.moved / MIB:.0f} MiB moved, {len(self.errors)} errors"
        return "\n".join([f"{total}, {moved}", *self.errors[:20]])

    def done(self, kind: str, moved: int = 0) -> None:
        """Count a request that was answered as it should be."""
        with self._lock:
            self.requests[kind] += 1
            self.moved += moved

    def failed(self, kind: str, error: BaseException) -> None:
        """Keep what went wrong."""
        with self._lock:
            self.errors.append(f"{kind}: {type(error).__name__}: {error}")


class Client:
    """A user whose next step is chance, but the same chance in every run.

    :param number: of the client; each has its own project
    """

    def __init__(self, url: str, number: int, record: Record) -> None:
        self._url = f"{url}/v2/images"
        self._begins_large = number // 2 % 4 == 0
        self._project = f"project{number}"
        self._token = token(f"user{number}", self._project, "member", "reader")
        self._random = random.Random(number)  # noqa: S311
        self._record = record
        self._images: dict[str, bytes] = {}
        self._session = requests.Session()

    def work(self, until: float) -> None:
        """Send one request after the other; with every fourth the first is large.

        :param until: when to begin no more, as ``time.monotonic`` says
        """
        with requests.Session() as self._session:
            self._session.trust_env = False
            if self._begins_large and not self._images:
                self._try("upload", size=SIZES[-1])
            while time.monotonic() < until:
                self._try(self._next())

    def look(self, times: int) -> None:
        """List its images some times."""
        with requests.Session() as self._session:
            for _ in range(times):
                self._try("list")

    def leave(self) -> None:
        """Delete its images."""
        with requests.Session() as self._session:
            while self._images:
                self.delete()

    def _next(self) -> str:
        if not self._images:
            return "upload"
        if len(self._images) >= _MOST:
            return "delete"
        return self._random.choices(list(_STEPS), list(_STEPS.values()))[0]

    def _try(self, kind: str, **how: Any) -> None:
        try:
            moved = getattr(self, kind)(**how)
        except (AssertionError, requests.RequestException) as error:
            self._record.failed(kind, error)
        else:
            self._record.done(kind, moved)

    def upload(self, size: int = 0) -> int:
        size = size or self._random.choices(SIZES, _HOW_OFTEN)[0]
        start = self._random.randrange(len(_BLOB) - size)
        data = _BLOB[start : start + size]
        fields = {"disk_format": "raw", "container_format": "bare"}
        image_id = self._send("POST", "", 201, json=fields).json()["id"]
        body = data if self._random.random() < 0.5 else in_chunks(data)
        headers = {
            "Content-Type": OCTETS,
            "X-Image-Meta-Store": self._random.choice(["fast", "cheap"]),
        }
        self._send("PUT", f"/{image_id}/file", 204, data=body, headers=headers)
        self._images[image_id] = data
        return size

    def download(self) -> int:
        image_id, data = self._any()
        answer = self._send("GET", f"/{image_id}/file", 200)
        assert answer.content == data, f"{len(answer.content)} other bytes"
        return len(data)

    def range(self) -> int:
        image_id, data = self._any()
        start = self._random.randrange(len(data))
        headers = {"Range": f"bytes={start}-{start + 64 * KIB - 1}"}
        answer = self._send("GET", f"/{image_id}/file", 206, headers=headers)
        assert answer.content == data[start : start + 64 * KIB], "other bytes"
        return len(answer.content)

    def list(self) -> int:
        shown = self._send("GET", f"?owner={self._project}", 200).json()["images"]
        assert {image["id"] for image in shown} >= set(self._images), "some are missing"
        return 0

    def show(self) -> int:
        image_id, data = self._any()
        image = self._send("GET", f"/{image_id}", 200).json()
        assert (image["status"], image["size"]) == ("active", len(data)), image
        return 0

    def delete(self) -> int:
        image_id, _ = self._any()
        del self._images[image_id]
        self._send("DELETE", f"/{image_id}", 204)
        return 0

    def _any(self) -> tuple[str, bytes]:
        return self._random.choice(sorted(self._images.items()))

    def _send(
        self, method: str, path: str, expected: int, **how: Any
    ) -> requests.Response:
        headers = {"X-Auth-Token": self._token, **how.pop("headers", {})}
        answer = self._session.request(
            method, self._url + path, headers=headers, timeout=_PATIENCE, **how
        )
        text = answer.text[:300] if answer.status_code != expected else ""
        assert answer.status_code == expected, f"{answer.status_code} {text}"
        return answer


class Crowd:
    """As many clients as are said, spread over servers."""

    def __init__(self, urls: Sequence[str], clients: int) -> None:
        self.record = Record()
        self._clients = [
            Client(urls[number % len(urls)], number, self.record)
            for number in range(clients)
        ]

    def work(self, seconds: float) -> None:
        """Let all of them work at once, and wait until the last is done."""
        until = time.monotonic() + seconds
        self._all(lambda client: client.work(until))

    def look(self, times: int) -> None:
        """Let each of them list its images some times."""
        self._all(lambda client: client.look(times))

    def leave(self) -> None:
        """Let all of them delete their images."""
        self._all(Client.leave)

    def _all(self, what: Any) -> None:
        with concurrent.futures.ThreadPoolExecutor(len(self._clients)) as pool:
            for done in [pool.submit(what, client) for client in self._clients]:
                done.result()


@dataclasses.dataclass(frozen=True)
class Census:
    """What a process holds.

    :ivar pid: whose this is
    :ivar rss: memory, in bytes
    :ivar sockets: of all kinds
    :ivar files: descriptors of all kinds
    :ivar threads: of all kinds
    """

    pid: int
    rss: int
    sockets: int
    files: int
    threads: int

    def __str__(self) -> str:
        return (
            f"RSS {self.rss / MIB:.0f} MiB, {self.sockets} sockets, "
            f"{self.files} descriptors, {self.threads} threads"
        )


def census(pid: int) -> Census:
    """Count what a process holds."""
    process = psutil.Process(pid)
    files = []
    for each in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            files.append(str(each.readlink()))
    return Census(
        pid,
        process.memory_info().rss,
        sum(file.startswith("socket:") for file in files),
        len(files),
        process.num_threads(),
    )


def when_idle(pid: int, port: int, patience: float = 60) -> Census:
    """Wait until a server has let go of its clients, and of what it did for them.

    :param port: at which it listens
    :return: what it holds when that does not change any more
    """
    deadline = time.monotonic() + patience
    steady = 0
    last = census(pid)
    while steady < 10 and time.monotonic() < deadline:
        time.sleep(0.2)
        now = census(pid)
        same = (now.files, now.threads) == (last.files, last.threads)
        steady = steady + 1 if same and not _clients_of(pid, port) else 0
        last = now
    return last


def _clients_of(pid: int, port: int) -> int:
    found = psutil.Process(pid).net_connections("tcp")
    return sum(
        bool(each.laddr and each.laddr.port == port and each.raddr) for each in found
    )


def growth(before: Census, after: Census, *, rss: int, sockets: int) -> Iterator[str]:
    """Yield what a process holds more of than it may.

    :param rss: how many more bytes it may hold
    :param sockets: how many connections its pools may hold in all
    """
    if after.pid != before.pid:
        yield "another process"
    if after.rss > before.rss + rss:
        yield "memory"
    if after.sockets > max(before.sockets, sockets):
        yield "sockets"
    if after.files - after.sockets > before.files - before.sockets:
        yield "files"
    if after.threads > before.threads:
        yield "threads"
