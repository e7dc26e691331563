# SPDX-License-Identifier: Apache-2.0
"""The drawing of the rooms, and the map in words, are those of the code."""

from __future__ import annotations

import pathlib
import runpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
MAP = (ROOT / "docs" / "source" / "contributor.rst").read_text(encoding="utf-8")


def test_the_drawing_is_up_to_date() -> None:
    picture = ROOMS["PICTURE"].read_text(encoding="utf-8")
    assert picture == ROOMS["draw"](), "run: python docs/rooms.py"


def test_every_room_is_on_the_map() -> None:
    rooms = [room for row in ROOMS["layers"]() for room in row if room != "wsgi_app"]
    assert [room for room in rooms if f"``{room}" not in MAP] == []


def test_every_folder_of_tests_is_on_the_map() -> None:
    folders = [path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")]
    assert [name for name in folders if f"``tests/{name}``" not in MAP] == []
