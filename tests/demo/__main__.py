# SPDX-License-Identifier: Apache-2.0
"""The demo: run by ``make demo``, ends with a table and an exit code."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

from tests.demo import images
from tests.demo.images import Picture
from tests.demo.report import Report
from tests.support import environments
from tests.support import glance
from tests.support import servers
from tests.support.glance import ROOT
from tests.support.glance import Config
from tests.support.glance import Glance
from tests.support.processes import run
from tests.support.s3server import S3Server

PASTE = ROOT / "etc" / "paste" / "glance-api-paste.ini"


class Demo:
    """The steps, in the order in which they are run."""

    def __init__(self, directory: pathlib.Path, report: Report) -> None:
        self.directory = directory
        self.report = report
        self.clients = environments.bin_dir("clients")
        self.glance_bin = environments.bin_dir("glance-33")
        self.database = f"sqlite:///{directory}/glance.sqlite"

    def run(self, s3: S3Server) -> None:
        self.s3 = s3
        glance.create_database(self.glance_bin, self.directory, self.database)
        pictures = images.prepare(self.directory)
        self.report.step(
            "Starting stock Glance 33 under gunicorn: S3 stores fast and cheap, file "
            f"store local, and the filter by {PASTE.relative_to(ROOT)}"
        )
        with self.glance("gateway", PASTE) as running:
            self.report.show(f"image API: {running.url}   S3: {s3.endpoint}")
            kept = [self.to_the_default_store(running, picture) for picture in pictures]
            self.to_the_second_store(running, pictures[0])
        self.report.step("Taking the filter out: the same images through stock Glance")
        stock = self.glance_bin.parent / "etc" / "glance" / "glance-api-paste.ini"
        with self.glance("stock", stock) as running:
            for image, picture in zip(kept, pictures, strict=True):
                self.reads_back(running, image, picture, "stock Glance, filter removed")
                self.openstack(running, "image", "delete", image)
        self.report.step("Looking into both buckets with boto3")
        for bucket in ("fast", "cheap"):
            found = self.bucket(bucket)
            self.report.show(f"{bucket}: {found or 'empty'}")
            self.report.check(f"bucket {bucket} is empty after the deletes", not found)

    def to_the_default_store(self, running: Glance, picture: Picture) -> str:
        name = picture.path.name
        self.report.step(f"Uploading {name} ({picture.origin}) with the openstack CLI")
        image = self.create(running, picture)
        self.report.check(f"{name}: active", image["status"] == "active")
        location = image["properties"]["locations"][0]["url"]
        masked = location == f"s3://fast/{image['id']}"
        self.report.check(f"{name}: its location names no host, bucket or key", masked)
        self.in_the_bucket("fast", image["id"], picture)
        self.reads_back(running, image["id"], picture, "the gateway")
        return str(image["id"])

    def to_the_second_store(self, running: Glance, picture: Picture) -> None:
        name = picture.path.name
        self.report.step(f"Uploading {name} to the store cheap with the glance CLI")
        self.report.show(self.glance_cli(running, "stores-info"))
        self.glance_cli(
            running,
            "image-create",
            f"--name=cheap-{name}",
            f"--disk-format={picture.disk_format}",
            "--container-format=bare",
            f"--file={picture.path}",
            "--store=cheap",
        )
        image = self.openstack_json(running, "image", "show", f"cheap-{name}")
        self.report.check(
            f"{name}: stored in cheap", image["properties"]["stores"] == "cheap"
        )
        self.in_the_bucket("cheap", image["id"], picture)
        target = self.directory / "saved-by-glance"
        self.glance_cli(running, "image-download", f"--file={target}", image["id"])
        same = _sha256(target) == _sha256(picture.path)
        self.report.check(f"{name}: same sha256 through glance image-download", same)
        self.openstack(running, "image", "delete", image["id"])
        self.report.check(f"{name}: gone from cheap", not self.bucket("cheap"))

    def create(self, running: Glance, picture: Picture) -> dict[str, Any]:
        name = picture.path.name
        formats = ["--disk-format", picture.disk_format, "--container-format", "bare"]
        self.openstack(
            running, "image", "create", "--file", picture.path, *formats, name
        )
        shown = self.openstack_json(running, "image", "show", name)
        self.report.show(f"id        {shown['id']}")
        self.report.show(f"status    {shown['status']}, {shown['size']} bytes")
        for location in shown["properties"]["locations"]:
            self.report.show(f"location  {location['url']}")
        return shown

    def in_the_bucket(self, bucket: str, image_id: str, picture: Picture) -> None:
        [key] = [key for key in self.bucket(bucket) if key.startswith(image_id)]
        body = self.s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()
        self.report.show(f"boto3     {bucket}/{key}, {len(body)} bytes")
        same = hashlib.sha256(body).hexdigest() == _sha256(picture.path)
        self.report.check(
            f"{picture.path.name}: the object in {bucket} is the file", same
        )

    def reads_back(
        self, running: Glance, image: str, picture: Picture, through: str
    ) -> None:
        target = self.directory / "saved"
        self.openstack(running, "image", "save", "--file", target, image)
        same = _sha256(target) == _sha256(picture.path)
        self.report.check(f"{picture.path.name}: same sha256 through {through}", same)

    def bucket(self, name: str) -> list[str]:
        found = self.s3.client().list_objects_v2(Bucket=name)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def openstack(self, running: Glance, *words: str | pathlib.Path) -> str:
        access = ["--os-auth-type", "none", "--os-endpoint", running.url]
        return run([self.clients / "openstack", *access, *words]).stdout

    def openstack_json(self, running: Glance, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.openstack(running, *words, "-f", "json")
        )
        return found

    def glance_cli(self, running: Glance, *words: str) -> str:
        access = ["--os-image-url", running.url, "--os-auth-token", "none"]
        return run([self.clients / "glance", *access, *words]).stdout

    def glance(self, name: str, paste: pathlib.Path) -> glance.Serving:
        config: Config = {
            "paste_deploy": {"flavor": "", "config_file": str(paste)},
            # without Keystone nobody has a role
            "oslo_policy": {"enforce_new_defaults": "false", "enforce_scope": "false"},
        }
        spec = glance.GlanceSpec(bin_dir=self.glance_bin, gateway=False, config=config)
        stores = glance.two_s3_stores_and_a_file_store(self.s3, self.directory)
        return glance.serving(spec, self.directory / name, stores, self.database)


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    report = Report()
    server = os.environ.get("S3GATEWAY_SERVER", "swift")
    if reason := servers.missing(server):
        report.check(f"{server} can be run: {reason}", False)
        return report.finish()
    report.step(f"Building the environments of Glance, {server}, the clients (once)")
    own = [server] if server in environments.ENVIRONMENTS else []
    environments.build("glance-33", *own, "clients")
    with tempfile.TemporaryDirectory(prefix="s3gateway-demo-") as name:
        directory = pathlib.Path(name)
        report.step(f"Starting {server} as the S3 server")
        with servers.serving(server, directory / server) as s3:
            Demo(directory, report).run(s3)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
