# SPDX-License-Identifier: Apache-2.0
"""An image that Glance imports into while it is to be copied."""

from __future__ import annotations

import hashlib
import pathlib
from types import SimpleNamespace
from typing import Any

import pytest

from s3gateway.config.stores import MIB
from s3gateway.glance.api import Image
from s3gateway.glance.api import image_from
from s3gateway.glance.releases import Traits
from s3gateway.manage.copier import Copier
from s3gateway.manage.copier import Unfit
from s3gateway.manage.copier import check
from tests.support import configuration
from tests.support.s3.memory import MemoryStore
from tests.support.s3.memory import store_settings

DATA = b"an image"
ID = "6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11"
KEY = f"{ID}.{'0' * 16}"
HERE = {
    "url": f"s3://s3.example:9000/fast/{KEY}",
    "metadata": {"store": "fast"},
}
THERE = {
    "url": f"s3://s3.example:9000/cheap/{KEY}",
    "metadata": {"store": "cheap"},
}
PENDING = {"url": f"pending://parallel-import/{ID}/cheap", "metadata": {}}
LOCK = {"os_glance_import_task": "a-task"}


def image(*more: dict[str, Any], **properties: str) -> Image:
    return image_from(
        {
            "id": ID,
            "status": "active",
            "size": len(DATA),
            "checksum": hashlib.md5(DATA, usedforsecurity=False).hexdigest(),
            "locations": [HERE, *more],
            **properties,
        }
    )


class Glance:
    """A Glance that begins an import at some time.

    :ivar asked: what it was asked for, beside the image
    :param quiet: how often it shows the image before that
    """

    traits = Traits()

    def __init__(self, *shown: dict[str, Any], quiet: int) -> None:
        self.asked: list[str] = []
        self.glance = self
        self._shown = shown
        self._quiet = quiet

    def show(self, image_id: str) -> Image:
        self._quiet -= 1
        return image(*self._shown) if self._quiet >= 0 else image(*self._shown, **LOCK)

    find = show

    def environ(self) -> dict[str, Any]:
        return {}

    def ask(self, method: str, path: str) -> None:
        self.asked.append(f"{method} {path}")

    def patch(self, environ: Any, image_id: str, changes: Any) -> None:
        self.asked.append("PATCH")


def copier(glance: Glance, directory: pathlib.Path) -> tuple[Copier, MemoryStore]:
    file = directory / "glance-api.conf"
    file.touch()
    stores = {name: MemoryStore(store_settings(name)) for name in ("fast", "cheap")}
    stores["fast"].objects_by_key[KEY] = DATA
    context: Any = SimpleNamespace(
        glance=glance,
        stores=stores,
        settings=configuration.read(file),
    )
    made = Copier(context, "cheap")
    # Copies inside S3 have their own tests.
    made._near = lambda image: None  # type: ignore[method-assign]
    return made, stores["cheap"]


def test_an_import_is_seen_by_its_lock_or_its_rows() -> None:
    check(image())
    for imported in (image(PENDING), image(**LOCK)):
        with pytest.raises(Unfit, match="Glance imports into it"):
            check(imported)


@pytest.mark.parametrize("quiet", [0, 1, 2])
def test_no_location_is_written_during_an_import(
    quiet: int, tmp_path: pathlib.Path
) -> None:
    glance = Glance(quiet=quiet)
    copying, store = copier(glance, tmp_path)
    with pytest.raises(Unfit):
        copying.copy(ID, lambda count: None)
    assert glance.asked == []
    assert store.objects_by_key == {}


def test_no_location_is_deleted_during_an_import(tmp_path: pathlib.Path) -> None:
    glance = Glance(THERE, quiet=0)
    copying, _ = copier(glance, tmp_path)
    with pytest.raises(Unfit):
        copying.leave(ID, "fast")
    assert glance.asked == []


def test_a_claim_is_kept_however_slowly_a_copy_moves(tmp_path: pathlib.Path) -> None:
    """Each step may have to wait for --bandwidth."""
    events: list[str] = []
    copying, _ = copier(Glance(quiet=0), tmp_path)
    claim: Any = SimpleNamespace(keep=lambda: events.append("keep"))
    count = copying._alive(claim, lambda more: events.append(f"{more / MIB:.0f}"))
    count(20 * MIB)
    assert events == ["keep", "8", "keep", "8", "keep", "4"]
