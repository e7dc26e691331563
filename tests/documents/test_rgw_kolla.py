# SPDX-License-Identifier: Apache-2.0
"""Ceph RGW as a store of a Glance that Kolla has deployed, and images sent by curl."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
import re
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests.documents import deployment
from tests.documents.deployment import FILTER
from tests.documents.deployment import GATEWAYS
from tests.documents.deployment import SHAPES
from tests.documents.deployment import STOCK
from tests.documents.deployment import Deployment
from tests.documents.deployment import Shell
from tests.documents.story import Document
from tests.documents.story import Story
from tests.documents.story import plain
from tests.support import bootable
from tests.support.clients.api import Api
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3 import rgw
from tests.support.servers import glance
from tests.support.servers.keystone import PASSWORD
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import run

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]

DOCUMENT = Document(
    number=5,
    name="rgw-kolla",
    title="Ceph RGW behind a Glance of Kolla",
    published=(
        "An operator's notes of 2022, in Vietnamese: a store on Ceph's object gateway "
        "beside Kolla's file store, and images that are sent with curl and Postman."
    ),
    cannot=(
        (
            "Kolla's containers: Glance runs from its Python packages under gunicorn, "
            "with the configuration that Kolla would merge."
        ),
        "Postman itself: curl sends the two forms of a request that Postman offers.",
        "A hypervisor with KVM: qemu, which starts the image, emulates the processor.",
    ),
)

#: The operator's file in Kolla's directory of overrides.
OVERRIDES = """\
[DEFAULT]
enabled_backends = file:file, test:s3

[glance_store]
default_backend = file

[file]
filesystem_store_datadir = /var/lib/glance/images/

[test]
s3_store_host = http://rgw.example.org:7480
s3_store_access_key = RGWACCESSKEY
s3_store_secret_key = RGWSECRETKEY
s3_store_bucket = test
s3_store_bucket_url_format = path
"""

CREATE = (
    "openstack image create --disk-format qcow2 --container-format bare -f value -c id"
)
PUT = (
    'curl --silent --show-error --write-out "\\n%{http_code}" --request PUT '
    '--header "X-Auth-Token: $TOKEN"'
)
OCTETS = '--header "Content-Type: application/octet-stream"'
STORE = '--header "X-Image-Meta-Store: test"'


#: What curl -d says it sends, by which words, for an image in which format; the answer.
_CUT = (
    ("a form", "", "qcow2", 415),
    ("octets", OCTETS, "qcow2", 415),
    ("octets", OCTETS, "raw", 204),
)


@dataclasses.dataclass
class Here:
    """What the steps share.

    :ivar disk: an image that boots, a qcow2
    :ivar kept: images that are whole, by the shape through which they were sent
    :ivar cut: an image that lacks bytes, in stock Glance
    """

    cloud: Deployment
    disk: pathlib.Path
    shells: dict[str, Shell]
    kept: dict[str, str] = dataclasses.field(default_factory=dict)
    cut: str = ""

    def api(self, shape: str) -> Api:
        return Api(self.cloud.url(shape), self.shells[shape].token)

    def create(self, shape: str, name: str, disk_format: str = "qcow2") -> str:
        """Create an image without data."""
        return self.api(shape).create(name=name, disk_format=disk_format)

    def delete(self, shape: str, image: str) -> None:
        assert self.api(shape).delete(image).status == 204

    def put(self, shape: str, image: str, words: str) -> tuple[int, str]:
        """Send an image's data with curl; return the status and the answer's text."""
        line = f'{PUT} {words} "$GLANCE_URL/v2/images/{image}/file"'
        text, _, status = self.shells[shape](line).rpartition("\n")
        return int(status), re.sub(r"<[^>]+>|\s+", " ", text).strip()

    def show(self, shape: str, image: str) -> Any:
        """Return an image, as the API shows it."""
        return self.api(shape).show(image)

    def objects(self) -> dict[str, int]:
        return self.cloud.objects("test")


@pytest.fixture(scope="module")
def here(
    workspace: pathlib.Path, database: MariaDB, keystone: Keystone, story: Story
) -> Iterator[Here]:
    for reason in (rgw.missing(), bootable.missing()):
        if reason:
            pytest.skip(f"this document was not followed: {reason}")
    directory = workspace / "rgw-kolla"
    with contextlib.ExitStack() as stack:
        s3 = stack.enter_context(rgw.serving(directory / "rgw"))
        config = glance.parsed(OVERRIDES)
        (directory / "images").mkdir()
        config["file"]["filesystem_store_datadir"] = str(directory / "images")
        config["test"]["s3_store_host"] = s3.endpoint
        config["test"]["s3_store_access_key"] = s3.access_key
        config["test"]["s3_store_secret_key"] = s3.secret_key
        cloud = Deployment(
            "kolla",
            config,
            directory=directory,
            mariadb=database,
            s3=s3,
            stack=stack,
            keystone=keystone,
        )
        disk = bootable.make(directory)
        yield Here(cloud, disk, _shells(cloud, keystone, directory, story))


def _shells(
    cloud: Deployment, keystone: Keystone, directory: pathlib.Path, story: Story
) -> dict[str, Shell]:
    made = {}
    for shape in SHAPES:
        url = cloud.url(shape)
        story.instead(url, "http://glance.example.org:9292")
        made[shape] = Shell(directory, keystone, url)
        story.instead(made[shape].token, "TOKEN")
    for real, shown in (
        (cloud.s3.endpoint, "http://rgw.example.org:7480"),
        (cloud.s3.endpoint.removeprefix("http://"), "rgw.example.org:7480"),
        (cloud.s3.access_key, "RGWACCESSKEY"),
        (cloud.s3.secret_key, "RGWSECRETKEY"),
        (PASSWORD, "PASSWORD"),
    ):
        story.instead(real, shown)
    return made


def test_the_bucket_is_made_beforehand(here: Here, story: Story) -> None:
    story.version("Glance", deployment.versions("glance")["glance"])
    story.version("glance_store", deployment.versions("glance_store")["glance_store"])
    ceph = deployment.program_version("radosgw", "--version")
    story.version("Ceph RGW", ceph.split()[2])
    story.version("curl", deployment.program_version("curl", "--version").split()[1])
    here.cloud.s3.client().create_bucket(Bucket="test")
    assert here.objects() == {}
    story.step("The bucket is made beforehand")
    story.row(
        "It makes a user and a bucket in RGW.",
        "The bucket ``test`` is there and empty; "
        "``s3_store_create_bucket_on_put`` stays off.",
    )


def test_two_stores_side_by_side(here: Here, story: Story) -> None:
    story.step("The configuration")
    story.block("The operator's file, which Kolla merges into its own", OVERRIDES)
    for shape in SHAPES:
        answer = here.api(shape).request("GET", "/v2/info/stores")
        stores = {each["id"]: each.get("default") for each in answer.json()["stores"]}
        assert stores == {"file": "true", "test": None}, (shape, stores)
    story.row(
        "``enabled_backends = file:file, test:s3``; the default is ``file``.",
        "Stock Glance, Glance with the filter and the stand-alone gateway list "
        "``file`` (the default) and ``test``.",
        "The gateway takes over ``test`` from this very file.  It has nothing of its "
        "own in it.",
    )


def test_an_image_without_data(here: Here, story: Story) -> None:
    story.step("openstack image create, without a file")
    for shape in SHAPES:
        printed = plain(here.shells[shape].terminal(f"{CREATE} without-data"))
        image = printed.split()[-1]
        assert here.show(shape, image)["status"] == "queued"
        here.delete(shape, image)
    story.row(
        "``openstack image create`` makes an image without data.",
        "The image is ``queued`` in all three.",
    )


def test_curl_d_cuts_the_image(here: Here, story: Story) -> None:
    """What curl sends, and what is made of it."""
    story.step("curl -d @file")
    size, whole = (file.stat().st_size for file in (here.disk, _raw(here)))
    found = []
    for shape in SHAPES:
        for kind, words, disk_format, expected in _CUT:
            image = here.create(shape, "cut", disk_format)
            data = f"-d @disk.{disk_format}"
            status, text = here.put(shape, image, f"{words} {STORE} {data}")
            assert status == expected, (shape, kind, disk_format, text)
            shown = here.show(shape, image)
            is_stored = status == 204
            assert shown["status"] == ("active" if is_stored else "queued")
            assert not is_stored or 0 < shown["size"] < whole
            stored = f", {shown['size']} bytes" if is_stored else ""
            said = f"{shown['status']}{stored}"
            found.append([shape, kind, disk_format, str(status), said])
            if is_stored and shape == STOCK:
                here.cut = image
            else:
                here.delete(shape, image)
    story.row(
        "``curl -X PUT -d @file`` sends the image.",
        "curl says that it sends a form: 415 from all three, and the image stays "
        "``queued``.",
    )
    story.row(
        "With ``Content-Type: application/octet-stream`` the same is accepted, and the "
        "image does not start.",
        "curl drops line ends and zero bytes from what it sends.  Of a qcow2 of "
        f"{size} bytes nothing is left that Glance 33 takes for a qcow2: 415 from all "
        "three.  As ``raw`` any bytes will do: all three store the cut image, and it "
        "is ``active``.",
    )
    headings = ["", "sent as", "disk_format", "answer", "image"]
    story.table(f"Of {whole} bytes as raw", [headings, *found])


def _raw(here: Here) -> pathlib.Path:
    raw = here.disk.with_suffix(".raw")
    if not raw.exists():
        run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", here.disk, raw])
    return raw


def test_what_would_have_caught_it(here: Here, story: Story) -> None:
    story.step("What would have caught it")
    raw = _raw(here)
    size = raw.stat().st_size
    md5 = hashlib.md5(raw.read_bytes(), usedforsecurity=False).hexdigest()
    headers = {
        "x-openstack-image-size": f'--header "x-openstack-image-size: {size}"',
        "Content-MD5": f'--header "Content-MD5: {md5}"',
    }
    found, said = [], ""
    for shape in SHAPES:
        for header, words in headers.items():
            image = here.create(shape, "promised", "raw")
            status, text = here.put(
                shape, image, f"{OCTETS} {STORE} {words} -d @disk.raw"
            )
            shown = here.show(shape, image)["status"]
            found.append([shape, header, str(status), shown])
            caught = shape != STOCK or header != "Content-MD5"
            assert status == (400 if caught else 204), (shape, header, status, text)
            assert shown == ("queued" if caught else "active"), (shape, header)
            if shape == FILTER and header == "Content-MD5":
                said = text
            here.delete(shape, image)
    assert md5 in said
    said = said.rpartition("Bad Request")[2].strip()
    assert not [key for key in here.objects() if here.cut not in key]
    story.row(
        "It has no word about this.",
        "``x-openstack-image-size`` with the file's size is compared with what came "
        "by all three.  ``Content-MD5`` is ignored by stock Glance.",
        "``Content-MD5`` is compared too: the answer is 400 and names both digests.  "
        "The image stays ``queued``, nothing stays in S3, and the same image can be "
        "sent again.",
    )
    story.table("The cut image, announced", [["", "header", "answer", "image"], *found])
    story.block("The gateway's answer to the wrong Content-MD5", said)


def test_data_binary_and_upload_file(here: Here, story: Story) -> None:
    story.step("--data-binary, -T and the store")
    for shape in SHAPES:
        for words in (
            "--data-binary @disk.qcow2",
            "-T disk.qcow2",
            "-T - < disk.qcow2",
        ):
            image = here.create(shape, "whole")
            before = set(here.objects())
            status, text = here.put(shape, image, f"{OCTETS} {STORE} {words}")
            assert status == 204, (shape, words, text)
            shown = here.show(shape, image)
            assert (shown["status"], shown["stores"]) == ("active", "test")
            assert shown["size"] == here.disk.stat().st_size
            [key] = set(here.objects()) - before
            assert key.partition(".")[0] == image
            assert (key == image) == (shape == STOCK)
            assert _is_same(here, shape, image), (shape, words)
            if words.startswith("-T disk"):
                here.kept[shape] = image
            else:
                here.delete(shape, image)
        image = here.create(shape, "in-the-default-store")
        assert here.put(shape, image, f"{OCTETS} -T disk.qcow2")[0] == 204
        assert here.show(shape, image)["stores"] == "file"
        assert _is_same(here, shape, image)
        here.delete(shape, image)
    location = here.show(FILTER, here.kept[FILTER])["locations"][0]["url"]
    assert location == f"s3://test/{here.kept[FILTER]}"
    real = here.show(STOCK, here.kept[STOCK])["locations"][0]["url"]
    assert real.endswith(f"/test/{here.kept[STOCK]}")
    story.row(
        "``--data-binary @file`` and ``-T file`` send the image as it is; "
        "``X-Image-Meta-Store: test`` chooses the store.",
        "Both, and ``-T -`` from a pipe without a length, are 204 in all three.  "
        "There is one object in the bucket, and a download brings the file back.  "
        "Without the header the image goes to ``file``.",
        "The object was written by the gateway: its key is the image's id and the "
        "attempt's.  The image's location shows no host and no bucket.",
    )
    story.block("The command", f"{PUT} {OCTETS} {STORE} -T disk.qcow2 \\\n"
                '    "$GLANCE_URL/v2/images/$ID/file"')  # fmt: skip
    story.table(
        "The location of an image in the store test, as its owner sees it",
        [["", "location"], [STOCK, f"``{real}``"], ["gateway", f"``{location}``"]],
    )


def _is_same(here: Here, shape: str, image: str) -> bool:
    return here.api(shape).download(image).body == here.disk.read_bytes()


def test_postman(here: Here, story: Story) -> None:
    story.step("Postman")
    agent = '--user-agent PostmanRuntime/7.29.0 --header "Cache-Control: no-cache"'
    for shape in SHAPES:
        image = here.create(shape, "postman")
        status, text = here.put(shape, image, f"{agent} {STORE} -F image=@disk.qcow2")
        assert status == 415, (shape, text)
        assert here.show(shape, image)["status"] == "queued"
        words = f"{agent} {OCTETS} {STORE} --data-binary @disk.qcow2"
        status, text = here.put(shape, image, words)
        assert status == 204, (shape, text)
        assert _is_same(here, shape, image)
        here.delete(shape, image)
    story.row(
        "Postman sends the file as the body, ``binary``.",
        "204, and the image is whole, in all three.  Postman's other way, "
        "``form-data``, is 415 in all three; the image stays ``queued`` and takes "
        "the binary body afterwards.",
    )


def test_a_self_signed_front(here: Here, story: Story) -> None:
    story.step("https with a certificate that nobody has signed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    for shape in GATEWAYS:
        with FaultProxy(here.cloud.url(shape), tls=context) as front:
            story.instead(front.endpoint, "https://glance.example.org:9292")
            image = here.create(shape, "by-tls")
            target = f'"{front.endpoint}/v2/images/{image}/file"'
            line = f"{PUT} {OCTETS} {STORE} -T disk.qcow2 {target}"
            refused = here.shells[shape].done(line)
            assert refused.returncode == 60, refused.stdout
            assert here.show(shape, image)["status"] == "queued"
            answer = here.shells[shape](line.replace(PUT, f"{PUT} --insecure"))
            assert answer.endswith("\n204"), answer
            assert _is_same(here, shape, image)
            here.delete(shape, image)
    story.row(
        "Kolla's front has a certificate of its own authority; ``--insecure`` makes "
        "curl take it.",
        "Without the option curl ends with 60 and sends nothing.  With it: 204, and "
        "the image is whole, through the filter and stand-alone.",
    )


def test_the_image_boots(here: Here, story: Story) -> None:
    story.step("The image is started")
    consoles = {}
    for shape in GATEWAYS:
        saved = here.disk.with_name(f"instance-{GATEWAYS.index(shape)}.qcow2")
        image = here.kept[shape]
        here.shells[shape](f"openstack image save --file {saved.name} {image}")
        assert saved.read_bytes() == here.disk.read_bytes()
        consoles[shape] = bootable.start(saved, "qcow2", bootable.BOOTED, 300)
        assert bootable.KERNEL in consoles[shape], consoles[shape][-2000:]
        assert bootable.BOOTED in consoles[shape], consoles[shape][-2000:]
    saved = here.disk.with_name("cut.raw")
    saved.write_bytes(here.api(STOCK).download(here.cut).body)
    silent = bootable.start(saved, "raw", "No bootable device", 60)
    assert bootable.KERNEL not in silent, silent
    story.row(
        "Nova starts an instance of the image.",
        "What the gateway hands out starts under qemu: GRUB, the kernel, its RAM "
        "disk.  What ``-d @file`` had left of the image does not get as far as the "
        "kernel.",
        "The cut image would not have come into being, had its MD5 been announced.",
    )
    lines = consoles[FILTER].splitlines()
    first = next(line for line in lines if bootable.KERNEL in line)
    last = next(line for line in lines if bootable.BOOTED in line)
    first = first[first.index("Linux") :]
    last = last[last.index(bootable.BOOTED) :]
    story.block("On the console, the first and the last line", f"{first}\n...\n{last}")


def test_it_cleans_up(here: Here, story: Story) -> None:
    for shape in GATEWAYS:
        here.delete(shape, here.kept[shape])
    # What stock Glance has stored is deleted through the gateway, too.
    for image in (here.kept[STOCK], here.cut):
        here.delete(FILTER, image)
    assert here.objects() == {}
    assert here.cloud.uploads("test") == []
    assert not list(here.disk.with_name("images").iterdir())
    assert here.shells[FILTER]("openstack image list -f value").strip() == ""
    story.step("In the end")
    story.row(
        "It leaves its images.",
        "All images are deleted; the bucket and the directory of ``file`` are empty.",
        "Images that stock Glance has stored are deleted through the gateway as well.",
    )
