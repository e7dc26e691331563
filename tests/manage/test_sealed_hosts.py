# SPDX-License-Identifier: Apache-2.0
"""Which command works where of a sealed gateway, and what the others say."""

from __future__ import annotations

import pathlib
import random
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from tests.support import tiers
from tests.support.people import ALICE
from tests.support.servers import environments
from tests.support.servers import sealed
from tests.support.servers.cloud import Cloud
from tests.support.servers.manage import Manage
from tests.support.servers.manage import Result
from tests.support.servers.manage import parsed
from tests.support.servers.processes import run
from tests.support.servers.sealed import Sealed

MIB = 1024**2
DATA = random.Random(27).randbytes(9 * MIB + 5)  # noqa: S311
GLANCE_ID = "of-the-sealed-glance"
SAYS = "the face of a sealed gateway, which shows no bucket: run this command on the"


@pytest.fixture(params=tiers.but((33,), (33, 30)), scope="module")
def ground(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]
) -> Iterator[Sealed]:
    cloud = clouds(request.param)
    with sealed.serving(cloud, claim_grace="1", glance_id=GLANCE_ID) as found:
        yield found


def on_glances_host(ground: Sealed, *words: str) -> Result:
    return Manage(ground.cloud, ground.glance)(*words)


def on_the_gateways_host(ground: Sealed, *words: str) -> Result:
    program = environments.bin_dir("gateway") / "s3gateway-manage"
    conf = ground.gateway.directory / "s3gateway.conf"
    line: list[str | pathlib.Path] = [program, f"--config-file={conf}", "--json"]
    return parsed(run([*line, *words], check=False))


@pytest.fixture
def images(ground: Sealed) -> Iterator[list[str]]:
    """An image of a user, and one of Glance's own driver."""
    found = []
    for api in (ground.users(ALICE), ground.stock(ALICE)):
        found.append(api.create())
        assert api.upload(found[-1], DATA).status == 204
    yield found
    for image_id in found:
        assert ground.users(ALICE).delete(image_id).status == 204
        assert ground.cloud.kept(image_id) == []


def reads_all(ground: Sealed, image_id: str) -> None:
    assert ground.users(ALICE).download(image_id).body == DATA
    assert ground.stock(ALICE).download(image_id).body == DATA


@pytest.mark.parametrize("on", [on_glances_host, on_the_gateways_host])
def test_verify_works_everywhere(
    ground: Sealed, images: list[str], on: Callable[..., Result]
) -> None:
    named = [f"--image={image_id}" for image_id in images]
    for words in ([], ["--deep"]):
        done = on(ground, "verify", *words, *named)
        assert (done.code, len(done.about("ok"))) == (0, 2), done.text


def test_a_copy_and_a_move(ground: Sealed, images: list[str]) -> None:
    done = on_the_gateways_host(ground, "copy", *images, "--to", "cheap")
    assert (done.code, len(done.about("done"))) == (0, 2), done.text
    named = [f"--image={image_id}" for image_id in images]
    words = ("migrate", "--from", "fast", "--to", "cheap")
    done = on_the_gateways_host(ground, *words, *named)
    assert (done.code, len(done.about("done"))) == (0, 2), done.text
    for image_id in images:
        assert image_id not in str(ground.cloud.objects("fast"))
        reads_all(ground, image_id)


def test_a_move_from_a_store_that_is_no_s3(ground: Sealed) -> None:
    api = ground.stock(ALICE)
    image_id = api.create()
    answer = api.upload(image_id, DATA, X_Image_Meta_Store="local")
    assert answer.status == 204
    words = ("migrate", "--from", "local", "--to", "fast", f"--image={image_id}")
    done = on_the_gateways_host(ground, *words)
    assert (done.code, len(done.about("done"))) == (0, 1), done.text
    assert api.show(image_id)["stores"] == "fast"
    reads_all(ground, image_id)
    assert api.delete(image_id).status == 204


def test_an_image_is_made_again(ground: Sealed, images: list[str]) -> None:
    image_id, bucket = str(uuid.uuid4()), ground.bucket()
    key = f"{image_id}.0123456789abcdef"
    s3 = ground.cloud.s3.client()
    s3.put_object(Bucket=bucket, Key=key, Body=DATA)
    words = ("restore", "--store", "fast", "--project", "acme", key)
    refused = on_glances_host(ground, *words)
    assert refused.code == 2
    assert SAYS in refused.summary
    done = on_the_gateways_host(ground, *words)
    assert (done.code, len(done.about("done"))) == (0, 1), done.text
    reads_all(ground, image_id)
    assert ground.users(ALICE).delete(image_id).status == 204
    assert ground.cloud.kept(image_id) == []


def test_what_glance_has_left_is_collected(ground: Sealed) -> None:
    driver, key = ground.driver(), ground.stock(ALICE).create()
    place = {"Bucket": ground.bucket(), "Key": key}
    begun = driver.create_multipart_upload(**place)["UploadId"]
    driver.upload_part(UploadId=begun, PartNumber=1, Body=DATA[: 5 * MIB], **place)
    refused = on_glances_host(ground, "gc", "--delete", f"--image={key}")
    assert refused.code == 2
    assert SAYS in refused.summary
    time.sleep(2)  # the claims' grace is a second
    done = on_the_gateways_host(ground, "gc", "--delete", f"--image={key}")
    assert len(done.about("collected")) == 1, done.text
    assert ground.cloud.kept(key) == []
    assert ground.stock(ALICE).delete(key).status == 204


@pytest.mark.parametrize(
    "words",
    [["status"], ["copy", "--to=cheap"], ["migrate", "--from=fast", "--to=cheap"]],
    ids=lambda words: words[0],
)
def test_the_others_say_where_they_belong(
    ground: Sealed, images: list[str], words: list[str]
) -> None:
    named = images if words[0] == "copy" else []
    done = on_glances_host(ground, *words, *named)
    assert done.code == 2
    assert SAYS in done.summary
    if words == ["status"]:  # others may have left dead uploads in this Glance
        done = on_the_gateways_host(ground, *words)
        assert done.code == bool(done.about("dead"))
        assert "alive" in done.summary


def test_locations(ground: Sealed, images: list[str]) -> None:
    """They are looked at where Glance is shown; they are rewritten where it is."""
    old = ground.cloud.release < 33
    face = ("--face", ground.url)
    audit = ("locations", "audit", "--store", "fast", "--images")
    for done in (
        on_glances_host(ground, *audit, *face),
        on_the_gateways_host(ground, *audit),
    ):
        found = [row for row in done.rows if row["image"] in images]
        assert [row["state"] for row in found] == ["sealed", "sealed"], done.text
    keys = ground.gateway.directory / "face-keys"
    words = ("locations", "seal", *face, "--key-file", str(keys), "--dry-run")
    elsewhere = on_the_gateways_host(ground, *words)
    assert elsewhere.code == (2 if old else 0), elsewhere.text
    if old:
        assert "run this where Glance is installed" in elsewhere.summary
    for on in (on_glances_host, on_the_gateways_host):
        scrubbed = on(ground, "locations", "scrub")
        assert scrubbed.code == (3 if old else 0), scrubbed.text
        if old:
            assert "Upgrade first" in scrubbed.summary


def test_check_without_a_face_asks_for_it(ground: Sealed) -> None:
    done = on_glances_host(ground, "check")
    named = [row for row in done.rows if row["code"] == "store_is_a_face"]
    assert (done.code, len(named)) == (1, 2), done.text
