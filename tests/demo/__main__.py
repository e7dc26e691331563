# SPDX-License-Identifier: Apache-2.0
"""The demo: run by ``make demo``, ends with a table and an exit code.

With ``--standalone`` the gateway is a separate service in front of a stock Glance,
in place of a filter in it.  With ``--sealed`` it also has the only keys of S3.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from tests.demo import images
from tests.demo import seal
from tests.demo.images import Picture
from tests.demo.report import Report
from tests.support import isolation
from tests.support.s3 import catalog
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import glance
from tests.support.servers import standalone
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import Config
from tests.support.servers.glance import Serving
from tests.support.servers.glance import merged
from tests.support.servers.identity import token
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run
from tests.support.servers.standalone import GatewaySpec

PASTE = ROOT / "etc" / "paste" / "glance-api-paste.ini"

#: Of a user; a Glance without Keystone does not look at it.
TOKEN = token("demo", "demo", "member", "reader")


class Demo:
    """The steps, in the order in which they are run.

    :param mode: ``filter``, ``standalone`` or ``sealed``
    """

    def __init__(self, directory: pathlib.Path, report: Report, mode: str) -> None:
        self.directory = directory
        self.report = report
        self.mode = mode
        self.clients = environments.bin_dir("clients")
        self.glance_bin = environments.bin_dir("glance-33")
        self.stock = self.glance_bin.parent / "etc" / "glance" / PASTE.name
        self.database = f"sqlite:///{directory}/glance.sqlite"

    def run(self, s3: S3Server) -> None:
        self.s3 = s3
        glance.create_database(self.glance_bin, self.directory, self.database)
        pictures, left_out = images.prepare(self.directory)
        for disk_format, reason in left_out.items():
            self.report.leave_out(f"an image in the format {disk_format}", reason)
        paste, part = {
            "filter": (PASTE, "filter"),
            "standalone": (standalone.PASTE, "gateway before it"),
            "sealed": (standalone.SEALED_PASTE, "gateway before and behind it"),
        }[self.mode]
        self.report.step(
            "Starting stock Glance 33 under gunicorn: S3 stores fast and cheap, file "
            f"store local, and the {part} by {paste.relative_to(ROOT)}"
        )
        with self.gateway() as url:
            self.report.show(f"image API: {url}   S3: {s3.endpoint}")
            kept = [self.to_the_default_store(url, picture) for picture in pictures]
            self.to_the_second_store(url, pictures[0])
            if self.mode == "sealed":
                self.imported(url, pictures[0])
                self.nothing_of_s3_is_with_glance()
        self.report.step("Taking the gateway out: the same images through stock Glance")
        with self.glance("stock", self.stock) as running:
            for image, picture in zip(kept, pictures, strict=True):
                through = "stock Glance, gateway removed"
                self.reads_back(running.url, image, picture, through)
                self.openstack(running.url, "image", "delete", image)
        self.report.step("Looking into both buckets with boto3")
        for bucket in ("fast", "cheap"):
            found = self.bucket(bucket)
            self.report.show(f"{bucket}: {found or 'empty'}")
            self.report.check(f"bucket {bucket} is empty after the deletes", not found)

    def to_the_default_store(self, url: str, picture: Picture) -> str:
        name = picture.path.name
        self.report.step(f"Uploading {name} ({picture.origin}) with the openstack CLI")
        image = self.create(url, picture)
        self.report.check(f"{name}: active", image["status"] == "active")
        location = image["properties"]["locations"][0]["url"]
        masked = location == f"s3://fast/{image['id']}"
        self.report.check(f"{name}: its location names no host, bucket or key", masked)
        self.in_the_bucket("fast", image["id"], picture)
        self.reads_back(url, image["id"], picture, "the gateway")
        return str(image["id"])

    def to_the_second_store(self, url: str, picture: Picture) -> None:
        name = picture.path.name
        self.report.step(f"Uploading {name} to the store cheap with the glance CLI")
        self.report.show(self.glance_cli(url, "stores-info"))
        self.glance_cli(
            url,
            "image-create",
            f"--name=cheap-{name}",
            f"--disk-format={picture.disk_format}",
            "--container-format=bare",
            f"--file={picture.path}",
            "--store=cheap",
        )
        image = self.openstack_json(url, "image", "show", f"cheap-{name}")
        self.report.check(
            f"{name}: stored in cheap", image["properties"]["stores"] == "cheap"
        )
        self.in_the_bucket("cheap", image["id"], picture)
        target = self.directory / "saved-by-glance"
        self.glance_cli(url, "image-download", f"--file={target}", image["id"])
        same = _sha256(target) == _sha256(picture.path)
        self.report.check(f"{name}: same sha256 through glance image-download", same)
        self.openstack(url, "image", "delete", image["id"])
        self.report.check(f"{name}: gone from cheap", not self.bucket("cheap"))

    def imported(self, url: str, picture: Picture) -> None:
        """Let Glance's own driver write, read and delete an image."""
        name = picture.path.name
        self.report.step(f"Importing {name}: Glance writes it itself, to the face")
        kind = ["--disk-format", picture.disk_format, "--container-format", "bare"]
        file = ["--import", "--file", str(picture.path)]
        self.openstack(url, "image", "create", *file, *kind, f"imported-{name}")
        image = self.until_active(url, f"imported-{name}")
        self.report.check(f"{name}: imported", image["status"] == "active")
        keys = [key for key in self.bucket("fast") if key.startswith(image["id"])]
        self.report.show(f"boto3     fast: {', '.join(keys)}")
        # The gateway's own uploads have an attempt behind the image's id.
        self.report.check(f"{name}: Glance's driver wrote it", keys == [image["id"]])
        self.reads_back(url, image["id"], picture, "the gateway, after the import")
        self.openstack(url, "image", "delete", image["id"])
        left = [key for key in self.bucket("fast") if key.startswith(image["id"])]
        self.report.check(f"{name}: deleted by Glance's driver", not left)

    def until_active(self, url: str, name: str) -> dict[str, Any]:
        """Return an image as it is when it is active, or after a minute."""
        end = time.monotonic() + 60
        while True:
            image = self.openstack_json(url, "image", "show", name)
            if image["status"] == "active" or time.monotonic() > end:
                return image
            time.sleep(1)

    def nothing_of_s3_is_with_glance(self) -> None:
        self.report.step("Looking for the keys of S3 where Glance is")
        places = (self.directory / "behind", self.directory / "glance.sqlite")
        read, found = seal.searched(places, seal.of_s3(self.s3))
        self.report.show(f"{read} files: the database, the configuration, the logs")
        for line in found:
            self.report.show(line)
        self.report.check("no key and no address of S3 is with Glance", not found)
        _, known = seal.searched(places, seal.OF_THE_FACE)
        self.report.check("Glance has a key pair of the face", bool(known))
        self.report.step("Trying what the key pair of the face opens, with boto3")
        for question, client, expected in seal.trials(self.s3, self.face):
            answer = seal.status(client, "fast")
            self.report.show(f"{question}: {answer}")
            self.report.check(f"{question} is refused", answer == expected)

    def create(self, url: str, picture: Picture) -> dict[str, Any]:
        name = picture.path.name
        formats = ["--disk-format", picture.disk_format, "--container-format", "bare"]
        self.openstack(url, "image", "create", "--file", picture.path, *formats, name)
        shown = self.openstack_json(url, "image", "show", name)
        self.report.show(f"id        {shown['id']}")
        self.report.show(f"status    {shown['status']}, {shown['size']} bytes")
        for location in shown["properties"]["locations"]:
            self.report.show(f"location  {location['url']}")
        return shown

    def in_the_bucket(self, bucket: str, image_id: str, picture: Picture) -> None:
        [key] = [key for key in self.bucket(bucket) if key.startswith(image_id)]
        body = self.s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()
        self.report.show(f"boto3     {bucket}/{key}, {len(body)} bytes")
        name = picture.path.name
        same = hashlib.sha256(body).hexdigest() == _sha256(picture.path)
        self.report.check(f"{name}: the object in {bucket} is the file", same)
        # Glance itself would have named it as the image, without an attempt.
        ours = key.startswith(f"{image_id}.")
        self.report.check(f"{name}: it was the gateway that wrote it", ours)

    def reads_back(self, url: str, image: str, picture: Picture, through: str) -> None:
        target = self.directory / "saved"
        self.openstack(url, "image", "save", "--file", target, image)
        same = _sha256(target) == _sha256(picture.path)
        self.report.check(f"{picture.path.name}: same sha256 through {through}", same)

    def bucket(self, name: str) -> list[str]:
        found = self.s3.client().list_objects_v2(Bucket=name)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def openstack(self, url: str, *words: str | pathlib.Path) -> str:
        access = ["--os-auth-type", "admin_token", "--os-endpoint", f"{url}/v2"]
        access += ["--os-token", TOKEN]
        return run([self.clients / "openstack", *access, *words]).stdout

    def openstack_json(self, url: str, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.openstack(url, *words, "-f", "json"))
        return found

    def glance_cli(self, url: str, *words: str) -> str:
        access = ["--os-image-url", url, "--os-auth-token", TOKEN]
        return run([self.clients / "glance", *access, *words]).stdout

    @contextlib.contextmanager
    def gateway(self) -> Iterator[str]:
        """Run the gateway; yield the URL of its image API."""
        if self.mode == "filter":
            with self.glance("gateway", PASTE) as running:
                yield running.url
            return
        port = free_port() if self.mode == "sealed" else 0
        self.face = f"http://127.0.0.1:{port}"
        at_face = standalone.behind_face(self.face) if port else {}
        with self.serving("behind", at_face) as behind:
            ours = {"s3gateway": {"glance_url": behind.url}}
            spec = GatewaySpec(face=port, config=merged(self.stores(), ours))
            with standalone.serving(spec, self.directory / "gateway") as alone:
                yield alone.url

    def glance(self, name: str, paste: pathlib.Path) -> Serving:
        config: Config = {
            "paste_deploy": {"flavor": "", "config_file": str(paste)},
            # without Keystone nobody has a role
            "oslo_policy": {"enforce_new_defaults": "false", "enforce_scope": "false"},
        }
        return self.serving(name, config)

    def serving(self, name: str, config: Config) -> Serving:
        spec = glance.GlanceSpec(bin_dir=self.glance_bin, gateway=False, config=config)
        return glance.serving(spec, self.directory / name, self.stores(), self.database)

    def stores(self) -> Config:
        return glance.two_s3_stores_and_a_file_store(self.s3, self.directory)


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.demo")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--standalone",
        action="store_const",
        const="standalone",
        dest="mode",
        help="run the gateway as a separate service, not as a filter in Glance",
    )
    modes.add_argument(
        "--sealed",
        action="store_const",
        const="sealed",
        dest="mode",
        help="the same, and Glance has no key of S3",
    )
    mode = parser.parse_args().mode or "filter"
    isolation.apply()
    with Report() as report:
        return _shown(report, mode)


def _shown(report: Report, mode: str) -> int:
    server = os.environ.get("S3GATEWAY_SERVER", "swift")
    if reason := catalog.missing(server):
        report.check(f"{server} can be run: {reason}", False)
        return report.finish()
    report.step(f"Building the environments of Glance, {server}, the clients (once)")
    own = [server] if server in environments.ENVIRONMENTS else []
    own += [] if mode == "filter" else ["gateway"]
    environments.build("glance-33", *own, "clients")
    with tempfile.TemporaryDirectory(prefix="s3gateway-demo-") as name:
        directory = pathlib.Path(name)
        report.step(f"Starting {server} as the S3 server")
        with catalog.serving(server, directory / server) as s3:
            Demo(directory, report, mode).run(s3)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
