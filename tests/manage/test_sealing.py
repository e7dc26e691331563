# SPDX-License-Identifier: Apache-2.0
"""Stock Glance moved behind another host with other keys, and back, while it serves.

For Glance the face of a sealed gateway is an S3 server with keys of its own.  Here it
is a gate before the same S3 server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

import pytest

from s3gateway.config.keys import KeyPair
from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.s3 import gate as gates
from tests.support.s3.gate import Gate
from tests.support.s3.s3server import S3Server
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import Glance
from tests.support.servers.manage import Manage
from tests.support.servers.manage import Result
from tests.support.servers.mariadb import MariaDB

REAL = KeyPair("REALACCESSKEY001", "real/secret+key=0123456789abcdef")
FACE = KeyPair("FACEACCESSKEY001", "face0secret0key00123456789abcdef")
DATA = b"image data" * 1000

Clouds = Callable[..., Cloud]


@dataclasses.dataclass
class Server:
    """An S3 server as Glance sees it."""

    url: str
    gate: Gate
    pair: KeyPair

    def section(self) -> dict[str, str]:
        return {
            "s3_store_host": self.url,
            "s3_store_access_key": self.pair.access_key,
            "s3_store_secret_key": self.pair.secret_key,
        }

    def config(self) -> Config:
        return {"fast": self.section(), "cheap": self.section()}

    def file(self, directory: pathlib.Path) -> str:
        path = directory / f"{self.pair.access_key}.keys"
        path.write_text(f"{self.pair.access_key} {self.pair.secret_key}\n")
        return str(path)


@pytest.fixture(scope="session")
def real(s3: S3Server) -> Iterator[Server]:
    gate = Gate(s3, gates.of_pairs(REAL))
    with gates.serving(gate) as url:
        yield Server(url, gate, REAL)


@pytest.fixture(scope="session")
def face(s3: S3Server) -> Iterator[Server]:
    gate = Gate(s3, gates.of_pairs(FACE))
    with gates.serving(gate) as url:
        yield Server(url, gate, FACE)


@pytest.fixture(scope="session")
def sealing(
    workspace: pathlib.Path, database: MariaDB, s3: S3Server
) -> Iterator[Clouds]:
    """Clouds of their own, in whose databases nothing else is."""
    made: dict[tuple[int, str], Cloud] = {}
    with contextlib.ExitStack() as stack:

        def cloud(release: int, name: str = "sealing") -> Cloud:
            if (release, name) not in made:
                home = workspace / f"{name}-{release}"
                made[release, name] = Cloud(
                    release, home, database, s3, stack, name=name
                )
            return made[release, name]

        yield cloud


class Stage:
    """Stock Glance with its section at one server or the other.

    :param options: of ``[DEFAULT]``
    """

    def __init__(
        self, cloud: Cloud, real: Server, face: Server, **options: str
    ) -> None:
        self.cloud, self.real, self.face = cloud, real, face
        self._more: Config = {"DEFAULT": options} if options else {}

    def at(self, server: Server, token: str = ALICE) -> Api:
        return Api(self._glance(server).url, token)

    def manage(self, server: Server, *words: str) -> Result:
        return Manage(self.cloud, self._glance(server))("locations", *words)

    def _glance(self, server: Server) -> Glance:
        return self.cloud.glance(gateway=False, config=server.config() | self._more)

    def settled(self, *words: str) -> Result:
        """Run a command until no import is under way that has just ended."""
        while (done := self.manage(self.face, *words)).about("importing"):
            time.sleep(1)
        return done

    def rows(self) -> list[str]:
        found = self.cloud.rows("SELECT value FROM image_locations ORDER BY id")
        return [row[0] for row in found]

    def dump(self) -> str:
        return self.cloud.sql("SELECT * FROM image_locations")

    def images(self) -> dict[str, str]:
        """Have images of each kind; return their ids."""
        api = self.at(self.real)
        ids = {}
        for kind in ("active", "cheap", "deactivated", "deleted"):
            ids[kind] = api.create()
            store = {"X_Image_Meta_Store": "cheap"} if kind == "cheap" else {}
            assert api.upload(ids[kind], DATA, **store).status == 204
        admin = self.at(self.real, ADMIN)
        path = f"/v2/images/{ids['deactivated']}/actions/deactivate"
        assert admin.request("POST", path).status == 204
        assert api.delete(ids["deleted"]).status == 204
        return ids


@contextlib.contextmanager
def reading(api: Api, image_id: str) -> Iterator[list[int]]:
    """Download an image again and again meanwhile."""
    statuses: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            answer = api.download(image_id)
            statuses.append(answer.status if answer.body == DATA else 0)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()


def tried_at_s3(real: Server) -> None:
    """Make sure that the pair of the face was tried at S3, and refused."""
    assert set(real.gate.refused) == {"InvalidAccessKeyId"}
    real.gate.refused.clear()


@pytest.mark.timeout(900)  # on Glance 32 it looks ten times
@pytest.mark.parametrize("release", tiers.but([30], [30, 31, 32]))
def test_there_and_back_with_nothing_lost(
    sealing: Clouds,
    real: Server,
    face: Server,
    tmp_path: pathlib.Path,
    release: int,
) -> None:
    stage = Stage(sealing(release), real, face)
    ids = stage.images()
    before = stage.rows()
    words = ["--face", face.url, "--key-file", face.file(tmp_path), "--from", real.url]
    tried = stage.manage(real, "seal", *words, "--dry-run")
    assert (tried.code, len(tried.about("planned"))) == (0, 4), tried.text
    assert stage.rows() == before

    # The section first, while the face still knows the keys in the locations.
    face.gate.find = gates.of_pairs(FACE, REAL)
    with reading(stage.at(face), ids["active"]) as statuses:
        done = stage.manage(face, "seal", *words)
    assert (done.code, len(done.about("done"))) == (0, 4), done.text
    assert set(statuses) == {200}
    face.gate.find = gates.of_pairs(FACE)
    for secret in (REAL.access_key, REAL.secret_key, real.url.partition("//")[2]):
        assert secret not in stage.dump()
    for secret in (REAL.secret_key, FACE.secret_key):
        assert secret not in f"{tried.text}{done.text}"
    assert stage.manage(face, "audit", "--face", face.url).code == 0
    tried_at_s3(real)
    sealed = stage.at(face)
    assert sealed.download(ids["active"]).body == DATA
    assert sealed.download(ids["cheap"]).body == DATA
    assert face.gate.refused == []
    new = sealed.create()
    assert sealed.upload(new, DATA).status == 204
    assert sealed.delete(ids["cheap"]).status == 204
    assert ids["cheap"] not in str(stage.cloud.objects("cheap"))

    # Back: the locations first, and then the section.
    face.gate.find = gates.of_pairs(FACE, REAL)
    words = ["--face", face.url, "--s3", real.url, "--key-file", real.file(tmp_path)]
    with reading(sealed, ids["active"]) as statuses:
        done = stage.manage(face, "unseal", *words)
    if release == 32 and done.code:  # it writes its keys back when it reads
        assert [row["image"] for row in done.about("failed")] == [ids["active"]]
        assert len(done.about("conflict")) == 1
    else:
        assert (done.code, len(done.about("done"))) == (0, 3), done.text
    assert set(statuses) == {200}
    stock = stage.at(real)
    assert stage.manage(real, "unseal", *words).code == 0
    for image_id in (ids["active"], new):
        assert stock.download(image_id).body == DATA
    path = f"/v2/images/{ids['deactivated']}/actions/reactivate"
    assert stage.at(real, ADMIN).request("POST", path).status == 204
    assert stock.download(ids["deactivated"]).body == DATA
    assert stage.rows()[0] == before[0]
    for image_id in (ids["active"], ids["deactivated"], new):
        assert stock.delete(image_id).status == 204
    assert real.gate.refused == []


def test_on_33_changing_the_section_is_enough(
    sealing: Clouds, real: Server, face: Server, tmp_path: pathlib.Path
) -> None:
    stage = Stage(sealing(33), real, face)
    face.gate.find = gates.of_pairs(FACE)
    ids = stage.images()
    before = stage.rows()
    assert REAL.access_key not in stage.dump()
    words = ["--face", face.url, "--key-file", face.file(tmp_path)]
    for name, more in (("seal", []), ("unseal", ["--s3", real.url])):
        done = stage.manage(real, name, *words, *more)
        assert done.code == 0, done.text
        assert "change the store's section, and restart Glance" in done.summary
    assert stage.rows() == before
    sealed = stage.at(face)
    assert sealed.download(ids["active"]).body == DATA
    new = sealed.create()
    assert sealed.upload(new, DATA).status == 204
    assert sealed.delete(ids["cheap"]).status == 204
    stock = stage.at(real)
    assert stock.download(new).body == DATA
    assert stock.delete(ids["active"]).status == 204
    assert stock.delete(new).status == 204
    assert (real.gate.refused, face.gate.refused) == ([], [])


def test_what_an_import_writes_back(
    sealing: Clouds, real: Server, face: Server, tmp_path: pathlib.Path
) -> None:
    """Glance writes all locations of an image back, at the end, as it has read them."""
    stage = Stage(sealing(30, "importing"), real, face)
    face.gate.find = gates.of_pairs(FACE, REAL)
    api = stage.at(real)
    image_id, other = api.create(), api.create()
    assert api.upload(image_id, DATA).status == 204
    assert api.upload(other, DATA).status == 204
    words = ["--face", face.url, "--key-file", face.file(tmp_path), "--from", real.url]
    admin = stage.at(face, ADMIN)
    with held_up(face, stage.cloud.bucket("cheap")) as reached:
        method = {"method": {"name": "copy-image"}, "stores": ["cheap"]}
        sent = admin.send_json("POST", f"/v2/images/{image_id}/import", method)
        assert sent.status == 202
        assert reached.wait(60)
        done = stage.manage(face, "seal", *words)
        assert done.code == 1, done.text
        assert [row["image"] for row in done.about("importing")] == [image_id]
        assert [row["image"] for row in done.about("rewritten")] == [other]
        assert REAL.access_key not in stage.dump()
    admin.wait_until(image_id, lambda image: "cheap" in image["stores"])
    assert REAL.secret_key in stage.dump()
    done = stage.settled("seal", *words)
    assert (done.code, len(done.about("done"))) == (0, 1), done.text
    assert REAL.access_key not in stage.dump()
    face.gate.find = gates.of_pairs(FACE)
    tried_at_s3(real)
    sealed = stage.at(face)
    for each in (image_id, other):
        assert sealed.download(each).body == DATA
        assert sealed.delete(each).status == 204
    assert stage.cloud.kept() == []


@contextlib.contextmanager
def held_up(server: Server, bucket: str) -> Iterator[threading.Event]:
    """Let writes to a bucket wait; yield what is set when there is one."""
    reached, done = threading.Event(), threading.Event()

    def before(method: str, path: str) -> None:
        if method == "PUT" and path.startswith(f"/{bucket}/"):
            reached.set()
            done.wait(120)

    server.gate.before = before
    try:
        yield reached
    finally:
        done.set()
        server.gate.before = lambda method, path: None


class Busy:
    """Users who do all that changes locations, again and again.

    :ivar images: those that are there
    :ivar wrong: what was not as it should be
    """

    def __init__(self, api: Api, admin: Api) -> None:
        self.images: set[str] = set()
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()
        self.api, self._admin = api, admin
        self._stop = threading.Event()

    @contextlib.contextmanager
    def working(self, users: int = 3) -> Iterator[None]:
        self._stop.clear()
        with futures.ThreadPoolExecutor(users) as pool:
            running = [pool.submit(self._work, number) for number in range(users)]
            try:
                yield
            finally:
                self._stop.set()
        for each in running:
            each.result()

    def _work(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        mine: list[str] = []
        while not self._stop.is_set():
            kind = chance.choice(["create", "create", "rename", "copy", "drop", "go"])
            if kind == "create" or not mine:
                kind = "create"
                mine.append(self.api.create())
                self._expect(self.api.upload(mine[-1], DATA), 204, kind)
            elif kind == "go":
                self._expect(self.api.delete(mine.pop()), 204, kind)
            else:
                self._change(kind, chance.choice(mine), seed)
            self.done[kind] += 1
        self.images.update(mine)

    def _change(self, kind: str, image_id: str, seed: int) -> None:
        stores = self._admin.show(image_id)["stores"].split(",")
        if kind == "rename":
            change = {"op": "replace", "path": "/name", "value": str(seed)}
            self._expect(self.api.patch(image_id, change), 200, kind)
        elif kind == "copy" and "cheap" not in stores:
            self._admin.copy(image_id, "cheap")
        elif kind == "drop" and len(stores) == 2:
            change = {"op": "remove", "path": "/locations/1"}
            self._expect(self._admin.patch(image_id, change), 200, kind)

    def _expect(self, answer: Response, status: int, kind: str) -> None:
        if answer.status != status:
            self.wrong.append(f"{kind}: {answer}")


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_while_glance_is_busy(
    sealing: Clouds, real: Server, face: Server, tmp_path: pathlib.Path
) -> None:
    """No image loses its data or its location; what is left is said."""
    stage = Stage(sealing(30, "busy"), real, face)
    face.gate.find = gates.of_pairs(FACE, REAL)
    there = ["--face", face.url, "--key-file", face.file(tmp_path), "--from", real.url]
    back = ["--face", face.url, "--s3", real.url, "--key-file", real.file(tmp_path)]
    busy = Busy(stage.at(face), stage.at(face, ADMIN))
    stock = stage.at(real)
    for _ in range(8):
        image_id = stock.create()
        assert stock.upload(image_id, DATA).status == 204
        busy.images.add(image_id)
    for command, words in (("seal", there), ("unseal", back)):
        with busy.working():
            first = stage.manage(face, command, *words)
        assert not busy.wrong
        assert first.code in (0, 1), first.text
        left = {row["code"] for row in first.rows} - {"rewritten"}
        assert left <= {"importing", "conflict"}, first.text
        assert stage.settled(command, *words).code == 0
        for image_id in busy.images:
            assert busy.api.download(image_id).body == DATA
    print(f"{dict(busy.done)}, {len(busy.images)} images are left")
    assert stage.settled("seal", *there).code == 0
    face.gate.find = gates.of_pairs(FACE)
    for image_id in busy.images:
        assert busy.api.download(image_id).body == DATA
        assert busy.api.delete(image_id).status == 204
    assert stage.cloud.kept() == []
    assert REAL.secret_key not in stage.dump()


@pytest.mark.full
def test_locations_that_glance_encrypts(
    sealing: Clouds, real: Server, face: Server, tmp_path: pathlib.Path
) -> None:
    cloud = sealing(30, "encrypted")
    plain = Stage(cloud, real, face)
    earlier = plain.at(real).create()
    assert plain.at(real).upload(earlier, DATA).status == 204
    assert plain.at(real).delete(earlier).status == 204  # its row stays as it is
    stage = Stage(cloud, real, face, metadata_encryption_key="0123456789abcdef" * 2)
    api = stage.at(real)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    assert [row.startswith("s3://") for row in stage.rows()] == [True, False]
    face.gate.find = gates.of_pairs(FACE)
    words = ["--face", face.url, "--key-file", face.file(tmp_path)]
    done = stage.manage(real, "seal", *words)
    assert (done.code, len(done.about("done"))) == (0, 2), done.text
    assert not any(row.startswith("s3://") for row in stage.rows())
    tried_at_s3(real)
    sealed = stage.at(face)
    assert sealed.download(image_id).body == DATA
    done = stage.manage(real, "unseal", "--face", face.url)
    assert (done.code, len(done.about("done"))) == (0, 1), done.text
    assert stage.at(real).download(image_id).body == DATA
    assert stage.at(real).delete(image_id).status == 204
