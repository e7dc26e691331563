# SPDX-License-Identifier: Apache-2.0
"""The clients of a soak: what each does next is chance."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from collections.abc import Iterator

import requests

from tests.soak.diary import BROKEN
from tests.soak.diary import NOT_IMPORTED
from tests.soak.diary import OK
from tests.soak.diary import ONE_BIT
from tests.soak.diary import WRONG
from tests.soak.diary import Deed
from tests.soak.diary import Diary
from tests.support.clients.api import OCTETS
from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.clients.api import in_chunks
from tests.support.people import ADMIN
from tests.support.servers.identity import token

KIB, MIB = 1024, 1024**2
STORES = ("fast", "cheap")

#: Sizes of images; the two largest go to S3 in parts.
_SIZES = {64 * KIB: 6, MIB: 3, 9 * MIB: 2, 17 * MIB: 1}
_BLOB = random.Random(25).randbytes(18 * MIB)  # noqa: S311
_MOST = 4  # images of a client
_PATIENCE = 60.0  # seconds for an import
_STEPS = {
    "upload": 4,
    "download": 6,
    "range": 4,
    "list": 2,
    "show": 1,
    "delete": 3,
    "import": 1,
    "copy": 1,
}


class Unexpected(Exception):
    """What a client saw was not what it should be; the text is the outcome."""


@dataclasses.dataclass(frozen=True)
class Data:
    """The data of an image: a piece of what all images are cut from."""

    start: int
    size: int

    def bytes(self) -> bytes:
        return _BLOB[self.start : self.start + self.size]


class Client:
    """A user of one gateway.

    :ivar images: those that must be there, whole
    :ivar uncertain: those of which something failed: whole, or not active
    :ivar gone: those that were deleted
    :ivar half_deleted: those of the uncertain ones that Glance's driver may have
        deleted the data of, before it gave up
    :param number: of the client; each has a project of its own
    :param through: the name of the gateway
    """

    def __init__(self, number: int, through: str, url: str, diary: Diary) -> None:
        self._project = f"soak{number}"
        self._api = Api(url, token(f"user{number}", self._project, "member", "reader"))
        self._admin = Api(url, ADMIN)
        self._through = through
        self._diary = diary
        self._chance = random.Random(number)  # noqa: S311
        self.images: dict[str, Data] = {}
        self.uncertain: dict[str, Data] = {}
        self.gone: set[str] = set()
        self.half_deleted: set[str] = set()

    def work(self, until: float) -> None:
        """Do one thing after the other until a time of ``time.monotonic``."""
        while time.monotonic() < until:
            self._do(self._next())

    def _next(self) -> str:
        if not self.images:
            return "upload"
        if len(self.images) >= _MOST:
            return "delete"
        return self._chance.choices(list(_STEPS), list(_STEPS.values()))[0]

    def _do(self, what: str) -> None:
        began = time.monotonic()
        image, work = getattr(self, f"_{what}")()
        outcome, moved, detail = OK, 0, ""
        try:
            moved = work()
        except Unexpected as seen:
            outcome, detail = str(seen), str(seen.__cause__ or "")
        except requests.RequestException as error:
            outcome, detail = BROKEN, f"{type(error).__name__}: {error}"
        if outcome != OK and what not in ("download", "range", "list", "show"):
            self._doubt(image)
            if what == "delete":
                self.half_deleted.add(image)
        ended = time.monotonic()
        self._diary.did(
            Deed(what, self._through, image, began, ended, outcome, moved, detail)
        )

    def _doubt(self, image: str) -> None:
        if image in self.images:
            self.uncertain[image] = self.images.pop(image)

    def _new(self) -> tuple[str, Data]:
        """Make an image without data; no fault happens to that."""
        size = self._chance.choices(list(_SIZES), list(_SIZES.values()))[0]
        data = Data(self._chance.randrange(len(_BLOB) - size), size)
        image = ""
        while not image:
            began = time.monotonic()
            try:
                image = self._api.create()
            except (requests.RequestException, AssertionError) as error:
                broken = isinstance(error, requests.RequestException)
                outcome = BROKEN if broken else _status_in(str(error))
                ended = time.monotonic()
                self._diary.did(
                    Deed("create", self._through, "", began, ended, outcome)
                )
                time.sleep(0.5)
        self.images[image] = data
        return image, data

    def _upload(self) -> tuple[str, Callable[[], int]]:
        image, data = self._new()
        body = data.bytes()
        chunked = self._chance.random() < 0.5
        store = self._chance.choice(STORES)

        def work() -> int:
            sent: bytes | Iterator[bytes] = in_chunks(body) if chunked else body
            _expect(self._api.upload(image, sent, X_Image_Meta_Store=store), 204)
            return data.size

        return image, work

    def _download(self) -> tuple[str, Callable[[], int]]:
        image, data = self._any()

        def work() -> int:
            answer = _expect(self._api.download(image), 200)
            same(answer.body, data.bytes())
            return data.size

        return image, work

    def _range(self) -> tuple[str, Callable[[], int]]:
        image, data = self._any()
        first = self._chance.randrange(data.size)
        count = self._chance.choice((64 * KIB, 3 * MIB))

        def work() -> int:
            wanted = f"bytes={first}-{first + count - 1}"
            answer = _expect(self._api.download(image, Range=wanted), 206)
            same(answer.body, data.bytes()[first : first + count])
            return len(answer.body)

        return image, work

    def _list(self) -> tuple[str, Callable[[], int]]:
        def work() -> int:
            path = f"/v2/images?owner={self._project}&limit=200"
            shown = _expect(self._api.request("GET", path), 200).json()["images"]
            if not {image["id"] for image in shown} >= set(self.images):
                raise Unexpected(WRONG)
            return 0

        return "", work

    def _show(self) -> tuple[str, Callable[[], int]]:
        image, data = self._any()

        def work() -> int:
            path = f"/v2/images/{image}"
            found = _expect(self._api.request("GET", path), 200).json()
            if (found["status"], found["size"]) != ("active", data.size):
                raise Unexpected(WRONG)
            return 0

        return image, work

    def _delete(self) -> tuple[str, Callable[[], int]]:
        image, _ = self._any()

        def work() -> int:
            _expect(self._api.delete(image), 204)
            del self.images[image]
            self.gone.add(image)
            return 0

        return image, work

    def _import(self) -> tuple[str, Callable[[], int]]:
        image, data = self._new()
        store = self._chance.choice(STORES)

        def work() -> int:
            path = f"/v2/images/{image}"
            body = data.bytes()
            staged = self._api.request(
                "PUT", f"{path}/stage", body, Content_Type=OCTETS
            )
            _expect(staged, 204)
            method = {"method": {"name": "glance-direct"}, "stores": [store]}
            _expect(self._api.send_json("POST", f"{path}/import", method), 202)
            self._wait_for(image, store)
            return data.size

        return image, work

    def _copy(self) -> tuple[str, Callable[[], int]]:
        image, data = self._any()

        def work() -> int:
            path = f"/v2/images/{image}"
            stores = _expect(self._admin.request("GET", path), 200).json()["stores"]
            other = [store for store in STORES if store not in stores.split(",")]
            if not other:
                return 0
            method = {"method": {"name": "copy-image"}, "stores": other}
            _expect(self._admin.send_json("POST", f"{path}/import", method), 202)
            self._wait_for(image, other[0])
            return data.size

        return image, work

    def _wait_for(self, image: str, store: str) -> None:
        """Wait until an image is in a store, and nothing more is done with it."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            path = f"/v2/images/{image}"
            found = _expect(self._admin.request("GET", path), 200).json()
            running = found.get("os_glance_import_task")
            if not running and store in found.get("stores", "").split(","):
                return
            failed = found.get("os_glance_failed_import", "").split(",")
            if time.monotonic() > deadline or (store in failed and not running):
                raise Unexpected(NOT_IMPORTED)
            time.sleep(0.2)

    def _any(self) -> tuple[str, Data]:
        return self._chance.choice(sorted(self.images.items()))


def _expect(answer: Response, status: int) -> Response:
    if answer.status != status:
        text = answer.body[:200].decode(errors="replace")
        raise Unexpected(str(answer.status)) from AssertionError(text)
    return answer


def same(found: bytes, wanted: bytes) -> None:
    """Make sure that bytes are those that were uploaded.

    :raises Unexpected: if they are not; its cause says where
    """
    if found == wanted:
        return
    length = f"{len(found)} of {len(wanted)} bytes"
    if len(found) != len(wanted):
        raise Unexpected(WRONG) from AssertionError(length)
    other = int.from_bytes(found, "big") ^ int.from_bytes(wanted, "big")
    bits = other.bit_count()
    where = len(wanted) - 1 - (other.bit_length() - 1) // 8
    outcome = ONE_BIT if bits == 1 else WRONG
    raise Unexpected(outcome) from AssertionError(
        f"{length}, {bits} wrong bits, the first in byte {where}"
    )


def _status_in(text: str) -> str:
    """Return the status in what ``Api.create`` says of an answer."""
    return text.partition("status=")[2].partition(",")[0]
