# SPDX-License-Identifier: Apache-2.0
"""The image is built on a bare Debian; it runs read-only, as a user, with no rights."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.bare.debian import BASES
from tests.bare.debian import ROOT
from tests.bare.debian import run_on_bare
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

SUITE = "trixie"
BASE = "localhost/debian"
IMAGE = "localhost/s3gateway"

#: What pip is told about the way to the packages is the same in the build.
_PIP = {
    "PIP_INDEX_URL": "index-url",
    "PIP_EXTRA_INDEX_URL": "extra-index-url",
    "PIP_TRUSTED_HOST": "trusted-host",
    "PIP_DEFAULT_TIMEOUT": "timeout",
}
_TRUST = "/etc/ssl/certs/ca-certificates.crt"


class Podman:
    """Podman with images and containers of its own."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self._words = [
            "podman",
            f"--root={directory / 'storage'}",
            f"--runroot={directory / 'run'}",
            "--cgroup-manager=cgroupfs",
            "--runtime=runc",
            "--events-backend=none",
        ]

    def __call__(self, *arguments: str | pathlib.Path, check: bool = True) -> str:
        return run([*self._words, *arguments], check=check).stdout

    def make_base(self, root: pathlib.Path) -> None:
        """Make an image of a directory with a system."""
        tar = ["tar", "--create", "--one-file-system", f"--directory={root}", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
            subprocess.run(
                [*self._words, "import", "-", BASE],
                stdin=packing.stdout,
                capture_output=True,
                check=True,
            )
        assert packing.returncode == 0

    def build(self, context: pathlib.Path) -> str:
        """Build the Containerfile of a context with the network of this machine."""
        configuration = self.directory / "pip.conf"
        lines = [
            f"{_PIP[name]} = {os.environ[name]}" for name in _PIP.keys() & os.environ
        ]
        configuration.write_text(
            "\n".join(["[global]", f"cert = {_TRUST}", *lines, ""])
        )
        return self(
            "build",
            "--isolation=chroot",
            "--layers=false",
            "--network=host",
            "--volume=/etc/resolv.conf:/etc/resolv.conf:ro",
            f"--volume={configuration}:/etc/pip.conf:ro",
            f"--build-arg=BASE={BASE}",
            "--build-arg=PBR_VERSION=4.5.6",
            f"--tag={IMAGE}",
            context,
        )

    def end(self) -> None:
        """Leave no container, image or mount, nor those of a build that has failed."""
        self("rm", "--all", "--force", check=False)
        for mount in self._mounts():
            run(["umount", mount])
        assert not self._mounts()  # what is behind one would be deleted
        shutil.rmtree(self.directory)

    def _mounts(self) -> list[str]:
        """Return what is mounted here, the innermost first."""
        lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
        found = [line.split()[1] for line in lines]
        ours = [path for path in found if path.startswith(f"{self.directory}/")]
        return sorted(ours, reverse=True)


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    if not shutil.which("podman") or not shutil.which("runc"):
        pytest.skip("no podman: python3 tests/packages.py --full installs it")
    run_on_bare(SUITE, "true")  # which builds the system, or cannot
    found = Podman(tmp_path_factory.mktemp("podman"))
    try:
        found.make_base(BASES / SUITE)
        yield found
    finally:
        found.end()


@pytest.fixture(scope="module")
def image(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of a clone, as the documentation has it built."""
    clone = tmp_path_factory.mktemp("context") / "s3gateway"
    run(["git", "clone", "--quiet", "--no-local", ROOT, clone])
    print(podman.build(clone))
    return IMAGE


@contextlib.contextmanager
def running(podman: Podman, image: str, port: int) -> Iterator[str]:
    """A container with the shipped configuration, and limits that any host has."""
    name = podman(
        "run", "--detach", "--read-only", "--cap-drop=all",
        "--security-opt=no-new-privileges", "--network=host",
        "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096",
        f"--volume={ROOT / 'etc' / 's3gateway'}:/etc/s3gateway:ro",
        image, f"--bind=127.0.0.1:{port}",
    ).split()[-1]  # fmt: skip
    try:
        yield name
    finally:
        print(podman("logs", name, check=False))
        podman("stop", "--time=20", name)
        podman("rm", name)


def ask(url: str) -> bytes:
    """Return what is answered at last."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                body: bytes = answer.read()
                return body
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def test_it_runs_read_only_and_as_a_user(podman: Podman, image: str) -> None:
    port = free_port()
    with running(podman, image, port) as name:
        assert ask(f"http://127.0.0.1:{port}/healthcheck") == b"OK"
        assert podman("exec", name, "id", "-u").strip() == "42480"
        assert "Read-only" in podman("exec", name, "touch", "/here", check=False)
        status = podman("exec", name, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        counted = podman("exec", name, "s3gateway-manage", "metrics")
        assert "s3gateway_" in counted


def test_what_is_in_it(podman: Podman, image: str) -> None:
    def shell(command: str) -> str:
        limits = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]
        entry = ["--network=host", "--entrypoint=sh"]
        return podman("run", "--rm", *limits, *entry, image, "-c", command)

    said = shell("pip show s3gateway; ls /src 2>&1; id -u; id -g")
    assert "Version: 4.5.6" in said
    assert "No such file" in said  # the sources stay with the build
    assert said.split()[-2:] == ["42480", "42480"]
