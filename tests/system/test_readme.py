# SPDX-License-Identifier: Apache-2.0
"""The README's commands, run as they are written, on a stock Glance 33.

The Glance is installed by pip into an environment of its own, in which there never was
a gateway, with Glance's own paste file, an S3 store and Keystone.
"""

from __future__ import annotations

import pathlib
import re
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests import hostile
from tests.support import checkout
from tests.support import isolation
from tests.support import readme
from tests.support.clients.api import Api
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import glance
from tests.support.servers.glance import Config
from tests.support.servers.keystone import Keystone
from tests.support.servers.keystone import User
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

pytestmark = pytest.mark.timeout(1800)

_PATIENCE = 240.0  # seconds: pip has just installed it, and compiled nothing yet
BUCKET = "readme"
GATEWAYS = r"[0-9a-f-]{36}\.[0-9a-f]{16}"

(SETTINGS, INSTALL, UNINSTALL, CHANGE, UNCHANGE, CHECK, SELFTEST, PROOF, LOG) = (
    readme.blocks("Install it")
)
[OUT] = readme.blocks("Take it out again")
IN = (INSTALL, CHANGE, CHECK, SELFTEST, PROOF)


class Host:
    """A host with a stock Glance, and what an operator types there."""

    def __init__(
        self,
        directory: pathlib.Path,
        s3: S3Server,
        database: str,
        keystone: Keystone,
        user: User,
    ) -> None:
        self.etc = directory / "etc"
        self.clone = directory / "clone"
        self.home = environments.installed(directory / "glance", "glance-33")
        self.paste = self.etc / "glance-api-paste.ini"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.starts = 0
        self._wanted = directory / "restart"
        self._keystone = keystone
        self._user = user
        self._server: Server | None = None
        self.etc.mkdir()
        checkout.commit(checkout.copy(self.clone), "4.5.6")
        stock = self.home / "etc" / "glance" / self.paste.name
        self.stock = stock.read_text()
        self.paste.write_text(self.stock)
        config = glance.merged(self._config(database), _stores(s3))
        (self.etc / "glance-api.conf").write_text(glance.ini(config))
        glance.create_database(self.home / "bin", directory, database)

    def _config(self, database: str) -> Config:
        return {
            "DEFAULT": {"use_stderr": "true"},
            "database": {"connection": database},
            "paste_deploy": {"flavor": "keystone"},
            **self._keystone.authtoken(),
        }

    def start(self) -> None:
        """Start Glance, or start it again."""
        self.stop()
        self._server = Server(
            "glance",
            [
                self.home / "bin" / "gunicorn",
                "--worker-class=gthread",
                "--threads=4",
                f"--bind={self.url.removeprefix('http://')}",
                "--timeout=600",
                "glance.wsgi.api:application",
            ],
            log=self.etc.parent / "glance.log",
            env={"OS_GLANCE_CONFIG_DIR": str(self.etc)},
            cwd=self.etc,
        )
        self._server.wait_for_url(self.url, _PATIENCE)
        self.starts += 1

    def stop(self) -> None:
        if self._server:
            self._server.stop()

    def packages(self) -> set[str]:
        """Return what is installed in Glance's environment, with versions."""
        python = self.home / "bin" / "python"
        frozen = run([python, "-m", "pip", "freeze", "--exclude", "s3gateway"])
        return set(frozen.stdout.splitlines())

    @property
    def log(self) -> str:
        assert self._server
        return self._server.log.read_text(errors="replace")

    def api(self) -> Api:
        return Api(self.url, self._keystone.token(self._user))

    def types(self, *typed: str) -> str:
        """Run commands of the README in one shell, and return what they print."""
        wanted = shlex.quote(str(self._wanted))
        settings = {
            "GLANCE=": f"GLANCE={shlex.quote(str(self.home))}",
            "PASTE=": f"PASTE={shlex.quote(str(self.paste))}",
            "restart() {": (
                f"restart() {{ touch {wanted}; "
                f"while [ -e {wanted} ]; do sleep 0.1; done; }}"
            ),
        }
        lines = SETTINGS.splitlines()
        assert len(lines) == len(settings)
        for line, start in zip(lines, settings, strict=True):
            assert line.startswith(start)
        script = "\n".join((*settings.values(), *typed))
        output = self.etc.parent / "typed.log"
        with output.open("wb") as file:
            shell = subprocess.Popen(
                ["sh", "-euc", script],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.clone,
                env=self._environment(),
            )
            try:
                self._restart_when_wanted(shell)
            finally:
                shell.kill()
                shell.wait()
        text = output.read_text()
        assert shell.returncode == 0, f"{script}\n{text}"
        return text

    def _restart_when_wanted(self, shell: subprocess.Popen[bytes]) -> None:
        while shell.poll() is None:
            if self._wanted.exists():
                self.start()
                self._wanted.unlink()
            time.sleep(0.05)

    def _environment(self) -> dict[str, str]:
        """Return an operator's: pip may fetch packages, the clients are a user's."""
        owner = {
            name: value
            for name, value in isolation.OWNER.items()
            if not name.startswith(("OS_", "AWS_"))
        }
        clients = environments.bin_dir("clients")
        return {
            **owner,
            **self._keystone.environment(self._user),
            "OS_IMAGE_ENDPOINT_OVERRIDE": self.url,
            "OS_GLANCE_CONFIG_DIR": str(self.etc),
            "PATH": f"{clients}:{owner['PATH']}",
            "TMPDIR": str(self.etc.parent),
        }


def _stores(s3: S3Server) -> Config:
    return {
        "DEFAULT": {"enabled_backends": "fast:s3"},
        "glance_store": {"default_backend": "fast"},
        "fast": glance.s3_store(s3, BUCKET),
    }


@pytest.fixture(scope="module")
def one_host(
    workspace: pathlib.Path, s3: S3Server, database: MariaDB, keystone: Keystone
) -> Iterator[Host]:
    if hostile.NOWHERE in isolation.OWNER.values():
        pytest.skip("the proxy leads nowhere, and pip needs packages")
    user = keystone.newcomer("reader-of-the-readme")
    s3.client().create_bucket(Bucket=BUCKET)
    directory = workspace / "readme"
    directory.mkdir()
    found = Host(directory, s3, database.create("readme"), keystone, user)
    found.start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def host(one_host: Host) -> Iterator[Host]:
    """A host without the gateway."""
    yield one_host
    if (one_host.home / "bin" / "s3gateway-manage").exists():
        one_host.types(OUT)


def keys(s3: S3Server) -> list[str]:
    listed = s3.client().list_objects_v2(Bucket=BUCKET)
    return [found["Key"] for found in listed.get("Contents", [])]


def test_in_twice_and_out_twice(host: Host, s3: S3Server) -> None:
    before = host.api()
    stock = before.create(name="before")
    assert before.upload(stock, b"stock's").status == 204
    assert keys(s3) == [stock]
    packages = host.packages()

    typed = host.types(*IN)
    assert "the gateway took the data and handed it out" in typed
    assert "9 steps, 0 errors" in typed
    assert packages <= host.packages()
    changed = host.paste.read_text()
    assert glance.parsed(changed) == glance.parsed(glance.with_filter(host.stock))
    for line in LOG.splitlines():
        start = line.partition(" bytes")[0].replace("<store>", "fast")
        assert re.search(start.replace("<id>", "[0-9a-f-]{36}"), host.log), line
    assert keys(s3) == [stock]  # neither proof has left anything
    ours = host.api()
    image = ours.create(name="ours")
    assert ours.upload(image, b"the gateway's").status == 204
    assert ours.download(stock, Range="bytes=0-4").body == b"stock"
    [key] = [key for key in keys(s3) if key != stock]
    assert re.fullmatch(GATEWAYS, key)

    starts = host.starts
    host.types(*IN)
    assert host.paste.read_text() == changed
    assert host.starts == starts + 1

    host.types(OUT)
    assert host.paste.read_text() == host.stock
    host.types(OUT)
    assert host.paste.read_text() == host.stock
    assert not (host.home / "bin" / "s3gateway-manage").exists()
    after = host.api()
    assert after.download(image).body == b"the gateway's"
    assert after.download(stock, Range="bytes=0-4").status == 400
    assert [after.delete(each).status for each in (image, stock)] == [204, 204]
    assert keys(s3) == []


@pytest.mark.full
def test_each_step_is_undone_by_what_stands_beside_it(host: Host) -> None:
    host.types(INSTALL, UNINSTALL)
    assert not (host.home / "bin" / "s3gateway-manage").exists()
    assert "will" not in host.types(UNINSTALL)  # nothing is left to remove
    host.types(CHANGE, UNCHANGE, UNCHANGE)
    assert host.paste.read_text() == host.stock
    assert OUT.startswith(UNCHANGE)


@pytest.mark.full
def test_the_self_test_fails_where_the_gateway_is_not(host: Host) -> None:
    """As when another Glance answers, or this one was not restarted."""
    with pytest.raises(AssertionError, match=r"gateway +error"):
        host.types(INSTALL, SELFTEST)


@pytest.mark.full
def test_nothing_is_restarted_if_the_check_finds_an_error(host: Host) -> None:
    """As when the paste file was not changed."""
    starts = host.starts
    with pytest.raises(AssertionError, match="is not in pipeline keystone"):
        host.types(INSTALL, CHECK)
    assert host.starts == starts
