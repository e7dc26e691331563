# SPDX-License-Identifier: Apache-2.0
"""A sealed gateway that speaks TLS, with an authority that only the operator knows."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable
from collections.abc import Iterator

import pytest
import trustme

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.servers import sealed
from tests.support.servers.cloud import Cloud
from tests.support.servers.identity import token
from tests.support.servers.manage import Manage
from tests.support.servers.sealed import Sealed
from tests.support.servers.standalone import FACE_KEYS

pytestmark = pytest.mark.full

ADMIN = token("root", "admins", "admin", "member", "reader")
MIB = 1024**2
DATA = random.Random(27).randbytes(17 * MIB + 3)  # noqa: S311
SMALL = DATA[: MIB + 1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A directory with a certificate, its authority, and another authority.

    Clients in this process trust the first one.
    """
    directory = tmp_path_factory.mktemp("tls")
    ours = trustme.CA()
    ours.cert_pem.write_to_path(str(directory / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(directory / "other.pem"))
    certificate = ours.issue_cert("localhost").private_key_and_cert_chain_pem
    certificate.write_to_path(str(directory / "gateway.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(directory / "ca.pem"))
        yield directory


@pytest.fixture(params=tiers.but((33,), (30, 33)), scope="module")
def ground(
    request: pytest.FixtureRequest,
    clouds: Callable[[int], Cloud],
    authority: pathlib.Path,
) -> Iterator[Sealed]:
    trusts = {"s3_store_cacert": str(authority / "ca.pem")}
    with sealed.serving(
        clouds(request.param),
        glance_config={"fast": trusts, "cheap": trusts},
        tls=str(authority / "gateway.pem"),
    ) as found:
        yield found


def goes(ground: Sealed, api: Api, image_id: str) -> None:
    assert api.delete(image_id).status == 204
    assert ground.cloud.kept(image_id) == []


def test_an_upload_of_a_user(ground: Sealed) -> None:
    api = ground.users(ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    query = "SELECT value FROM image_locations WHERE image_id = %s"
    [[url]] = ground.cloud.rows(query, image_id)
    assert url.startswith("s3+https://")
    assert ground.url.partition("//")[2] in url
    assert ground.stock(ALICE).download(image_id).body == DATA
    assert api.download(image_id).body == DATA
    goes(ground, ground.stock(ALICE), image_id)


@pytest.mark.parametrize("data", [b"", SMALL, DATA], ids=["empty", "one", "parts"])
def test_an_upload_of_glance_itself(ground: Sealed, data: bytes) -> None:
    """boto3 does not sign bodies over TLS, and sends checksums behind them."""
    api = ground.stock(ALICE)
    image_id = api.create()
    assert api.upload(image_id, data).status == 204
    assert api.download(image_id).body == data
    if data:
        part = ground.users(ALICE).download(image_id, Range="bytes=1000-1999")
        assert (part.status, part.body) == (206, data[1000:2000])
    goes(ground, api, image_id)


def test_a_copy_to_another_store(ground: Sealed) -> None:
    admin = ground.users(ADMIN)
    image_id = admin.create()
    assert admin.upload(image_id, DATA).status == 204
    admin.copy(image_id, "cheap")
    assert admin.download(image_id, "?prefer=cheap").body == DATA
    goes(ground, admin, image_id)


def test_an_image_from_when_the_face_had_http(
    ground: Sealed, authority: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Up to Glance 32 the scheme of the location says whether its driver speaks TLS."""
    api = ground.users(ALICE)
    image_id = api.create()
    assert api.upload(image_id, SMALL).status == 204
    change = "UPDATE image_locations SET value = REPLACE(value, 's3+https:', 's3:')"
    ground.cloud.sql(f"{change} WHERE image_id = '{image_id}'")
    assert api.download(image_id).body == SMALL
    if ground.cloud.release < 33:
        assert ground.stock(ALICE).download(image_id).status >= 400
        keys = tmp_path / "glance.keys"
        keys.write_text(" ".join(FACE_KEYS))
        trusts = {"s3_store_cacert": str(authority / "ca.pem")}
        done = Manage(ground.cloud, ground.glance)(
            *("locations", "seal", "--face", ground.url, "--key-file", str(keys)),
            config={"fast": trusts, "cheap": trusts},
        )
        assert image_id in {row["image"] for row in done.about("rewritten")}, done.text
    assert ground.stock(ALICE).download(image_id).body == SMALL
    goes(ground, ground.stock(ALICE), image_id)


@pytest.mark.parametrize(
    ("authority_file", "code"),
    [("ca.pem", "face_answers"), ("other.pem", "face_not_trusted")],
)
def test_check_on_a_host_of_glance(
    ground: Sealed, authority: pathlib.Path, authority_file: str, code: str
) -> None:
    trusts = {"s3_store_cacert": str(authority / authority_file)}
    manage = Manage(ground.cloud, ground.glance)
    config = {"fast": trusts, "cheap": trusts}
    done = manage("check", "--face", ground.url, config=config)
    assert len(done.about(code)) == 2, done.text
