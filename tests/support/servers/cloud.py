# SPDX-License-Identifier: Apache-2.0
"""One release of Glance in several shapes over one database and one S3."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import pathlib
from typing import Any
from typing import TypeVar

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from tests.support.clients.api import Api
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import glance
from tests.support.servers import standalone
from tests.support.servers.glance import Config
from tests.support.servers.glance import Glance
from tests.support.servers.glance import GlanceSpec
from tests.support.servers.glance import merged
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.standalone import Gateway
from tests.support.servers.standalone import GatewaySpec

T = TypeVar("T")

_SPECIAL = 10  # servers with a configuration of their own


class Cloud:
    """The Glances of one release; each is started when it is first asked for.

    All of them have the same database and the same stores, so what one writes
    the others see.

    :param release: ``33`` for the environment ``glance-33``
    :param name: of a cloud beside the one that most tests share
    """

    def __init__(
        self,
        release: int,
        directory: pathlib.Path,
        mariadb: MariaDB,
        s3: S3Server,
        stack: contextlib.ExitStack,
        name: str = "",
    ) -> None:
        self.release = release
        self.s3 = s3
        self.bin_dir = environments.bin_dir(f"glance-{release}")
        self._directory = directory
        self._stack = stack
        self._mariadb = mariadb
        self._schema = f"glance{release}{name}"
        self._database = mariadb.create(self._schema)
        self._prefix = f"g{release}{name}-"
        self._running: dict[str, Glance] = {}
        self._gateways: dict[str, Gateway] = {}
        self._special: dict[str, contextlib.ExitStack] = {}
        self._count = itertools.count(1)
        self._connection: Connection[Cursor] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        glance.create_database(self.bin_dir, directory, self._database)
        self.create_buckets()

    def create_buckets(self) -> None:
        """Create the buckets of the stores ``fast`` and ``cheap``."""
        for store in ("fast", "cheap"):
            self.s3.client().create_bucket(Bucket=self.bucket(store))

    def bucket(self, store: str) -> str:
        """Return the bucket of a store."""
        return self._prefix + store

    def stores(self) -> Config:
        """Return the configuration of the stores."""
        return glance.two_s3_stores_and_a_file_store(
            self.s3, self._directory, self._prefix
        )

    def glance(self, *, gateway: bool, **how: Any) -> Glance:
        """Return a running Glance; see ``GlanceSpec`` for how."""
        return self._glance(GlanceSpec(bin_dir=self.bin_dir, gateway=gateway, **how))

    def _glance(self, spec: GlanceSpec) -> Glance:
        name = repr(spec)
        if name not in self._running:
            directory = self._directory / f"api-{next(self._count)}"
            serving = glance.serving(spec, directory, self.stores(), self._database)
            special = bool(spec.config) and not spec.keystone
            self._running[name] = self._start(name, serving, special=special)
        return self._running[name]

    def _start(
        self, name: str, serving: contextlib.AbstractContextManager[T], *, special: bool
    ) -> T:
        life = self._stack.enter_context(contextlib.ExitStack())
        running = life.enter_context(serving)
        if special:
            self._special[name] = life
        return running

    def standalone(self, spec: GatewaySpec | None = None, **how: Any) -> Gateway:
        """Return a running stand-alone gateway in front of a stock Glance.

        :param how: of the Glance; see ``GlanceSpec``
        """
        glance = self.glance(gateway=False, **how)
        spec = spec or GatewaySpec()
        name = f"{spec} before {glance.url}"
        if name not in self._gateways:
            ours = {"glance_url": glance.url, "glance_release": str(self.release)}
            config = merged(self.stores(), {"s3gateway": ours})
            serving = standalone.serving(
                dataclasses.replace(
                    spec,
                    config=merged(config, glance.spec.config, spec.config),
                    policy=glance.spec.policy,
                ),
                self._directory / f"gateway-{next(self._count)}",
            )
            special = bool(glance.spec.config or spec.config) and not spec.keystone
            self._gateways[name] = self._start(name, serving, special=special)
        return self._gateways[name]

    def identified(self, keystone: Keystone, ours: Config, **glance: Any) -> Gateway:
        """Return a running stand-alone gateway that asks Keystone, as its Glance does.

        :param ours: options of the gateway alone
        :param glance: of the Glance; see ``GlanceSpec``
        """
        both = merged(keystone.authtoken(), glance.pop("config", {}))
        spec = GatewaySpec(keystone=True, config=ours)
        return self.standalone(spec, keystone=True, config=both, **glance)

    def ask_to_stop(self) -> None:
        """Let all servers begin to stop, so that nobody waits for one by one."""
        servers = [gateway.server for gateway in self._gateways.values()]
        servers += [glance.server for glance in self._running.values()]
        for server in servers:
            server.ask_to_stop()

    def stop_special_ones(self) -> None:
        """Stop the servers with a configuration of their own, if there are many.

        Each fills memory, and hardly any is asked for by a second module.  What is
        with Keystone stays: it is in a catalog.
        """
        if len(self._special) < _SPECIAL:
            return
        for name in self._special:
            running = self._gateways.get(name) or self._running[name]
            running.server.ask_to_stop()
        for name, life in self._special.items():
            self._gateways.pop(name, None)
            self._running.pop(name, None)
            life.close()
        self._special.clear()

    def api(self, token: str, *, gateway: bool, **how: Any) -> Api:
        """Return a client of a Glance."""
        return Api(self.glance(gateway=gateway, **how).url, token)

    def sql(self, statement: str) -> str:
        """Run SQL on Glance's database."""
        return self._mariadb.execute(f"USE {self._schema}; {statement}")

    def rows(self, statement: str, *values: Any) -> tuple[tuple[Any, ...], ...]:
        """Return what a query finds in Glance's database; cheap enough for a loop."""
        if self._connection is None:
            connection = self._mariadb.connect(self._schema)
            self._connection = self._stack.enter_context(connection)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return tuple(cursor.fetchall())

    def write(self, name: str, text: str) -> pathlib.Path:
        """Write a file and return where it is."""
        path = self._directory / name
        path.write_text(text)
        return path

    def hot_images(self) -> dict[str, str]:
        """Return options of a directory of hot images, which all gateways share."""
        return {"hot_images": "1GiB", "hot_images_dir": str(self._directory / "hot")}

    def objects(self, store: str) -> dict[str, int]:
        """Return the objects in a store's bucket and their sizes in bytes."""
        pages = self.s3.client().get_paginator("list_objects_v2")
        return {
            found["Key"]: found["Size"]
            for page in pages.paginate(Bucket=self.bucket(store))
            for found in page.get("Contents", [])
        }

    def uploads(self, store: str) -> list[str]:
        """Return the keys of the open multipart uploads in a store's bucket."""
        answer = self.s3.client().list_multipart_uploads(Bucket=self.bucket(store))
        return [upload["Key"] for upload in answer.get("Uploads", [])]

    def kept(self, image_id: str = "") -> list[str]:
        """Return the keys of all objects and open uploads, or of those of an image."""
        return [
            key
            for store in ("fast", "cheap")
            for key in (*self.objects(store), *self.uploads(store))
            if image_id in key
        ]
