# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway, served by its own command with the shipped files."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Iterator
from collections.abc import Mapping

from tests.support.servers import environments
from tests.support.servers.glance import ROOT
from tests.support.servers.glance import Config
from tests.support.servers.glance import ini
from tests.support.servers.glance import merged
from tests.support.servers.identity import token
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

GUNICORN = ROOT / "etc" / "gunicorn" / "s3gateway.py"
PASTE = ROOT / "etc" / "paste" / "s3gateway-paste.ini"
SEALED_PASTE = PASTE.with_name("s3gateway-sealed-paste.ini")

#: The key pair that opens the face of a sealed gateway here.
FACE_KEYS = ("FACEKEYOFTESTS", "a-secret/of+the=face-that-opens-it")

_STAND_IN = "paste.filter_factory = tests.support.servers.identity:filter_factory"

#: The gateway's own user, as the stand-in for auth_token knows it.
SERVICE_USER = {
    "auth_type": "admin_token",
    "endpoint": "http://127.0.0.1:9",
    "token": token("gateway", "service", "service", "admin", "member", "reader"),
}


def behind_face(url: str) -> Config:
    """Return what Glance's S3 stores have in place of the host and the keys of S3."""
    access_key, secret_key = FACE_KEYS
    opened = {
        "s3_store_host": url,
        "s3_store_access_key": access_key,
        "s3_store_secret_key": secret_key,
    }
    return {"fast": opened, "cheap": opened}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatewaySpec:
    """What kind of gateway.

    :ivar keystone: whether ``authtoken`` is the real one, not a stand-in
    :ivar prefix: the path under which it answers
    :ivar service_user: whether the stand-in's service user is configured
    :ivar face: the port of its face, 0 if it is not sealed
    :ivar tls: a file with the private key and the certificate of both ports
    :ivar most: requests to the image API at once, if it is sealed
    :ivar arguments: gunicorn's, beside the shipped file's
    :ivar config: options by section
    :ivar policy: the content of the policy file
    :ivar env: further variables of its environment
    """

    keystone: bool = False
    prefix: str = ""
    service_user: bool = True
    face: int = 0
    tls: str = ""
    most: int = 48
    arguments: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    policy: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def url(self, port: int) -> str:
        """Return the URL of a port; a certificate is for the host's name."""
        return f"https://localhost:{port}" if self.tls else f"http://127.0.0.1:{port}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gateway:
    """A running gateway."""

    url: str
    server: Server
    directory: pathlib.Path

    @property
    def log(self) -> str:
        return self.server.log.read_text(errors="replace")


@contextlib.contextmanager
def serving(
    spec: GatewaySpec, directory: pathlib.Path, port: int = 0
) -> Iterator[Gateway]:
    """Run a gateway.

    :param directory: for its configuration and logs
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    (directory / "s3gateway.conf").write_text(ini(_config(spec, directory)))
    (directory / "policy.yaml").write_text(spec.policy or "{}\n")
    (directory / "paste.ini").write_text(_paste(spec, port))
    binds = [f"--bind=127.0.0.1:{port}"]
    if spec.face:
        _write_face_keys(directory)
        binds.append(f"--bind=127.0.0.1:{spec.face}")
    with Server(
        "s3gateway-api",
        [
            environments.bin_dir("gateway") / "s3gateway-api",
            f"--config-file={directory / 's3gateway.conf'}",
            f"--config={GUNICORN}",  # or it were the one in /etc, if there is one
            *binds,
            "--workers=1",
            *([f"--certfile={spec.tls}", f"--keyfile={spec.tls}"] if spec.tls else []),
            *spec.arguments,
        ],
        log=directory / "gateway.log",
        env={"PYTHONPATH": str(ROOT), **spec.env},
        cwd=directory,
    ) as server:
        if spec.tls:
            server.wait_for_port(port)
        else:
            server.wait_for_url(f"{spec.url(port)}/healthcheck")
        url = f"{spec.url(port)}{spec.prefix}"
        yield Gateway(url=url, server=server, directory=directory)


def _write_face_keys(directory: pathlib.Path) -> None:
    keys = directory / "face-keys"
    keys.touch(0o600)
    keys.write_text(f"{' '.join(FACE_KEYS)} of the tests\n")


def _config(
    spec: GatewaySpec, directory: pathlib.Path
) -> Mapping[str, Mapping[str, str]]:
    base = {
        "DEFAULT": {"show_multiple_locations": "true"},
        "paste_deploy": {"config_file": str(directory / "paste.ini")},
        "oslo_policy": {"policy_file": str(directory / "policy.yaml")},
    }
    if spec.service_user and not spec.keystone:
        base["service_user"] = SERVICE_USER
    if spec.face:
        base["s3gateway"] = {
            "face_url": spec.url(spec.face),
            "face_keys": str(directory / "face-keys"),
        }
    return merged(base, spec.config)


def _paste(spec: GatewaySpec, port: int) -> str:
    text = PASTE.read_text()
    if spec.face:
        text = SEALED_PASTE.read_text()
        text = text.replace("\n9292 =", f"\n{port} =")
        text = text.replace("\n9293 =", f"\n{spec.face} =")
        text = text.replace("\nmost = 48", f"\nmost = {spec.most}")
    if not spec.keystone:
        factory = r"(?<=\[filter:authtoken\]\n)paste.filter_factory = .*"
        text = re.sub(factory, _STAND_IN, text)
    if spec.prefix:
        text = text.replace("\n/ = api", f"\n{spec.prefix} = api")
    return text
