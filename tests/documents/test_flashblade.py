# SPDX-License-Identifier: Apache-2.0
"""FlashBlade as Glance's store, and Cinder's image-volume cache."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import random
import statistics
import time
from collections.abc import Iterator
from urllib import parse

import pytest

from tests.documents import blocks
from tests.documents import deployment
from tests.documents.deployment import ALONE
from tests.documents.deployment import FILTER
from tests.documents.deployment import SHAPES
from tests.documents.deployment import STOCK
from tests.documents.deployment import Deployment
from tests.documents.deployment import Shell
from tests.documents.story import Document
from tests.documents.story import Story
from tests.support.clients.api import Api
from tests.support.s3 import rgw
from tests.support.servers import ceph
from tests.support.servers import cinder
from tests.support.servers import glance
from tests.support.servers import rabbitmq
from tests.support.servers.ceph import Ceph
from tests.support.servers.cinder import Cinder
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import Config
from tests.support.servers.keystone import ADMIN
from tests.support.servers.keystone import BOB
from tests.support.servers.keystone import PASSWORD
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

DOCUMENT = Document(
    number=2,
    name="flashblade",
    title="FlashBlade, and Cinder's image-volume cache",
    published=(
        "A tutorial of 2023: images on a Pure Storage FlashBlade through its S3, and "
        "volumes that do not wait for them, as Cinder keeps a copy of each image."
    ),
    cannot=(
        (
            "The FlashBlade: Ceph's object gateway stands for it.  It takes plain "
            "http, names of buckets in the path, and any region."
        ),
        (
            "The array of the volumes: they are in a Ceph of one node, through "
            "Cinder's RBD driver."
        ),
    ),
)

SNIPPETS = ROOT / "docs" / "source" / "snippets"
STORES = SNIPPETS / "flashblade.conf"
CACHE = SNIPPETS / "cinder-image-volume-cache.conf"

MIB = 1024**2
SIZE = 2048 * MIB
_PIECE = 16 * MIB  # of data, between holes
ROUNDS = 3  # of the timed uploads, each shape in turn

CREATE = "openstack image create --disk-format raw --container-format bare"
VOLUME = "openstack volume create --image ubuntu --size 2"


class Older(Deployment):
    """A release whose locations have keys in them."""

    RELEASE = 30


@dataclasses.dataclass
class Here:
    """What the steps share.

    :ivar disk: the image, most of it holes
    :ivar image: the one that volumes are made of
    :ivar cached: the volume that is the copy of the image
    :ivar read: how often the image was read through the filter without Cinder
    """

    cloud: Deployment
    older: Deployment
    node: Ceph
    keystone: Keystone
    database: MariaDB
    directory: pathlib.Path
    disk: pathlib.Path
    image: str = ""
    cached: str = ""
    read: int = 0

    def shell(self, shape: str) -> Shell:
        return Shell(self.directory, self.keystone, self.cloud.url(shape))

    def admin(self) -> Shell:
        url = self.cloud.url(FILTER)
        return Shell(self.directory, self.keystone, url, ADMIN)

    def downloads(self) -> int:
        """Return how often Cinder has read the image, through the filter."""
        return blocks.downloads(self.cloud.log(FILTER), self.image) - self.read


@pytest.fixture(scope="module")
def here(
    workspace: pathlib.Path, database: MariaDB, keystone: Keystone, story: Story
) -> Iterator[Here]:
    if reason := cinder.missing() or rgw.missing():
        pytest.skip(f"this document was not followed: {reason}")
    directory = workspace / "flashblade"
    with contextlib.ExitStack() as stack:
        size = 16 * ceph.GIB
        node = stack.enter_context(ceph.serving(directory / "ceph", size, disk=True))
        s3 = stack.enter_context(rgw.on(node))
        config = glance.parsed(STORES.read_text())
        shown = dict(config["flashblade"])
        real = {
            "s3_store_host": s3.endpoint,
            "s3_store_access_key": s3.access_key,
            "s3_store_secret_key": s3.secret_key,
        }
        config["flashblade"].update(real)
        for option, value in real.items():
            story.instead(value, shown[option])
        host = parse.urlsplit(s3.endpoint).netloc
        story.instead(host, parse.urlsplit(shown["s3_store_host"]).netloc)
        story.instead(PASSWORD, "PASSWORD")
        cloud, older = (
            kind(
                "flashblade",
                config,
                directory=directory / str(kind.RELEASE),
                mariadb=database,
                s3=s3,
                stack=stack,
                keystone=keystone,
            )
            for kind in (Deployment, Older)
        )
        disk = directory / "ubuntu.raw"
        _write(disk)
        yield Here(cloud, older, node, keystone, database, directory, disk)


def _write(disk: pathlib.Path) -> None:
    """Write an image as large as the document's, with data at its ends and between."""
    data = random.Random(2).randbytes(_PIECE)  # noqa: S311
    with disk.open("wb") as file:
        for place in range(0, SIZE, SIZE // 4):
            file.seek(place)
            file.write(data)
        file.seek(SIZE - _PIECE)
        file.write(data)


def test_the_configuration(here: Here, story: Story) -> None:
    for name, version in deployment.versions("glance", "glance_store").items():
        story.version(name, version)
    ceph_version = deployment.program_version("radosgw", "--version")
    story.version("Ceph", ceph_version.split()[2])
    story.step("The configuration")
    story.block("The sections in glance-api.conf", STORES.read_text())
    for shape in SHAPES:
        printed = here.shell(shape)("glance stores-info")
        assert '[{"id": "flashblade", "default": "true"}]' in printed, (shape, printed)
    story.block("glance stores-info, the same from all three", printed)
    story.row(
        "``enabled_backends = flashblade:s3`` beside the options of the older form, "
        "``stores = s3, file``, and ``glance stores-info``.",
        "Stock Glance, the filter and the stand-alone gateway list ``flashblade``, "
        "the default, and nothing else.",
        "The gateway takes the store over from this very file.",
    )


def test_the_bucket_is_made_by_the_first_image(here: Here, story: Story) -> None:
    buckets = here.cloud.s3.client().list_buckets
    assert not buckets()["Buckets"]
    printed = here.shell(FILTER)(f"{CREATE} --file {here.disk.name} ubuntu")
    here.image = blocks.id_in(printed)
    assert [each["Name"] for each in buckets()["Buckets"]] == ["glance"]
    [(key, size)] = here.cloud.objects("flashblade").items()
    assert key.startswith(here.image)
    assert size == SIZE
    took: dict[str, list[float]] = {shape: [] for shape in SHAPES}
    for _ in range(ROUNDS):
        for shape, times in took.items():
            times.append(_upload(here, shape))
    assert list(here.cloud.objects("flashblade")) == [key]
    story.step("An image of 2 GiB")
    story.row(
        "``s3_store_create_bucket_on_put = True``, and the first image is made with "
        "``openstack image create --file``.",
        "The first image makes the bucket.  Its one object has 2 GiB.",
    )
    rows = [(shape, f"{statistics.median(took[shape]):.1f} s") for shape in SHAPES]
    story.table(
        f"The whole command for one image more, with the digests of the client; "
        f"median of {ROUNDS}",
        [("", "took"), *rows],
    )


def _upload(here: Here, shape: str) -> float:
    """Make one image more, take it away again; return what making it took, in s."""
    shell = here.shell(shape)
    begun = time.monotonic()
    image = blocks.id_in(shell(f"{CREATE} --file {here.disk.name} other"))
    took = time.monotonic() - begun
    assert Api(here.cloud.url(shape), shell.token).show(image)["size"] == SIZE
    shell(f"openstack image delete {image}")
    return took


def test_the_image_is_shown(here: Here, story: Story) -> None:
    with here.disk.open("rb") as file:
        sha512 = hashlib.file_digest(file, "sha512").hexdigest()
    shell = here.shell(FILTER)
    printed = shell("openstack image show -f json ubuntu")
    shown = json.loads(printed[printed.index("{") :])
    assert (shown["status"], shown["size"]) == ("active", SIZE)
    assert shown["properties"]["os_hash_value"] == sha512
    assert shown["properties"]["stores"] == "flashblade"
    story.step("openstack image show")
    story.block(
        "openstack image show ubuntu, through the filter",
        shell("openstack image show --max-width 100 ubuntu"),
    )
    story.row(
        "``openstack image show`` has the image's store and digests.",
        "The image is ``active`` in ``flashblade``; size and SHA-512 are the file's.",
    )


def test_the_image_is_read(here: Here, story: Story) -> None:
    rows = []
    for shape in SHAPES:
        line = (
            "curl --silent --output /dev/null "
            "--write-out '%{size_download} %{time_total}' "
            f'--header "X-Auth-Token: $TOKEN" "$GLANCE_URL/v2/images/{here.image}/file"'
        )
        size, took = here.shell(shape)(line).split()
        assert int(size) == SIZE, shape
        rows.append((shape, f"{float(took):.1f} s"))
    here.read = here.downloads()
    assert here.read == 1
    story.step("The image is read")
    story.row(
        "Images on S3 are slow to read, it says: hence the cache.",
        "The whole image was read once through each, over the loopback interface.",
    )
    story.table("GET of the 2 GiB", [("", "took"), *rows])


def test_what_the_document_warns_of(here: Here, story: Story) -> None:
    """Keys in the locations of images, and who reads them."""
    secret = here.cloud.s3.secret_key
    stock = Api(here.older.url(STOCK), here.shell(STOCK).token)
    image = stock.create(name="public")
    assert stock.upload(image, b"data of the image").status == 204
    admin = Api(stock.url, here.keystone.token(ADMIN))
    change = {"op": "replace", "path": "/visibility", "value": "public"}
    assert admin.patch(image, change).status == 200
    foreign = here.keystone.token(BOB)
    [location] = Api(stock.url, foreign).show(image)["locations"]
    assert secret in parse.unquote(location["url"])
    filtered = Api(here.older.url(FILTER), foreign).show(image)
    assert filtered["locations"][0]["url"] == f"s3://flashblade/{image}"
    assert secret not in parse.unquote(json.dumps(filtered))
    assert admin.delete(image).status == 204
    _without_keys(here, story)
    story.instead(parse.quote(secret), "SECRETKEY")
    story.instead(parse.quote(secret, safe=""), "SECRETKEY")
    story.block("Stock Glance 30, to a user of another project", location["url"])
    story.block("The same image through the filter", filtered["locations"][0]["url"])


def _without_keys(here: Here, story: Story) -> None:
    """See what Glance 33 shows."""
    seen = {}
    for shape in SHAPES:
        shell = here.shell(shape)
        shown = Api(here.cloud.url(shape), shell.token).show(here.image)
        seen[shape] = shown["locations"][0]["url"]
    host = parse.urlsplit(here.cloud.s3.endpoint).netloc
    assert host in seen[STOCK]
    assert here.cloud.s3.secret_key not in parse.unquote(seen[STOCK])
    assert seen[FILTER] == seen[ALONE] == f"s3://flashblade/{here.image}"
    story.step("show_multiple_locations, and what the document warns of")
    story.row(
        "With ``show_multiple_locations`` on, the access key and the secret key are in "
        "the locations of images: it warns of that.",
        "Glance 30 shows both keys of a public image to the users of all projects.  "
        "Glance 33 leaves the keys out, and still shows host and bucket.",
        "Nobody sees keys, host or bucket: with Glance 30 too, and of images that "
        "stock Glance has stored.",
    )
    rows = [("", "location"), *seen.items()]
    story.table("The location of the image, Glance 33", rows)


@pytest.fixture(scope="module")
def volumes(here: Here) -> Iterator[Cinder]:
    """Cinder, with the document's cache."""
    here.node.create_pool("volumes")
    internal = here.keystone.context(here.keystone.newcomer("cinder-internal"))
    config = _cache(here.node, internal["project"], internal["user"])
    with rabbitmq.serving(here.directory / "rabbitmq") as broker:
        place = cinder.Place(
            directory=here.directory / "cinder",
            database=here.database.create("cinderflashblade"),
            broker=broker,
            keystone=here.keystone,
            glance=here.cloud.url(FILTER),
            ceph=here.node,
        )
        services = (name for name in cinder.SERVICES if name != "cinder-backup")
        with cinder.serving(place, dict.fromkeys(services, config)) as running:
            yield running


def _cache(node: Ceph, project: str, user: str) -> Config:
    """Return the published options, for volumes in Ceph and the ids of this cloud."""
    config = glance.parsed(CACHE.read_text())
    config["DEFAULT"] |= {
        "enabled_backends": "ceph",
        "cinder_internal_tenant_project_id": project,
        "cinder_internal_tenant_user_id": user,
    }
    options = {**config.pop("lvm"), "volume_backend_name": "ceph"}
    return {**config, "ceph": options | cinder.backend(node)}


def test_two_volumes_and_one_download(
    here: Here, volumes: Cinder, story: Story
) -> None:
    with here.disk.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    shell = here.shell(FILTER)
    took = []
    for name in ("first", "second"):
        printed = shell(f"{VOLUME} {name}")
        made, seconds = blocks.seconds_until_available(volumes, "volume", printed)
        assert made["bootable"] == "true"
        assert blocks.digest(here.node, made["id"], SIZE) == sha256
        assert here.downloads() == 1, name
        took.append(seconds)
    assert took[1] < took[0]
    found = deployment.versions("cinder", environment="cinder-29")
    story.version("cinder", found["cinder"])
    story.step("Cinder's image-volume cache")
    story.block(
        "The options in cinder.conf; here they are the Ceph backend's, with the ids of "
        "this cloud",
        CACHE.read_text(),
    )
    story.block(f"{VOLUME} second", printed)
    story.row(
        "``openstack volume create --image`` twice: the second volume takes seconds.",
        f"The first took Cinder {took[0]:.1f} s, the second {took[1]:.1f} s.  Both "
        "have the bytes of the image.  Glance was asked for them once.",
        "The one download goes through the gateway, and its log shows it: that is how "
        "it was counted.",
    )


def test_the_entry_of_the_cache(here: Here, volumes: Cinder, story: Story) -> None:
    name = f"image-{here.image}"
    assert name not in here.shell(FILTER)("openstack volume list")
    printed = here.admin()("openstack volume list --all-projects")
    assert name in printed
    here.cached = _entry(here, volumes)
    listed = here.node.run("rbd", "ls", "-l", "volumes")
    assert f"volumes/volume-{here.cached}@" in listed
    story.block("openstack volume list --all-projects, as an admin", printed)
    story.row(
        "``openstack volume list --all-projects`` shows the entry of the cache.",
        "The admin sees a third volume, ``image-`` and the id of the image, of the "
        "project ``cinder-internal``; the user sees two.  In Ceph the second volume is "
        "a clone of it.",
    )


def _entry(here: Here, volumes: Cinder) -> str:
    """Return the volume that is the image's copy in the cache."""
    listed = volumes.get("volumes/detail?all_tenants=1")["volumes"]
    [found] = [each["id"] for each in listed if each["name"] == f"image-{here.image}"]
    return str(found)


def test_the_cache_follows_the_image(here: Here, volumes: Cinder, story: Story) -> None:
    shell = here.shell(FILTER)
    shell("openstack image set --property os_version=22.04 ubuntu")
    printed = shell(f"{VOLUME} third")
    _, seconds = blocks.seconds_until_available(volumes, "volume", printed)
    assert here.downloads() == 2
    deadline = time.monotonic() + 60
    while (entry := _entry(here, volumes)) == here.cached:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    volumes.wait_for("volume", entry)
    printed = shell(f"{VOLUME} fourth")
    _, again = blocks.seconds_until_available(volumes, "volume", printed)
    assert here.downloads() == 2
    assert not volumes.errors()
    story.step("A change of the image")
    story.row(
        "It says nothing of this.",
        "After ``openstack image set`` the next volume takes "
        f"{seconds:.1f} s and reads the image once more, though its bytes are the "
        "same: the cache follows ``updated_at``.  Cinder puts the new copy in the "
        f"place of the old; the volume after it takes {again:.1f} s.",
    )
