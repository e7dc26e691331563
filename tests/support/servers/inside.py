# SPDX-License-Identifier: Apache-2.0
"""Glance's own upload code in memory, as ``s3gateway.glance.inside`` calls it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from s3gateway.errors import GatewayError
from s3gateway.glance.api import Image
from s3gateway.glance.api import image_from
from s3gateway.glance.controllers import Add
from s3gateway.glance.controllers import Added
from s3gateway.glance.controllers import Data
from s3gateway.glance.marks import MARK
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import Environ
from tests.support.servers.image_api import ImageApi

Hook = Callable[[str], None]


class InsideMemory:
    """Takes uploads to the images of an image API in memory.

    :ivar before: called with what is about to be done; what it raises is raised there
    :ivar after: the same, when it is done
    """

    def __init__(self, api: ImageApi) -> None:
        self.before: Hook = lambda step: None
        self.after: Hook = lambda step: None
        self._api = api

    def knows(self, environ: Environ) -> bool:
        return True

    def image(self, environ: Environ, image_id: str) -> Image | None:
        self.before("look")
        if image_id not in self._api.images:
            return None
        shown = {**self._api.images[image_id], "locations": self._api.rows[image_id]}
        shown.setdefault("updated_at", "2026-01-01T00:00:00Z")
        shown.setdefault(MARK, "")
        return image_from(shown)

    def upload(self, environ: Environ, image: Image, data: Data, add: Add) -> Answer:
        row = self._api.images.get(image.id)
        if row is None or row["status"] != "queued":
            return Answer("409 Conflict", [], [])
        mark = ""
        try:
            self._step("saving", lambda: row.update(status="saving"))
            mark = row[MARK] = f"{secrets.token_hex(8)} {time.time():.0f}"
            added = add(_Checked(data), "sha512", None)
            if added is not None:
                if image.id not in self._api.images:
                    return Answer("410 Gone", [], [])
                self._step("active", lambda: self._finish(image.id, added))
        except GatewayError:
            self._back(image, mark)
            raise
        except Exception:  # noqa: BLE001  as Glance
            self._back(image, mark)
            return Answer("500 Internal Server Error", [], [])
        except BaseException:
            self._back(image, mark)
            raise
        return Answer("204 No Content", [], [])

    def restore(self, image: Image) -> bool:
        return self._back(image, str(image.properties[MARK]))

    def _back(self, image: Image, mark: str) -> bool:
        row = self._api.images.get(image.id, {})
        if row.get("status") != "saving" or row.get(MARK, "") != mark:
            return False
        row.pop(MARK, None)
        row["status"] = "queued"
        return True

    def _step(self, name: str, work: Callable[[], Any]) -> None:
        self.before(name)
        work()
        self.after(name)

    def _finish(self, image_id: str, added: Added) -> None:
        location = {"url": added.url, "metadata": added.metadata}
        self._api.rows[image_id].append(location)
        self._api.images[image_id].pop(MARK)
        self._api.images[image_id].update(
            status="active", size=added.size, checksum=added.checksum
        )


class _Checked:
    """What Glance wraps around the data: it looks at what passes."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self.seen = 0

    def read(self, size: int, /) -> bytes:
        found = self._data.read(size)
        self.seen += len(found)
        return found
