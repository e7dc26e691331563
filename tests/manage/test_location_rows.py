# SPDX-License-Identifier: Apache-2.0
"""Rows of locations in the databases that Glance may have, made by its own models."""

from __future__ import annotations

import json
import pathlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.servers import environments
from tests.support.servers import postgresql
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import run

PROGRAM = environments.ROOT / "tests" / "manage" / "rows_program.py"
KEY = "0123456789abcdef" * 2
OLD, NEW = "s3://KEY:old-secret@s3.example/fast", "s3://KEY:new-secret@face/fast"
KEYS = ["plain", "no-metadata", "null", "list", "no-json", "long" * 5000]
KEYS += ["per%2Fcent%", "of-a-deleted-image", "that-is-scrubbed"]
OTHERS = ["file:///images/one", ""]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.full),
        pytest.param("postgresql", marks=pytest.mark.full),
    ]
)
def place(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> Iterator[tuple[int, str]]:
    """A release of Glance and the URL of an empty database.

    Glance's models differ little; the driver of PostgreSQL is with the newest.
    """
    if request.param == "sqlite":
        yield 30, f"sqlite:///{tmp_path}/glance.db"
    elif request.param == "mariadb":
        server: MariaDB = request.getfixturevalue("database")
        yield 30, server.create(f"rows{secrets.token_hex(4)}")
    else:
        if reason := postgresql.missing():
            pytest.skip(f"PostgreSQL was not run: {reason}")
        with postgresql.serving() as running:
            yield 33, running.create("rows")


def found(place: tuple[int, str], key: str) -> Any:
    release, url = place
    python = environments.bin_dir(f"glance-{release}") / "python"
    line: list[str | pathlib.Path] = [python, PROGRAM, url, key]
    done = run(line, env={"PYTHONPATH": str(environments.ROOT)})
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("key", ["", pytest.param(KEY, marks=pytest.mark.full)])
def test_rows(place: tuple[int, str], key: str) -> None:
    told = found(place, key)
    assert [row[0] for row in told["read"]] == [f"{OLD}/{k}" for k in KEYS] + OTHERS
    assert [row[1] for row in told["read"]] == [{"store": "fast"}, *[{}] * 10]
    needed = {row[0].rpartition("/")[2]: row[2] for row in told["read"]}
    assert [name for name, it_is in needed.items() if not it_is] == [
        "of-a-deleted-image"
    ]
    assert told["written"] == [True] * len(KEYS)
    assert told["again"] == [False] * len(KEYS)
    assert told["now"] == [f"{NEW}/{k}" for k in KEYS] + OTHERS
    assert len(told["plain"]) == (1 if key else len(KEYS) + 1)
    assert told["times"] == ["2024-01-01"]
    assert told["importing"]
