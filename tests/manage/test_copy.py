# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage copy and migrate, while Glance goes on."""

from __future__ import annotations

import contextlib
import pathlib
import random
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.support import formats
from tests.support.clients.api import Api
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.s3_faults import Answer
from tests.support.faults.s3_faults import Stall
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers.manage import Manage
from tests.support.servers.manage import parsed

MIB = 1024**2
SMALL = b"of an image\n" * 1000
LARGE = random.Random(7).randbytes(45 * MIB)  # noqa: S311  two parts to copy


@pytest.fixture
def api(managed: Manage) -> Api:
    return Api(managed.glance.url, ALICE)


@pytest.fixture(scope="session")
def stock(managed: Manage) -> Api:
    return managed.cloud.api(ADMIN, gateway=False)


def made(api: Api, data: bytes, store: str, **fields: str) -> str:
    image_id = api.create(**fields)
    assert api.upload(image_id, data, X_Image_Meta_Store=store).status == 204
    return image_id


def stores(api: Api, image_id: str) -> list[str]:
    return sorted(api.show(image_id)["stores"].split(","))


@contextlib.contextmanager
def downloading(api: Api, image_id: str, data: bytes) -> Iterator[None]:
    """Download an image over and over; each time it must be whole."""
    over, wrong = threading.Event(), []

    def download() -> None:
        while not over.is_set():
            answer = api.download(image_id)
            if (answer.status, answer.body) != (200, data):
                wrong.append(answer.status)

    thread = threading.Thread(target=download)
    thread.start()
    yield
    over.set()
    thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SMALL, id="small"),
        pytest.param(LARGE, id="large"),
    ],
)
@pytest.mark.full
def test_copy_inside_of_one_server(
    managed: Manage, api: Api, stock: Api, data: bytes
) -> None:
    image_id = made(api, data, "fast")
    done = managed("copy", image_id, "--to", "cheap")
    assert done.code == 0, done.text
    assert done.rows[0]["detail"] == "copied inside of S3"
    assert stores(api, image_id) == ["cheap", "fast"]
    assert len(managed.cloud.kept(image_id)) == 2
    assert stock.download(image_id, "?prefer=cheap").body == data
    again = managed("copy", image_id, "--to", "cheap")
    assert again.code == 0
    assert again.rows[0]["detail"] == "was there already, verified"
    assert stock.delete(image_id).status == 204
    assert managed.cloud.kept(image_id) == []


@pytest.mark.full
def test_a_server_that_does_not_copy(managed: Manage, api: Api) -> None:
    """The bytes come through here then, and the result says why."""
    image_id = made(api, SMALL, "fast")
    with FaultProxy(managed.cloud.s3.endpoint) as proxy:
        refusal = Answer(403, "AccessDenied")
        fault = proxy.add(refusal, method="PUT", key=rf"/{image_id}\.")
        behind = {"s3_store_host": proxy.endpoint}
        done = managed(
            "copy", image_id, "--to", "cheap", config={"fast": behind, "cheap": behind}
        )
    assert fault.events
    assert done.code == 0, done.text
    why = "copied, but not inside of S3: Store cheap answered 403 AccessDenied"
    assert done.rows[0]["detail"] == why
    assert api.download(image_id).body == SMALL


def test_migrate_from_files(managed: Manage, api: Api, stock: Api) -> None:
    """What is moved is stock's to read and delete; what is not is as it was."""
    moved, large = made(api, SMALL, "local"), made(api, LARGE, "local")
    damaged, asleep = made(api, SMALL, "local"), made(api, SMALL, "local")
    file = _file(managed, damaged)
    file.write_bytes(SMALL[::-1])
    path = f"/v2/images/{asleep}/actions/deactivate"
    assert stock.request("POST", path).status == 204
    words = ("migrate", "--from", "local", "--to", "fast")

    dry = managed(*words, "--dry-run")
    assert dry.code == 0, dry.text
    assert dry.about(moved)[0]["state"] == "planned"
    assert dry.about(asleep)[0]["code"] == "not_active"
    assert stores(api, moved) == ["local"]

    with downloading(api, large, LARGE):
        done = managed(*words)
    assert done.code == 1, done.text
    states = {row["image"]: row["state"] for row in done.rows}
    assert (states[moved], states[large], states[damaged]) == ("done", "done", "failed")
    assert done.about(damaged)[0]["code"] == "digest"
    for image_id, data in ((moved, SMALL), (large, LARGE)):
        assert stores(api, image_id) == ["fast"]
        assert api.download(image_id).body == data
        assert stock.download(image_id).body == data
        assert not _file(managed, image_id).exists()
    assert stores(api, damaged) == ["local"]
    assert file.exists()
    assert managed.cloud.kept(damaged) == []
    assert managed.cloud.kept(asleep) == []
    for image_id in (moved, large):
        assert stock.delete(image_id).status == 204
        assert managed.cloud.kept(image_id) == []
    stock.delete(asleep)
    stock.delete(damaged)


def test_several_images(managed: Manage, api: Api, stock: Api) -> None:
    one, other = made(api, SMALL, "local"), made(api, SMALL, "fast")
    words = managed.words("--json", "copy", one, "-", "--to", "cheap")
    given = f"{other}  its name\nno-such-image\n"
    text = subprocess.run(
        words,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    done = parsed(text)
    assert done.code == 1, done.text
    codes = {row["image"]: (row["state"], row["code"]) for row in done.rows}
    assert codes == {
        "no-such-image": ("failed", "gone"),
        one: ("done", "copied"),
        other: ("done", "copied_in_s3"),
    }
    for image_id in (one, other):
        assert "cheap" in stores(api, image_id)
        assert stock.download(image_id, "?prefer=cheap").body == SMALL
        assert stock.delete(image_id).status == 204


@pytest.mark.full
def test_the_virtual_size_outlives_the_old_location(managed: Manage, api: Api) -> None:
    data = formats.qcow2(64 * MIB)
    image_id = made(api, data, "cheap", disk_format="qcow2")
    assert api.show(image_id)["virtual_size"] == 64 * MIB
    assert managed("copy", image_id, "--to", "fast").code == 0
    admin = Api(managed.glance.url, ADMIN)
    assert admin.request("DELETE", f"/v2/stores/cheap/{image_id}").status == 204
    assert stores(api, image_id) == ["fast"]
    assert api.show(image_id)["virtual_size"] == 64 * MIB


@pytest.mark.parametrize(
    "words",
    [
        ("copy", "no-such-image", "--to", "nowhere"),
        ("migrate", "--from", "fast", "--to", "fast"),
        ("migrate", "--from", "local"),
        ("migrate", "--from", "local", "--to", "fast", "--bandwidth", "fast"),
    ],
)
@pytest.mark.full
def test_what_makes_no_sense(managed: Manage, words: tuple[str, ...]) -> None:
    assert managed(*words).code == 2


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_stopped_is_gone_on_with(
    managed: Manage, api: Api, number: signal.Signals
) -> None:
    image_id = made(api, LARGE, "local")
    words = ("migrate", "--from", "local", "--to", "fast")
    with FaultProxy(managed.cloud.s3.endpoint) as proxy:
        fault = proxy.add(Stall(), method="PUT", query="partNumber=3")
        config = {"fast": {"s3_store_host": proxy.endpoint}}
        process = subprocess.Popen(
            managed.words("--json", *words, config=config),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert fault.reached.wait(120)
        process.send_signal(number)
        fault.release()
        text = process.communicate()[0]
    assert process.returncode in (-signal.SIGKILL, 130), text
    if number == signal.SIGTERM:
        assert '"interrupted": true' in text
        assert "run it again" in text
        assert managed.cloud.kept(image_id) == []
    assert api.download(image_id).body == LARGE
    again = managed(*words)
    assert again.about(image_id)[0]["state"] == "done", again.text
    assert stores(api, image_id) == ["fast"]
    assert api.download(image_id).body == LARGE
    [only] = managed.cloud.kept(image_id)
    assert only in managed.cloud.objects("fast")


@pytest.mark.full
def test_an_image_that_is_deleted_meanwhile(managed: Manage, api: Api) -> None:
    image_id = made(api, LARGE, "local")
    with FaultProxy(managed.cloud.s3.endpoint) as proxy:
        fault = proxy.add(Stall(), method="PUT", query="partNumber=3")
        config = {"fast": {"s3_store_host": proxy.endpoint}}
        words = managed.words("--json", "copy", image_id, "--to", "fast", config=config)
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert fault.reached.wait(120)
        assert api.delete(image_id).status == 204
        fault.release()
        text = process.communicate()[0]
    done = parsed(subprocess.CompletedProcess([], process.returncode, text))
    assert done.code == 1, text
    assert done.rows[0]["state"] == "failed"
    assert managed.cloud.kept(image_id) == []


def _file(managed: Manage, image_id: str) -> pathlib.Path:
    directory = managed.cloud.stores()["local"]["filesystem_store_datadir"]
    return pathlib.Path(directory, image_id)
