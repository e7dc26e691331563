# SPDX-License-Identifier: Apache-2.0
"""An image service, its store in memory, and a command that is run on it as a user."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import ClassVar

import pytest

from s3gateway.manage import commands
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output
from tests.support import schema
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings
from tests.support.servers import web
from tests.support.servers.image_service import TOKEN
from tests.support.servers.image_service import ImageService
from tests.unit.manage.bench import CONFIG


class Cloud:
    """An image service and its store.

    :cvar command: its name, and what runs it
    """

    command: ClassVar[tuple[str, Callable[[Context], bool]]]

    def __init__(self, directory: pathlib.Path) -> None:
        self.store = MemoryStore(store_settings(bucket="images-of-glance"))
        self.service = ImageService(self.store)
        self._config = directory / "glance-api.conf"
        self.configure("")

    def configure(self, more: str) -> None:
        """Add lines to the configuration."""
        self._config.write_text(CONFIG + more)

    def run(self, *words: str) -> tuple[bool, dict[str, Any]]:
        """Run the command; return whether all is well, and the document."""
        name, run = self.command
        conf = commands.parse([f"--config-file={self._config}", name, *words])
        context = Context(conf, Output("json"))
        context.output.command = name
        vars(context).update(stores={"fast": self.store})
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            well = run(context)
            context.output.finish()
        return well, schema.valid(json.loads(printed.getvalue()))

    @contextlib.contextmanager
    def serving(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Serve to a user of the environment; nothing is left, whatever happens."""
        with web.serving(self.service.handler) as url:
            monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
            monkeypatch.setenv("OS_ENDPOINT", f"{url}/v2/")
            monkeypatch.setenv("OS_TOKEN", TOKEN)
            yield
        assert self.service.images == {}
        assert self.store.objects_by_key == {}
