# SPDX-License-Identifier: Apache-2.0
"""The running image API over HTTP, as a user of the cloud asks it with a token.

Who that is comes from where OpenStack's clients look: a cloud of ``clouds.yaml``, the
variables ``OS_*``, or else a section of the configuration.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from oslo_config import cfg

from s3gateway.config import options
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.errors import UsageError
from s3gateway.manage.check import member

#: Sections that may name a user.
_GROUPS = (member.GROUP, options.SERVICE_USER)
#: For connecting, and for each silence within an answer, in seconds.
_TIMEOUT = (10.0, 300.0)
_STEP = 256 * 1024
_NOTHING: Mapping[str, str] = {}

#: Headers of a request's body.
JSON = {"Content-Type": "application/json"}
OCTETS = {"Content-Type": "application/octet-stream"}

#: What a request may raise if there is no whole answer to it.
NO_ANSWER = (exceptions.ClientException, OSError)


@dataclasses.dataclass(frozen=True)
class Said:
    """An answer, read to its end; ``headers`` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True)
class Incoming:
    """An answer that is being read."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class UserApi:
    """The image API of a cloud, asked by one of its users.

    :ivar url: without a version and a trailing slash
    :ivar who: where the user's credentials are from, in a few words
    :ivar roles: the user's, empty if the token does not say
    """

    def __init__(self, session: Session, url: str, who: str) -> None:
        self.url = url.rstrip("/").removesuffix("/v2")
        self.who = who
        self.roles = _roles(session)
        self._session = session

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Said:
        """Send a request; return its answer, which is to be short.

        :param body: with a length of its own
        """
        answer = self._send(method, path, data=body, headers=headers)
        return Said(answer.status_code, answer.headers, answer.content)

    @contextlib.contextmanager
    def download(
        self, path: str, headers: Mapping[str, str] = _NOTHING
    ) -> Iterator[Incoming]:
        """Send a GET whose answer may be long."""
        answer = self._send("GET", path, headers=headers, stream=True)
        with contextlib.closing(answer):
            chunks = answer.iter_content(_STEP)
            yield Incoming(answer.status_code, answer.headers, chunks)

    def _send(self, method: str, path: str, **how: Any) -> Any:
        # A body is gone once it was sent: nothing is sent a second time by itself.
        return self._session.request(
            self.url + path,
            method,
            raise_exc=False,
            redirect=False,
            allow_reauth=False,
            log=False,
            timeout=_TIMEOUT,
            **how,
        )


@dataclasses.dataclass(frozen=True)
class _User:
    """Credentials, and which of the catalog's endpoints is theirs to use."""

    who: str
    session: Session
    interface: str = "public"
    region: str | None = None
    endpoint: str | None = None

    def image_endpoint(self) -> str:
        adapter = Adapter(
            self.session,
            service_type="image",
            interface=self.interface,
            region_name=self.region,
        )
        return str(self.endpoint or adapter.get_endpoint() or "")


def new_image(image_id: str, name: str) -> bytes:
    """Return the body of a POST that creates a private image for raw data."""
    fields = {
        "id": image_id,
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "private",
    }
    return json.dumps(fields).encode()


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that say which user and which API."""
    parser.add_argument(
        "--os-cloud", metavar="NAME", default="", help="a cloud of clouds.yaml"
    )
    parser.add_argument(
        "--url", default="", help="of the image API, if not that of the catalog"
    )


def of_command(conf: cfg.ConfigOpts, words: argparse.Namespace) -> UserApi:
    """Return the API as the user of a command line.

    :raises UsageError: if there are no credentials
    :raises GlanceError: if there is no token or no address
    """
    api = connect(conf, _GROUPS, cloud=words.os_cloud, url=words.url)
    if api is None:
        raise UsageError(
            "give --os-cloud: there are no credentials in OS_*, [check_user] or "
            "[service_user]"
        )
    return api


def connect(
    conf: cfg.ConfigOpts, groups: Sequence[str], *, cloud: str = "", url: str = ""
) -> UserApi | None:
    """Return the API of the cloud, as the first user that is found.

    :param groups: sections of the configuration that may name a user
    :param cloud: of ``clouds.yaml``
    :param url: of the API; that of the catalog if empty
    :return: ``None`` if there are no credentials anywhere
    :raises ConfigError: if the credentials cannot be used
    :raises UsageError: if there is no such cloud
    :raises GlanceError: if Keystone does not take them, or has no such endpoint
    """
    try:
        user = _user(conf, groups, cloud or os.environ.get("OS_CLOUD", ""))
    except exceptions.ClientException as error:
        raise ConfigError("environment", "OS_*", str(error)) from error
    if user is None:
        return None
    try:
        user.session.get_token()
        endpoint = url or user.image_endpoint()
        if endpoint:
            return UserApi(user.session, endpoint, user.who)
    except exceptions.ClientException as error:
        raise GlanceError(f"No token from {user.who}: {error}") from error
    raise GlanceError(f"The catalog shows {user.who} no image service: give --url.")


def _roles(session: Session) -> tuple[str, ...]:
    """Return the roles of a session's user; only Keystone's tokens have some."""
    access = getattr(session.auth, "get_access", None)
    return tuple(access(session).role_names) if access else ()


def _user(conf: cfg.ConfigOpts, groups: Sequence[str], cloud: str) -> _User | None:
    if cloud:
        return _of_clouds_yaml(cloud)
    if os.environ.get("OS_AUTH_TYPE") or os.environ.get("OS_AUTH_URL"):
        return _of_environment()
    found = (_of_section(conf, group) for group in groups)
    return next(filter(None, found), None)


def _of_clouds_yaml(cloud: str) -> _User:
    try:
        config = import_module("openstack.config")
        problems = import_module("openstack.exceptions")
    except ImportError as error:
        raise UsageError(
            "--os-cloud: it needs openstacksdk, which is not installed here; set the "
            "variables OS_* in place of it"
        ) from error
    try:
        found = config.OpenStackConfig().get_one(cloud=cloud)
        session = found.get_session()
    except problems.SDKException as error:
        raise UsageError(f"--os-cloud: {error}") from error
    return _User(
        f"cloud {cloud}",
        session,
        interface=found.get_interface("image") or "public",
        region=found.get_region_name("image"),
        endpoint=found.get_endpoint("image"),
    )


def _of_environment() -> _User:
    loader: Any = loading.get_plugin_loader(
        os.environ.get("OS_AUTH_TYPE") or "password"
    )
    auth = loader.load_from_options_getter(lambda option: option.argparse_default)
    return _User(
        "OS_*",
        Session(auth=auth, verify=os.environ.get("OS_CACERT") or True),
        interface=os.environ.get("OS_INTERFACE") or "public",
        region=os.environ.get("OS_REGION_NAME"),
        endpoint=os.environ.get("OS_IMAGE_ENDPOINT_OVERRIDE"),
    )


def _of_section(conf: cfg.ConfigOpts, group: str) -> _User | None:
    loading.register_auth_conf_options(conf, group)
    loading.register_session_conf_options(conf, group)
    try:
        auth = loading.load_auth_from_conf_options(conf, group)
        if auth is None:
            return None
        session = loading.load_session_from_conf_options(conf, group, auth=auth)
    except exceptions.ClientException as error:
        raise ConfigError(group, "auth_type", str(error)) from error
    return _User(f"[{group}]", session)
