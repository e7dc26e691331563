# SPDX-License-Identifier: Apache-2.0
"""A real Keystone from PyPI under uWSGI: two projects, their users, an admin.

The catalog's image endpoint is wherever the test says, most often a gateway.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import pathlib
import secrets
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import requests

from tests.support.servers.glance import Config
from tests.support.servers.glance import ini
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

PASSWORD = "keystone/password=0123456789"
REGION = "RegionOne"

_LIFE = 3600  # of a token, in seconds
_MODULE = "keystone.wsgi.api:application"


@dataclasses.dataclass(frozen=True)
class User:
    """A user and the project it works in."""

    name: str
    project: str


ADMIN = User("admin", "admin")
ALICE = User("alice", "acme")
BOB = User("bob", "globex")
GLANCE = User("glance", "service")

_ROLES = {
    ALICE: ["member"],
    BOB: ["member"],
    GLANCE: ["service", "admin"],
}


@dataclasses.dataclass(frozen=True)
class Keystone:
    """A running Keystone."""

    url: str
    directory: pathlib.Path
    bin_dir: pathlib.Path

    def token(self, user: User) -> str:
        """Return a token."""
        return self._login(user).headers["X-Subject-Token"]

    def lifetime(self, token: str) -> float:
        """Return for how many more seconds a token lives."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        url = f"{self.url}/v3/auth/tokens"
        answer = requests.get(url, headers=headers, timeout=60)
        answer.raise_for_status()
        end = datetime.datetime.fromisoformat(answer.json()["token"]["expires_at"])
        return (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds()

    def context(self, user: User) -> dict[str, Any]:
        """Return what a service knows of a request of a user's."""
        answer = self._login(user)
        shown = answer.json()["token"]
        return {
            "token": answer.headers["X-Subject-Token"],
            "user": shown["user"]["id"],
            "project": shown["project"]["id"],
            "catalog": [_as_v2(service) for service in shown["catalog"]],
        }

    def _login(self, user: User) -> requests.Response:
        url = f"{self.url}/v3/auth/tokens"
        answer = requests.post(url, json=_login(user), timeout=60)
        answer.raise_for_status()
        return answer

    def environment(self, user: User) -> dict[str, str]:
        """Return the credentials for the environment of a client."""
        return {
            "OS_AUTH_URL": f"{self.url}/v3",
            "OS_USERNAME": user.name,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": user.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": REGION,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_IMAGE_API_VERSION": "2",
        }

    def section(self, user: User = GLANCE) -> dict[str, str]:
        """Return the options by which a service authenticates itself."""
        return {
            "auth_url": self.url,
            "auth_type": "password",
            "username": user.name,
            "password": PASSWORD,
            "project_name": user.project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }

    def authtoken(self, **options: str) -> Config:
        """Return the section of ``authtoken``, for Glance and the gateway."""
        options = {
            "www_authenticate_uri": self.url,
            "service_token_roles": "service",
            "service_token_roles_required": "true",
            "token_cache_time": "-1",
            **options,
        }
        return {"keystone_authtoken": {**self.section(), **options}}

    def endpoint(self, url: str, kind: str = "image") -> None:
        """Make a URL the endpoint of a type of service in the catalog."""
        api = self.admin()
        for endpoint in self.endpoints(kind):
            api.send("PATCH", f"endpoints/{endpoint['id']}", {"endpoint": {"url": url}})

    def endpoints(self, kind: str = "image") -> list[dict[str, Any]]:
        """Return the endpoints of a type of service in the catalog."""
        api = self.admin()
        [service] = api.get(f"services?type={kind}")["services"]
        found: list[dict[str, Any]] = api.get(f"endpoints?service_id={service['id']}")[
            "endpoints"
        ]
        return found

    def newcomer(self, name: str) -> User:
        """Make a user and a project that nobody else uses."""
        user = User(name, name)
        _enter(self.admin(), user, ["member"])
        return user

    def add_service(self, user: User, kind: str, url: str) -> None:
        """Make a URL the endpoint of a service, which is made with its user if needed.

        :param kind: the type of the service
        """
        api = self.admin()
        if api.get(f"services?type={kind}")["services"]:
            self.endpoint(url, kind)
        else:
            _enter(api, user, ["service", "admin"])
            _offer(api, user.name, kind, url)

    def admin(self) -> Admin:
        """Return Keystone's API as the admin sees it."""
        return Admin(self.url, self.token(ADMIN))


class Admin:
    """Keystone's own API."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/v3"
        self._headers = {"X-Auth-Token": token}

    def get(self, path: str) -> Any:
        """Return a document."""
        return self.send("GET", path)

    def send(self, method: str, path: str, document: Any = None) -> Any:
        """Send a document and return the one that is answered, if any."""
        answer = requests.request(
            method,
            f"{self._url}/{path}",
            json=document,
            headers=self._headers,
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def create(self, kind: str, **fields: Any) -> str:
        """Create something and return its id."""
        made = self.send("POST", f"{kind}s", {kind: fields})
        return str(made[kind]["id"])


@contextlib.contextmanager
def serving(
    bin_dir: pathlib.Path, directory: pathlib.Path, database: str, *, image_url: str
) -> Iterator[Keystone]:
    """Run a Keystone with an empty database and fill it.

    :param image_url: the image endpoint of the catalog
    """
    directory.mkdir(parents=True)
    port = free_port()
    config = ini(_config(directory, database))
    (directory / "keystone.conf").write_text(config)
    _prepare(bin_dir, directory, f"http://127.0.0.1:{port}")
    with _running(bin_dir, directory, port) as keystone:
        _fill(keystone, image_url)
        yield keystone


@contextlib.contextmanager
def hasty(keystone: Keystone, seconds: int) -> Iterator[Keystone]:
    """Run the same Keystone once more: its tokens are the same, but live shortly."""
    directory = keystone.directory / f"hasty-{seconds}"
    directory.mkdir()
    config = (keystone.directory / "keystone.conf").read_text()
    config = config.replace(f"expiration = {_LIFE}", f"expiration = {seconds}")
    (directory / "keystone.conf").write_text(config)
    with _running(keystone.bin_dir, directory, free_port()) as found:
        yield found


@contextlib.contextmanager
def _running(
    bin_dir: pathlib.Path, directory: pathlib.Path, port: int
) -> Iterator[Keystone]:
    with Server(
        "keystone",
        [
            bin_dir / "uwsgi",
            f"--http-socket=127.0.0.1:{port}",
            "--master",
            "--die-on-term",
            "--lazy-apps",
            "--enable-threads",
            "--threads=4",
            "--buffer-size=65535",
            "--need-app",
            "--add-header=Connection: close",
            f"--module={_MODULE}",
        ],
        log=directory / "keystone.log",
        env={"OS_KEYSTONE_CONFIG_DIR": str(directory)},
        cwd=directory,
    ) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/v3")
        yield Keystone(f"http://127.0.0.1:{port}", directory, bin_dir)


def _config(directory: pathlib.Path, database: str) -> Config:
    # What has a default in /etc/keystone is not there on most machines.
    return {
        "DEFAULT": {"use_stderr": "true"},
        "identity": {"password_hash_rounds": "4"},
        "database": {"connection": database},
        "token": {"provider": "fernet", "expiration": str(_LIFE)},
        "fernet_tokens": {"key_repository": str(directory / "keys")},
        "fernet_receipts": {"key_repository": str(directory / "keys")},
        "credential": {"key_repository": str(directory / "keys")},
    }


def _prepare(bin_dir: pathlib.Path, directory: pathlib.Path, url: str) -> None:
    manage: list[str | pathlib.Path] = [
        bin_dir / "keystone-manage",
        f"--config-file={directory / 'keystone.conf'}",
    ]
    keys = directory / "keys"
    keys.mkdir(mode=0o700)
    for name in ("0", "1"):  # the next one and the current one
        (keys / name).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
    run([*manage, "db_sync"])
    run([
        *manage,
        "bootstrap",
        f"--bootstrap-password={PASSWORD}",
        f"--bootstrap-public-url={url}",
        f"--bootstrap-internal-url={url}",
        f"--bootstrap-region-id={REGION}",
    ])  # fmt: skip


def _fill(keystone: Keystone, image_url: str) -> None:
    api = keystone.admin()
    for user, names in _ROLES.items():
        _enter(api, user, names)
    _offer(api, "glance", "image", image_url)


def _offer(api: Admin, name: str, kind: str, url: str) -> None:
    """Enter a service into the catalog."""
    service = api.create("service", name=name, type=kind)
    for interface in ("public", "internal"):
        api.create(
            "endpoint",
            service_id=service,
            interface=interface,
            url=url,
            region_id=REGION,
        )


def _enter(api: Admin, user: User, names: Sequence[str]) -> None:
    """Create a user and, if there is none yet, its project, with roles in it."""
    roles = {role["name"]: role["id"] for role in api.get("roles")["roles"]}
    found = api.get(f"projects?name={user.project}")["projects"]
    project = (
        found[0]["id"]
        if found
        else api.create("project", name=user.project, domain_id="default")
    )
    made = api.create("user", name=user.name, password=PASSWORD, domain_id="default")
    for name in names:
        if name not in roles:
            roles[name] = api.create("role", name=name)
        api.send("PUT", f"projects/{project}/users/{made}/roles/{roles[name]}")


def _login(user: User) -> dict[str, Any]:
    domain = {"id": "default"}
    password = {"name": user.name, "domain": domain, "password": PASSWORD}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": password}},
            "scope": {"project": {"name": user.project, "domain": domain}},
        }
    }


def _as_v2(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service of the catalog as auth_token hands it to services."""
    endpoint = {"region": REGION}
    for each in service["endpoints"]:
        endpoint[f"{each['interface']}URL"] = each["url"]
    names = {"type": service["type"], "name": service["name"]}
    return {**names, "endpoints": [endpoint]}
