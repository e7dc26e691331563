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
from tests.support.servers.glance import ini
from tests.support.servers.glance import merged
from tests.support.servers.identity import token
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port

GUNICORN = ROOT / "etc" / "gunicorn" / "s3gateway.py"
PASTE = ROOT / "etc" / "paste" / "s3gateway-paste.ini"

_STAND_IN = "paste.filter_factory = tests.support.servers.identity:filter_factory"

#: The gateway's own user, as the stand-in for auth_token knows it.
SERVICE_USER = {
    "auth_type": "admin_token",
    "endpoint": "http://127.0.0.1:9",
    "token": token("gateway", "service", "service", "admin", "member", "reader"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatewaySpec:
    """What kind of gateway.

    :ivar keystone: whether ``authtoken`` is the real one, not a stand-in
    :ivar prefix: the path under which it answers
    :ivar service_user: whether the stand-in's service user is configured
    :ivar arguments: gunicorn's, beside the shipped file's
    :ivar config: options by section
    :ivar policy: the content of the policy file
    :ivar env: further variables of its environment
    """

    keystone: bool = False
    prefix: str = ""
    service_user: bool = True
    arguments: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    policy: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


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
    (directory / "paste.ini").write_text(_paste(spec))
    with Server(
        "s3gateway-api",
        [
            environments.bin_dir("gateway") / "s3gateway-api",
            f"--config-file={directory / 's3gateway.conf'}",
            f"--config={GUNICORN}",  # or it were the one in /etc, if there is one
            f"--bind=127.0.0.1:{port}",
            "--workers=1",
            *spec.arguments,
        ],
        log=directory / "gateway.log",
        env={"PYTHONPATH": str(ROOT), **spec.env},
        cwd=directory,
    ) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/healthcheck")
        url = f"http://127.0.0.1:{port}{spec.prefix}"
        yield Gateway(url=url, server=server, directory=directory)


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
    return merged(base, spec.config)


def _paste(spec: GatewaySpec) -> str:
    text = PASTE.read_text()
    if not spec.keystone:
        factory = r"(?<=\[filter:authtoken\]\n)paste.filter_factory = .*"
        text = re.sub(factory, _STAND_IN, text)
    if spec.prefix:
        text = text.replace("\n/ = api", f"\n{spec.prefix} = api")
    return text
