# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage check proves the seal, on a Glance host and on the gateway's."""

from __future__ import annotations

import pathlib
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
from tests.support.servers.standalone import FACE_KEYS

DATA = b"image data" * 1000


@pytest.fixture(params=tiers.but((33,), (33, 30)), scope="module")
def ground(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]
) -> Iterator[Sealed]:
    with sealed.serving(clouds(request.param)) as found:
        yield found


def on_glances_host(ground: Sealed, *words: str) -> Result:
    manage = Manage(ground.cloud, ground.glance)
    return manage("check", "--face", ground.url, *words)


def on_the_gateways_host(ground: Sealed) -> Result:
    program = environments.bin_dir("gateway") / "s3gateway-manage"
    conf = ground.gateway.directory / "s3gateway.conf"
    words = (f"--config-file={conf}", "--json", "check", "--no-write")
    line: list[str | pathlib.Path] = [program, *words]
    return parsed(run(line, check=False))


def codes(result: Result) -> dict[str, str]:
    return {row["code"]: row["state"] for row in result.rows}


def test_a_sealed_glance(ground: Sealed) -> None:
    images = []
    for api in (ground.users(ALICE), ground.stock(ALICE)):
        images.append(api.create())
        assert api.upload(images[-1], DATA).status == 204
    done = on_glances_host(ground)
    found = codes(done)
    for code in ("face_answers", "face_refuses", "files_without_keys"):
        assert found[code] == "ok", done.text
    assert len([row for row in done.rows if row["code"] == "face_refuses"]) == 2
    [row] = [row for row in done.rows if row["code"] == "files_without_keys"]
    assert str(ground.glance.directory) in row["detail"]
    for image_id in images:
        assert ground.users(ALICE).delete(image_id).status == 204
    for secret in (*FACE_KEYS, ground.cloud.s3.secret_key):
        assert secret not in done.text


def test_keys_that_were_forgotten(ground: Sealed) -> None:
    """A copy of the old configuration, a key elsewhere, and an image from before."""
    s3 = ground.cloud.s3
    before = ground.cloud.api(ALICE, gateway=False)
    image_id = before.create()
    assert before.upload(image_id, DATA).status == 204
    old = ground.glance.directory / "glance-api.conf.2025"
    old.write_text(f"[fast]\ns3_store_secret_key = {s3.secret_key}\n")
    log = ground.cloud.write("api.log", f"s3://{s3.access_key}:{s3.secret_key}@h/b/k\n")
    try:
        done = on_glances_host(ground, "--search", str(log))
    finally:
        old.unlink()
    assert done.code == 1, done.text
    named = {row["found"] for row in done.rows if row["code"] == "key_in_file"}
    assert named == {f"{old} has a key", f"{log} has a key"}
    if ground.cloud.release < 33:  # where locations hold keys
        assert codes(done)["locations_hold_keys"] == "error"
    assert s3.secret_key not in done.text
    assert before.delete(image_id).status == 204


def test_the_host_of_the_gateway(ground: Sealed) -> None:
    done = on_the_gateways_host(ground)
    found = codes(done)
    assert found["face_answers"] == found["face_refuses"] == "ok", done.text
    assert "key_in_file" not in found
