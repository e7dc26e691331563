# SPDX-License-Identifier: Apache-2.0
"""MinIO as the store of Glance and of Cinder's backups, deployed by Kolla-Ansible."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import re
from collections.abc import Iterator
from collections.abc import Mapping
from urllib import parse

import pytest

from tests.documents import blocks
from tests.documents import deployment
from tests.documents import kolla
from tests.documents.deployment import ALONE
from tests.documents.deployment import FILTER
from tests.documents.deployment import GATEWAYS
from tests.documents.deployment import SHAPES
from tests.documents.deployment import Deployment
from tests.documents.deployment import Shell
from tests.documents.story import Document
from tests.documents.story import Story
from tests.support.clients.api import Api
from tests.support.s3 import minio
from tests.support.s3.s3server import S3Server
from tests.support.servers import ceph
from tests.support.servers import cinder
from tests.support.servers import glance
from tests.support.servers import rabbitmq
from tests.support.servers.ceph import Ceph
from tests.support.servers.cinder import Cinder
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import Config
from tests.support.servers.keystone import PASSWORD
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

DOCUMENT = Document(
    number=3,
    name="minio-backup",
    title="MinIO for Glance and for Cinder's backups",
    published=(
        "An operator's article of 2022, in Chinese: one MinIO keeps the images of "
        "Glance and the backups of volumes, in a cloud of Kolla-Ansible."
    ),
    cannot=(
        (
            "Kolla's containers: Glance and Cinder run from their Python packages.  "
            "Database, Keystone and message broker are those of the run, and so are "
            "the sections that lead to them."
        ),
        "MinIO's container: it is built from its Go module.",
        "A user of MinIO for each service: Glance and Cinder have the same key.",
        (
            "The storage of the volumes: they are in a Ceph of one node, through "
            "Cinder's RBD driver, which is Kolla's choice for Ceph."
        ),
    ),
)

SNIPPETS = ROOT / "docs" / "source" / "snippets"
#: Files in Kolla's directory of overrides, and what the operator has in them.
OVERRIDES = {
    "glance/glance-api.conf": SNIPPETS / "minio.conf",
    "cinder/cinder-backup.conf": SNIPPETS / "cinder-backup.conf",
}
_IMAGES, _BACKUPS = "glance", "cinder-backup"

MIB = 1024**2
GIB = 1024**3
DATA = random.Random(3).randbytes(30 * MIB)  # noqa: S311
_CHUNK = 50 * MIB  # of a backup, Cinder's default

CREATE = (
    "openstack image create --disk-format raw --container-format bare --file disk.raw"
)

# What Kolla's containers bring, and this run has in another place.
_OF_THE_HOST = (
    "coordination",
    "database",
    "keystone_authtoken",
    "nova",
    "oslo_concurrency",
    "oslo_messaging_notifications",
    "oslo_messaging_rabbit",
    "privsep_entrypoint",
)
_OF_THE_API = (
    "bind_host",
    "bind_port",
    "log_file",
    "transport_url",
    "worker_self_reference_url",
    "workers",
)


@dataclasses.dataclass
class Here:
    """What the steps share.

    :ivar written: by the service, what Kolla-Ansible has written
    :ivar images: by the shape through which they were sent
    :ivar volume: the one of which there is a backup
    """

    cloud: Deployment
    node: Ceph
    keystone: Keystone
    database: MariaDB
    directory: pathlib.Path
    written: Mapping[str, Config]
    images: dict[str, str] = dataclasses.field(default_factory=dict)
    volume: str = ""
    backup: str = ""

    def shell(self, shape: str = FILTER) -> Shell:
        return Shell(self.directory, self.keystone, self.cloud.url(shape))

    def objects(self, bucket: str) -> dict[str, int]:
        listed = self.cloud.s3.client().list_objects_v2(Bucket=bucket)
        return {each["Key"]: each["Size"] for each in listed.get("Contents", [])}


@pytest.fixture(scope="module")
def here(
    workspace: pathlib.Path, database: MariaDB, keystone: Keystone, story: Story
) -> Iterator[Here]:
    if reason := cinder.missing() or minio.missing():
        pytest.skip(f"this document was not followed: {reason}")
    directory = workspace / "minio-backup"
    with contextlib.ExitStack() as stack:
        s3 = stack.enter_context(minio.serving(directory / "minio", "us-east-1"))
        node = stack.enter_context(
            ceph.serving(directory / "ceph", 10 * ceph.GIB, disk=True)
        )
        files = {name: _real(path, s3, story) for name, path in OVERRIDES.items()}
        written = _by_kolla(directory / "kolla", files)
        story.instead(PASSWORD, "PASSWORD")
        cloud = Deployment(
            "miniobackup",
            _stores(written["glance-api"], directory / "images"),
            directory=directory / "glance",
            mariadb=database,
            s3=s3,
            stack=stack,
            keystone=keystone,
        )
        (directory / "disk.raw").write_bytes(DATA)
        yield Here(cloud, node, keystone, database, directory, written)


def _real(path: pathlib.Path, s3: S3Server, story: Story) -> str:
    """Return an operator's file with the server that there is, and its keys."""
    for real, shown in (
        (s3.endpoint, "http://minio.example.org:9000"),
        (parse.urlsplit(s3.endpoint).netloc, "minio.example.org:9000"),
        (s3.access_key, "ACCESSKEY"),
        (s3.secret_key, "SECRETKEY"),
    ):
        story.instead(real, shown)
    there = {
        "s3_store_host": s3.endpoint,
        "endpoint_url": s3.endpoint,
        "access_key": s3.access_key,
        "secret_key": s3.secret_key,
    }
    config = glance.parsed(path.read_text())
    for options in config.values():
        for name in options:
            for end, real in there.items():
                if name.endswith(end):
                    options[name] = real
    return glance.ini(config)


def _by_kolla(directory: pathlib.Path, files: Mapping[str, str]) -> dict[str, Config]:
    """Have Kolla-Ansible write the configurations."""
    directory.mkdir(parents=True)
    variables = {"enable_cinder_backup": True, "cinder_backend_ceph": True}
    deployed = kolla.Kolla(directory, variables)
    for name, text in files.items():
        deployed.write_override(name, text)
    written = {
        **deployed.configure("glance", "Copying over glance-api.conf"),
        **deployed.configure("cinder", "Copying over cinder.conf"),
    }
    return {service: glance.parsed(text) for service, text in written.items()}


def _stores(written: Config, images: pathlib.Path) -> Config:
    """Return what Kolla-Ansible has written for Glance, without what is of its host."""
    config = _without(written)
    for name in _OF_THE_API:
        del config["DEFAULT"][name]
    config["file"]["filesystem_store_datadir"] = str(images)
    images.mkdir()
    for section in ("os_glance_tasks_store", "os_glance_staging_store"):
        del config[section]
    return config


def _without(written: Config) -> Config:
    return {
        name: dict(options)
        for name, options in written.items()
        if name not in _OF_THE_HOST
    }


def test_what_kolla_writes(here: Here, story: Story) -> None:
    """The operator's files, merged over Kolla's own templates."""
    for name, version in deployment.versions("glance", "glance_store").items():
        story.version(name, version)
    found = deployment.versions("kolla-ansible", environment="kolla")
    story.version("Kolla-Ansible", found["kolla-ansible"])
    story.step("The files that Kolla-Ansible merges")
    api, backup = here.written["glance-api"], here.written["cinder-backup"]
    assert api["DEFAULT"]["enabled_backends"] == "minio:s3"
    assert api["glance_store"] == {"default_backend": "minio"}
    assert api["minio"]["s3_store_host"] == here.cloud.s3.endpoint
    assert api["cors"], "what is Kolla's own is kept"
    ours = {
        name: value
        for name, value in backup["DEFAULT"].items()
        if name.startswith("backup_s3") or name == "backup_driver"
    }
    assert ours["backup_driver"] == "cinder.backup.drivers.s3.S3BackupDriver"
    assert ours["backup_s3_endpoint_url"] == here.cloud.s3.endpoint
    assert "backup_ceph_pool" in backup["DEFAULT"], "Kolla's own choice was another"
    for other in cinder.SERVICES[:-1]:
        assert "backup_driver" not in here.written[other]["DEFAULT"]
    for name, path in OVERRIDES.items():
        story.block(f"/etc/kolla/config/{name}", path.read_text())
    shown = {name: api[name] for name in ("glance_store", "minio")}
    story.block("Of this in the merged glance-api.conf", glance.ini(shown))
    story.block("Of this in cinder-backup's cinder.conf", glance.ini({"DEFAULT": ours}))
    story.row(
        "Two files in Kolla's directory of overrides lead Glance and Cinder's backups "
        "to MinIO.",
        "Kolla-Ansible's own tasks, templates and ``merge_configs`` wrote the files of "
        "five services.  The stores replace Kolla's ``file``, ``http`` and ``cinder``; "
        "the driver replaces Kolla's ``ceph``, for cinder-backup alone.  The services "
        "ran with these files.",
        "The gateway reads the merged glance-api.conf as it is.",
    )


def test_images(here: Here, story: Story) -> None:
    here.cloud.s3.client().create_bucket(Bucket=_IMAGES)
    story.step("An image in MinIO")
    found = []
    for shape in SHAPES:
        shell = here.shell(shape)
        image = blocks.id_in(shell(f"{CREATE} {shape.split()[-1]}"))
        shown = Api(here.cloud.url(shape), shell.token).show(image)
        assert (shown["status"], shown["stores"]) == ("active", "minio")
        [key] = [key for key in here.objects(_IMAGES) if image in key]
        assert here.objects(_IMAGES)[key] == len(DATA)
        location = shown["locations"][0]["url"]
        assert (location == f"s3://minio/{image}") == (shape in GATEWAYS)
        shell(f"openstack image save --file saved.raw {image}")
        assert (here.directory / "saved.raw").read_bytes() == DATA
        found.append((shape, location))
        here.images[shape] = image
    story.block(
        "openstack image show, through the filter",
        here.shell()(f"openstack image show --max-width 100 {here.images[FILTER]}"),
    )
    story.row(
        "A region is set in MinIO.",
        "``us-east-1``: Cinder's driver for backups has no option for a region, and "
        "signs for this one.",
    )
    story.row(
        "A bucket ``glance`` in MinIO, then ``openstack image create``.",
        "Each image is an object in the bucket, and comes back byte for byte.",
        "Its location has no host and no bucket.",
    )
    story.table("Locations, as the owner sees them", [("", "location"), *found])


@pytest.fixture(scope="module")
def volumes(here: Here) -> Iterator[Cinder]:
    """Cinder's four services, with the files that Kolla-Ansible has written."""
    here.node.create_pool("volumes")
    configs = {name: _without(here.written[name]) for name in cinder.SERVICES}
    [backend] = configs["cinder-volume"]["DEFAULT"]["enabled_backends"].split(",")
    configs["cinder-volume"][backend] |= cinder.backend(here.node)
    with rabbitmq.serving(here.directory / "rabbitmq") as broker:
        place = cinder.Place(
            directory=here.directory / "cinder",
            database=here.database.create("cinderminio"),
            broker=broker,
            keystone=here.keystone,
            glance=here.cloud.url(ALONE),
            ceph=here.node,
        )
        with cinder.serving(place, configs) as running:
            yield running


def test_a_volume_of_the_image(here: Here, volumes: Cinder, story: Story) -> None:
    image = here.images[FILTER]
    before = blocks.downloads(here.cloud.log(ALONE), image)
    printed = here.shell()(f"openstack volume create --image {image} --size 1 data")
    made, seconds = blocks.seconds_until_available(volumes, "volume", printed)
    here.volume = made["id"]
    assert blocks.digest(here.node, here.volume, len(DATA)) == blocks.sha256(DATA)
    assert blocks.downloads(here.cloud.log(ALONE), image) == before + 1
    found = deployment.versions("cinder", environment="cinder-29")
    story.version("cinder", found["cinder"])
    story.step("A volume and its backup")
    story.row(
        "A volume to make a backup of.",
        f"``openstack volume create --image``: {seconds:.1f} s.  It begins with the "
        "image's bytes, which Cinder read through the stand-alone gateway, once.",
    )


def test_the_backup(here: Here, volumes: Cinder, story: Story) -> None:
    shell = here.shell()
    printed = shell("openstack volume backup create --name saved data")
    made, seconds = blocks.seconds_until_available(volumes, "backup", printed)
    here.backup = made["id"]
    shown = shell("openstack volume backup show saved")
    objects = here.objects(_BACKUPS)
    chunks = [key for key in objects if re.search(r"-\d{5}$", key)]
    assert made["container"] == _BACKUPS
    assert made["object_count"] == len(chunks) == -(-GIB // _CHUNK)
    assert len(objects) == len(chunks) + 2
    assert all(key.startswith(f"volume_{here.volume}/") for key in objects)
    for name, value in (("container", _BACKUPS), ("object_count", len(chunks))):
        assert re.search(rf"\| {name} +\| {value} +\|", shown), shown
    story.block("openstack volume backup show saved", shown)
    story.row(
        "``openstack volume backup create``, and ``backup show`` names the container "
        "and the number of objects.",
        f"The backup of 1 GiB took Cinder {seconds:.1f} s.  ``container`` is "
        f"``{_BACKUPS}``, a bucket that Cinder made; ``object_count`` is "
        f"{len(chunks)}: pieces of 50 MiB, compressed.",
    )


def test_both_buckets(here: Here, volumes: Cinder, story: Story) -> None:
    buckets = here.cloud.s3.client().list_buckets()["Buckets"]
    assert {each["Name"] for each in buckets} == {_IMAGES, _BACKUPS}
    rows = []
    for bucket in (_IMAGES, _BACKUPS):
        objects = here.objects(bucket)
        total = f"{sum(objects.values()) / MIB:.1f} MiB"
        rows.append((bucket, str(len(objects)), total))
    assert set(here.images.values()) == {
        key.partition(".")[0] for key in here.objects(_IMAGES)
    }
    story.step("The objects in MinIO")
    story.table("Both buckets", [("bucket", "objects", "size"), *rows])
    first, *_, last = sorted(here.objects(_BACKUPS))
    story.block("The first and the last object of the backup", f"{first}\n{last}")
    story.row(
        "MinIO's console shows the objects of both.",
        "The bucket of images has one object for each image, the other the pieces of "
        "the backup, its metadata and its digests.",
    )


def test_it_is_restored(here: Here, volumes: Cinder, story: Story) -> None:
    shell = here.shell()
    shell("openstack volume backup restore saved restored")
    volumes.wait_for("backup", here.backup)
    listed = volumes.get("volumes/detail?all_tenants=1")["volumes"]
    [restored] = [each["id"] for each in listed if each["name"] == "restored"]
    volumes.wait_for("volume", restored)
    assert restored != here.volume
    same = blocks.digest(here.node, here.volume, GIB)
    assert blocks.digest(here.node, restored, GIB) == same
    assert blocks.digest(here.node, restored, len(DATA)) == blocks.sha256(DATA)
    shell("openstack volume backup delete saved")
    volumes.wait_until_gone("backup", here.backup)
    assert not here.objects(_BACKUPS)
    assert len(here.objects(_IMAGES)) == len(SHAPES)
    assert not volumes.errors()
    story.step("Restored, and compared")
    story.row(
        "It ends with the backup.",
        "``openstack volume backup restore`` makes a volume of it.  All of its 1 GiB "
        "is equal to the first volume, and begins with the image's bytes.  After "
        "``backup delete`` the bucket of backups is empty; the images are all there.",
    )
