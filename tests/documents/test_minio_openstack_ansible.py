# SPDX-License-Identifier: Apache-2.0
"""MinIO behind a Glance of OpenStack-Ansible, and warp's mix of operations."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import random
import re
from collections.abc import Iterator
from collections.abc import Mapping

import pytest

from benchmarks.mix import SHARES
from benchmarks.mix import Mix
from benchmarks.mix import Report
from tests.documents import deployment
from tests.documents import openstack_ansible
from tests.documents.deployment import FILTER
from tests.documents.deployment import GATEWAYS
from tests.documents.deployment import SHAPES
from tests.documents.deployment import STOCK
from tests.documents.deployment import Deployment
from tests.documents.deployment import Shell
from tests.documents.story import Document
from tests.documents.story import Story
from tests.support import bootable
from tests.support.clients import warp
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.s3 import minio
from tests.support.s3.s3server import S3Server
from tests.support.servers import glance
from tests.support.servers.glance import Config
from tests.support.servers.keystone import PASSWORD
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]

DOCUMENT = Document(
    number=1,
    name="minio-openstack-ansible",
    title="MinIO behind a Glance of OpenStack-Ansible",
    published=(
        "A blog post of 2021: MinIO in a container on a Synology NAS, a store of "
        "Glance by the variables of OpenStack-Ansible, and a benchmark with MinIO's "
        "``warp``."
    ),
    cannot=(
        "The Synology NAS: MinIO, built from its Go module, runs on a local disk.",
        (
            "OpenStack-Ansible's hosts and containers: its role's template and its "
            "merge plugin write the file, and Glance runs from its Python packages."
        ),
        (
            "Cinder, the third store of the list: the store is left out of "
            "``enabled_backends``."
        ),
    ),
)

KEYS = ("openstack", "0p3nstack")
#: The region that the author first wanted.
REGION = "us-south-lab"

USER_VARIABLES = """\
glance_default_store: file
glance_additional_stores:
  - http
  - cinder
  - name: minio
    type: s3

glance_glance_api_conf_overrides:
  minio:
    s3_store_host: http://minio.example.org:9000
    s3_store_access_key: openstack
    s3_store_secret_key: 0p3nstack
    s3_store_bucket: glance
    s3_store_create_bucket_on_put: true
    s3_store_bucket_url_format: path
"""
#: What the role makes of it, as far as stores are concerned.
WRITTEN = """\
[DEFAULT]
show_multiple_locations = True
enabled_backends = file:file,http:http,cinder:cinder,minio:s3

[glance_store]
default_backend = file

[minio]
s3_store_host = http://minio.example.org:9000
s3_store_access_key = openstack
s3_store_secret_key = 0p3nstack
s3_store_bucket = glance
s3_store_create_bucket_on_put = True
s3_store_bucket_url_format = path
"""

SECONDS = int(os.environ.get("S3GATEWAY_MIX_SECONDS", "20"))
_MIB = 1024**2
_SIZE = 10 * _MIB
_IMAGES = 40
_AT_ONCE = 20
_THREADS = 40  # of each Glance: nobody waits for one


@dataclasses.dataclass
class Here:
    """What the steps share.

    :ivar written: the configuration of the stores, as the role writes it
    """

    directory: pathlib.Path
    database: MariaDB
    keystone: Keystone
    s3: S3Server
    stack: contextlib.ExitStack
    written: Config
    disk: pathlib.Path

    def deployment(
        self,
        name: str,
        s3: S3Server,
        *,
        options: Mapping[str, str] | None = None,
        with_keystone: bool = False,
    ) -> Deployment:
        """Return Glances with the document's stores on a server.

        :param options: more of the store ``minio``
        """
        images = self.directory / name / "images"
        images.mkdir(parents=True)
        own = {
            "DEFAULT": {"enabled_backends": "file:file,http:http,minio:s3"},
            "file": {"filesystem_store_datadir": str(images)},
            "http": {},
            "minio": {"s3_store_host": s3.endpoint, **(options or {})},
        }
        return Deployment(
            f"minio{name}",
            glance.merged(self.written, own),
            directory=self.directory / name,
            mariadb=self.database,
            s3=s3,
            stack=self.stack,
            keystone=self.keystone if with_keystone else None,
            threads=_THREADS,
        )


@pytest.fixture(scope="module")
def here(
    workspace: pathlib.Path, database: MariaDB, keystone: Keystone, story: Story
) -> Iterator[Here]:
    for reason in (minio.missing(), bootable.missing()):
        if reason:
            pytest.skip(f"this document was not followed: {reason}")
    directory = workspace / "minio-openstack-ansible"
    directory.mkdir()
    with contextlib.ExitStack() as stack:
        serving = minio.serving(directory / "minio", "us-east-1", KEYS)
        s3 = stack.enter_context(serving)
        _names(story, s3)
        written = glance.parsed(WRITTEN)
        disk = bootable.make(directory)
        yield Here(directory, database, keystone, s3, stack, written, disk)


def _names(story: Story, s3: S3Server) -> None:
    story.instead(s3.endpoint, "http://minio.example.org:9000")
    story.instead(s3.endpoint.removeprefix("http://"), "minio.example.org:9000")
    story.instead(KEYS[1], "SECRETKEY")
    story.instead(PASSWORD, "PASSWORD")


def test_minio_has_a_user(here: Here, story: Story) -> None:
    found = deployment.versions("glance", "glance_store")
    story.version("Glance", found["glance"])
    story.version("glance_store", found["glance_store"])
    story.version("MinIO", minio.PROGRAM.version.split("-")[1])
    client = here.s3.client()
    assert client.list_buckets()["Buckets"] == []
    assert here.s3.region == "us-east-1"
    story.step("MinIO")
    story.row(
        "It makes the user ``openstack`` with a secret key and sets the region "
        "``us-east-1``, since boto3 would have no other.",
        "The user, its key and the region are those of the document; there is no "
        "bucket.",
    )


def test_the_role_writes_the_configuration(here: Here, story: Story) -> None:
    story.step("OpenStack-Ansible")
    story.block("user_variables.yml", USER_VARIABLES)
    if reason := openstack_ansible.missing():
        story.left_out("OpenStack-Ansible's role", reason)
        here_said = "The stores are configured as the role would write them."
    else:
        text = openstack_ansible.rendered(USER_VARIABLES, here.directory / "osa")
        found = glance.parsed(text)
        for section, options in here.written.items():
            for option, value in options.items():
                assert found[section][option] == value, (section, option)
        taken = ("DEFAULT", "glance_store", "minio", "oslo_middleware", "cors")
        kept = {section: found[section] for section in taken if section in found}
        kept["DEFAULT"] = here.written["DEFAULT"]
        here.written = kept
        here_said = (
            "The role's own template and its merge plugin write a ``glance-api.conf`` "
            "with the section ``[minio]``.  Glance 33 starts with it, stock and with "
            "the filter; so does the stand-alone gateway."
        )
    story.block("What the role makes of it, as far as stores are concerned", WRITTEN)
    story.row(
        "``glance_additional_stores`` names the store, the overrides configure it, and "
        "the playbook writes ``glance-api.conf``.",
        here_said,
        "The gateway reads the same file; no variable is needed for the store.",
    )


@pytest.fixture(scope="module")
def cloud(here: Here) -> Deployment:
    return here.deployment("osa", here.s3, with_keystone=True)


def test_image_create(here: Here, cloud: Deployment, story: Story) -> None:
    story.step("glance image-create --store minio --progress")
    line = (
        "glance image-create --name debian --file disk.qcow2 --disk-format qcow2 "
        "--container-format bare --store minio --progress"
    )
    tables = {}
    for shape in SHAPES:
        url = cloud.url(shape)
        story.instead(url, "http://glance.example.org:9292")
        shell = Shell(here.directory, here.keystone, url)
        story.instead(shell.token, "TOKEN")
        printed = tables[shape] = shell.terminal(line)
        assert "100%" in printed, printed
        found = re.search(r"\| id +\| ([0-9a-f-]{36})", printed)
        assert found, printed
        image = found[1]
        shown = Api(url, shell.token).show(image)
        assert (shown["status"], shown["stores"]) == ("active", "minio")
        [(key, size)] = cloud.objects("minio").items()
        assert (key.partition(".")[0], size) == (image, here.disk.stat().st_size)
        shell(f"glance image-download --file {image} {image}")
        saved = here.directory / image
        assert saved.read_bytes() == here.disk.read_bytes()
        _location(shape, image, shown["locations"][0]["url"], printed, cloud)
        assert Api(url, shell.token).delete(image).status == 204
        assert cloud.objects("minio") == {}
    story.row(
        "``glance image-create`` sends an image to the store ``minio`` and prints its "
        "table.",
        "The image, a Debian kernel that boots, is ``active`` in the store ``minio`` "
        "in all three; ``glance image-download`` brings it back whole.",
        "The table shows ``s3://minio/`` and the image's id, where stock Glance shows "
        "MinIO's host and bucket to every user of the image.",
    )
    story.block(f"$ {line}", tables[FILTER])
    story.block(
        "The same through stock Glance, the lines that differ", _differing(tables)
    )


def _location(
    shape: str, image: str, location: str, printed: str, cloud: Deployment
) -> None:
    host = cloud.s3.endpoint.removeprefix("http://")
    if shape == STOCK:
        assert location == f"s3://{host}/glance/{image}"
    else:
        assert location == f"s3://minio/{image}"
        assert host not in printed
        assert KEYS[1] not in printed


def _differing(tables: dict[str, str]) -> str:
    lines = tables[STOCK].splitlines()
    return "\n".join(line for line in lines if "s3://" in line)


def test_a_region_of_ones_own(here: Here, story: Story) -> None:
    story.step("A region of one's own")
    data = random.Random(1).randbytes(12 * _MIB)  # noqa: S311
    rows = []
    with minio.serving(here.directory / "lab", REGION, KEYS) as lab:
        story.instead(lab.endpoint, "http://minio.example.org:9000")
        for named in ("", REGION):
            more = {"s3_store_region_name": named} if named else {}
            bucket = f"lab-{named or 'unnamed'}"
            name = "named" if named else "unnamed"
            options = {"s3_store_bucket": bucket, **more}
            cloud = here.deployment(name, lab, options=options)
            for shape in SHAPES:
                api = Api(cloud.url(shape), ALICE)
                image = api.create(name="in a region")
                status = api.upload(image, data, X_Image_Meta_Store="minio").status
                shown = api.show(image)["status"]
                rows.append([named or "not set", shape, str(status), shown])
                assert (status, shown) == (204, "active"), rows
                assert api.download(image).body == data
                assert api.delete(image).status == 204
            log = cloud.glance(gateway=True, threads=_THREADS).log
            advice = f"set s3_store_region_name = {REGION} in [minio]"
            assert (advice in log) == (not named), log
        for bucket in lab.client().list_buckets()["Buckets"]:
            found = lab.client().list_objects_v2(Bucket=bucket["Name"])
            assert "Contents" not in found
    story.row(
        f"The author wanted the region ``{REGION}``, and had to rename it to "
        "``us-east-1`` for boto3.",
        f"MinIO in ``{REGION}`` takes images from all three, with "
        "``s3_store_region_name``, which glance_store has today, and without: boto3 "
        "and the gateway follow the server, which names its region.",
        "The gateway's log says which region to configure.",
    )
    headings = ["s3_store_region_name", "", "upload", "image"]
    story.table(f"Images in a MinIO in {REGION}", [headings, *rows])


def test_warp_and_the_same_mix_of_images(here: Here, story: Story) -> None:
    story.step("warp mixed")
    program, reason = warp.program()
    if program is None:
        story.left_out("``warp``", reason)
    else:
        story.version("warp", warp.PROGRAM.version)
        shares = {name.lower(): str(share) for name, share in SHARES.items()}
        said = warp.mixed(
            program,
            here.s3,
            here.directory,
            duration=f"{SECONDS}s",
            objects=str(_IMAGES),
            size="10MiB",
            concurrent=str(_AT_ONCE),
            **shares,
        )
        assert "Errors" not in said, said
        story.block(f"warp mixed --duration={SECONDS}s, against MinIO itself", said)
    cloud = here.deployment("mix", here.s3, options={"s3_store_bucket": "mixed"})
    source = here.directory / "source"
    source.write_bytes(random.Random(2).randbytes(_SIZE))  # noqa: S311
    reports: dict[str, Report] = {}
    for shape in (STOCK, FILTER):
        mix = Mix(_default_store(cloud, shape), ALICE, source, _SIZE, _AT_ONCE)
        reports[shape] = mix.run(SECONDS, _IMAGES)
        assert cloud.objects("minio") == {}
        story.block(
            f"The same mix as operations on images, {shape}", str(reports[shape])
        )
    _compare(story, reports)


def _default_store(cloud: Deployment, shape: str) -> str:
    """Return a Glance whose default is the store, and which has made its bucket."""
    config = {"glance_store": {"default_backend": "minio"}}
    running = cloud.glance(gateway=shape == FILTER, threads=_THREADS, config=config)
    api = Api(running.url, ALICE)
    image = api.create(name="first")
    assert api.upload(image, bytes(_MIB)).status == 204
    assert api.delete(image).status == 204
    return running.url


def _compare(story: Story, reports: dict[str, Report]) -> None:
    rows = [["", STOCK, "the gateway"]]
    for name in SHARES:
        both = [reports[shape] for shape in (STOCK, FILTER)]
        rates = [f"{each.rate(name)[1]:.1f} /s" for each in both]
        times = [f"median {each.median(name):.0f} ms" for each in both]
        cells = [", ".join(pair) for pair in zip(rates, times, strict=True)]
        rows.append([name, *cells])
    totals = [f"{reports[shape].rate()[0]:.0f} MiB/s" for shape in (STOCK, FILTER)]
    rows.append(["moved", *totals])
    story.table("Images, side by side", rows)
    stock, ours = (reports[shape].rate()[0] for shape in (STOCK, FILTER))
    story.row(
        "``warp mixed``: 44 % GET, 30 % STAT, 15 % PUT and 10 % DELETE of 10 MiB, 20 "
        "at once, against MinIO.",
        f"The same mix as operations on images, {SECONDS} seconds each, one worker "
        "process each, all on one machine with two cores.  A PUT creates an image and "
        "uploads its data; a STAT shows it.",
        f"{ours / stock:.1f} times as many bytes as through stock Glance.",
    )


def test_it_cleans_up(here: Here, story: Story) -> None:
    client = here.s3.client()
    for bucket in client.list_buckets()["Buckets"]:
        name = bucket["Name"]
        assert "Contents" not in client.list_objects_v2(Bucket=name), name
        client.delete_bucket(Bucket=name)
    assert len(GATEWAYS) == 2
    story.step("In the end")
    story.row("It leaves its images.", "All images are deleted; the buckets are empty.")
