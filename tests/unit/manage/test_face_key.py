# SPDX-License-Identifier: Apache-2.0
"""The file of the keys that open the face: made, listed, and rotated."""

from __future__ import annotations

import json
import multiprocessing
import pathlib
import re
import stat
from typing import Any

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.manage import main
from s3gateway.manage import pairs
from tests.support import schema


class Command:
    """``face-key`` on a file."""

    def __init__(self, file: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = file
        self.printed = ""
        self._capsys = capsys

    def __call__(self, name: str, *words: str) -> list[dict[str, Any]]:
        assert self.code(name, *words, "--json") == 0, self.printed
        return schema.valid(json.loads(self.printed))["rows"]  # type: ignore[no-any-return]

    def code(self, name: str, *words: str) -> int:
        code = main(["face-key", name, str(self.file), *words])
        printed = self._capsys.readouterr()
        self.printed = printed.out + (printed.err if code else "")
        return code


@pytest.fixture
def command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "face.keys", capsys)


def test_a_pair_is_made(command: Command) -> None:
    [row] = command("add", "--comment", "the  controllers")
    assert re.fullmatch("FACE[A-Z0-9]{16}", row["access_key"])
    assert re.fullmatch("[A-Za-z0-9]{40}", row["secret_key"])
    text = command.file.read_text()
    assert text == f"{row['access_key']} {row['secret_key']} the controllers\n"
    assert stat.S_IMODE(command.file.stat().st_mode) == 0o600


def test_lines_to_paste(command: Command) -> None:
    assert command.code("add") == 0
    access_key, secret_key = command.file.read_text().split()
    assert command.printed.splitlines() == [
        f"s3_store_access_key = {access_key}",
        f"s3_store_secret_key = {secret_key}",
    ]


def test_secret_keys_are_shown_once(command: Command) -> None:
    [first], [second] = command("add"), command("add", "--comment", "second")
    rows = command("list")
    assert rows == [
        {"access_key": second["access_key"], "comment": "second"},
        {"access_key": first["access_key"], "comment": ""},
    ]
    for form in ("table", "csv", "json"):
        assert command.code("list", "--format", form) == 0
        for row in (first, second):
            assert row["access_key"] in command.printed
            assert row["secret_key"] not in command.printed


def test_a_pair_is_removed(command: Command) -> None:
    command.file.write_text(
        "# keys of the face\n\nOLDKEY  old-secret-of-20-bytes x y\n"
    )
    command.file.chmod(0o644)
    [new] = command("add")
    shown = [row["access_key"] for row in command("list")]
    assert shown == [new["access_key"], "OLDKEY"]  # new locations get the first
    assert command("remove", "OLDKEY") == [{"access_key": "OLDKEY", "comment": "x y"}]
    assert command.file.read_text() == (
        f"# keys of the face\n\n{new['access_key']} {new['secret_key']}\n"
    )
    assert stat.S_IMODE(command.file.stat().st_mode) == 0o600
    assert command.code("remove", "OLDKEY") == 2
    assert "has no access key 'OLDKEY'" in command.printed


def test_the_only_pair_stays(command: Command) -> None:
    """A gateway takes a file without any for one that is being written."""
    [row] = command("add")
    assert command.code("remove", row["access_key"]) == 2
    assert "add one first" in command.printed
    assert command("list") == [{"access_key": row["access_key"], "comment": ""}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"ONLYACCESSKEY\n", "line 1 of"),
        (b"#\nAKEY short-secret\n", "line 2 of"),
        (b"A/KEY a-secret-of-20-bytes\n", "line 1 of"),
        (b"AKEY a-secret-of-20-bytes\nAKEY a-secret-of-21-bytes\n", "twice"),
        (b"\xff\xfe\n", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["add", "list"])
def test_a_file_of_something_else_is_left_alone(
    command: Command, text: bytes, problem: str, name: str
) -> None:
    command.file.write_bytes(text)
    assert command.code(name) == 2
    assert problem in command.printed
    for secret in ("short-secret", "a-secret"):
        assert secret not in command.printed
    assert command.file.read_bytes() == text


def test_a_file_that_there_is_not(command: Command) -> None:
    assert command.code("list") == 2
    assert "No such file" in command.printed
    command.file = command.file / "in" / "no" / "directory"
    assert command.code("add") == 2


def test_a_failure_leaves_the_old_file(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("add")
    before = command.file.read_bytes()

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert command.code("add") == 3
    assert command.file.read_bytes() == before
    assert list(command.file.parent.iterdir()) == [command.file]


def test_a_link_stays_one(command: Command, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "elsewhere"
    other.touch()
    command.file.symlink_to(other)
    command("add")
    assert command.file.is_symlink()
    assert other.read_text().startswith("FACE")


def _add(path: str) -> None:
    assert main(["face-key", "add", path]) == 0


def test_two_at_once_lose_nothing(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "face.keys"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_add, [str(file)] * 8)
    assert len([line for line in pairs.read(file) if line.pair]) == 8


def test_nothing_is_in_a_repr() -> None:
    line = pairs.of(KeyPair("AKEY", "a-secret-of-20-bytes"), "")
    assert "a-secret" not in repr(line)
