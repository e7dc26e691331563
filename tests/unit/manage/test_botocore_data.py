# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from s3gateway.errors import GatewayError
from s3gateway.errors import UsageError
from s3gateway.manage import botocore_data
from s3gateway.manage.check import botocore_data as checking
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.main import USAGE
from s3gateway.manage.main import main

OK, WARNING = Severity.OK, Severity.WARNING

FILES = {"endpoints.json": b"{}", "s3/2006-03-01/service-2.json": b"{}"}


def tree(directory: pathlib.Path) -> list[str]:
    """Return all there is, hidden or not."""
    return sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file()
    )


def documented(content: Any, path: str = "") -> Iterator[str]:
    """Yield where a description has documentation."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name == "documentation" and isinstance(value, str):
                yield path
            yield from documented(value, f"{path}/{name}")
    elif isinstance(content, list):
        for item in content:
            yield from documented(item, path)


def undocumented(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            name: undocumented(value)
            for name, value in content.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    if isinstance(content, list):
        return [undocumented(item) for item in content]
    return content


def original(name: str) -> Any:
    path = botocore_data.installed() / name
    if path.exists():
        return json.loads(path.read_bytes())
    return json.loads(gzip.decompress(path.with_suffix(".json.gz").read_bytes()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory that the command has made."""
    directory = tmp_path_factory.mktemp("made") / "botocore-data"
    assert main(["botocore-data", str(directory)]) == 0
    return directory


def test_it_holds_what_botocore_says_of_s3_without_documentation(
    made: pathlib.Path,
) -> None:
    names = [name for name in tree(made) if name.startswith(("s3/", "sts/"))]
    assert {name.rsplit("/", 1)[1] for name in names} == {
        "endpoint-rule-set-1.json",
        "service-2.json",
    }
    for name in names:
        found = json.loads((made / name).read_bytes())
        whole = original(name)
        assert undocumented(found) == undocumented(whole)
        if name.endswith("service-2.json"):
            where = set(documented(found))
            assert all(path.startswith("/clientContextParams/") for path in where)
            assert bool(where) == ("clientContextParams" in whole)
        else:
            assert found == whole


def test_its_endpoints_are_those_of_s3(made: pathlib.Path) -> None:
    found = json.loads((made / "endpoints.json").read_bytes())
    whole = original("endpoints.json")
    for partition, uncut in zip(found["partitions"], whole["partitions"], strict=True):
        assert {"s3"} <= set(partition["services"]) <= {"s3", "sts"}
        for name, service in partition["services"].items():
            assert service == uncut["services"][name]
        assert {**partition, "services": 0} == {**uncut, "services": 0}


def test_it_says_how_to_set_it(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "botocore-data"
    assert main(["botocore-data", str(directory)]) == 0
    said = capsys.readouterr()
    assert f"Environment=AWS_DATA_PATH={directory}" in said.err
    assert botocore_data.version() in said.out


def test_a_members_name_may_be_documentation(tmp_path: pathlib.Path) -> None:
    service = tmp_path / "s3" / "1" / "service-2.json"
    service.parent.mkdir(parents=True)
    shapes = {"Part": {"documentation": "long", "members": {"documentation": {"a": 1}}}}
    service.write_text(json.dumps({"shapes": shapes}))
    for name in (
        "s3/1/endpoint-rule-set-1",
        "sts/1/service-2",
        "sts/1/endpoint-rule-set-1",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.json").write_text("{}")
    (tmp_path / "endpoints.json").write_text('{"partitions": []}')
    files = botocore_data.files_of(tmp_path)
    found = json.loads(files["s3/1/service-2.json"])
    assert found == {"shapes": {"Part": {"members": {"documentation": {"a": 1}}}}}


def test_a_botocore_that_is_laid_out_otherwise(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GatewayError, match=r"no endpoints: .* leave AWS_DATA_PATH"):
        botocore_data.files_of(tmp_path)
    (tmp_path / "endpoints.json").write_text('{"partitions": []}')
    with pytest.raises(GatewayError, match="no s3/service-2: "):
        botocore_data.files_of(tmp_path)


def test_it_is_made_anew(tmp_path: pathlib.Path) -> None:
    """Twice gives the same, and what an older one had is gone."""
    directory = tmp_path / "here"
    botocore_data.make(directory, {**FILES, "s3/2000-01-01/old.json": b"{}"}, "1.0")
    for _ in range(2):
        botocore_data.make(directory, FILES, "1.1")
        assert tree(tmp_path) == [
            f"here/{n}" for n in sorted([*FILES, "s3gateway.json"])
        ]
        assert botocore_data.made_from(directory) == "1.1"


def test_an_empty_directory_and_a_link_to_one(tmp_path: pathlib.Path) -> None:
    directory, link = tmp_path / "here", tmp_path / "link"
    directory.mkdir()
    link.symlink_to(directory)
    botocore_data.make(link, FILES, "1.0")
    assert link.is_symlink()
    assert botocore_data.made_from(directory) == "1.0"


def test_everybody_may_read_it(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        botocore_data.make(tmp_path / "here", FILES, "1.0")
    finally:
        os.umask(before)
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "here").rglob("*.json")}
    assert modes == {0o644}
    folders = [tmp_path / "here", *(tmp_path / "here").rglob("s3*/")]
    assert {p.stat().st_mode & 0o777 for p in folders if p.is_dir()} == {0o755}


@pytest.mark.parametrize("name", ["mine", "s3/mine.json", ".hidden", "s3/a-link"])
@pytest.mark.parametrize("was_made", [True, False])
def test_a_directory_with_other_things(
    tmp_path: pathlib.Path, name: str, was_made: bool
) -> None:
    directory = tmp_path / "here"
    if was_made:
        botocore_data.make(directory, FILES, "1.0")
    other = directory / name
    other.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("link"):
        other.symlink_to(tmp_path)
    else:
        other.write_text("precious")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="holds other things; name one that is new"):
        botocore_data.make(directory, FILES, "1.1")
    assert tree(tmp_path) == before
    assert other.exists()


def test_a_file_is_no_directory(tmp_path: pathlib.Path) -> None:
    (tmp_path / "here").write_text("precious")
    with pytest.raises(UsageError, match="holds other things"):
        botocore_data.make(tmp_path / "here", FILES, "1.0")


def test_a_place_that_cannot_be_written(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "not" / "there"
    assert main(["botocore-data", str(directory)]) == USAGE
    assert "DIRECTORY: cannot be written: No such file" in capsys.readouterr().err


def test_what_check_says(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = botocore_data.version()
    botocore_data.make(tmp_path / "now", FILES, version)
    botocore_data.make(tmp_path / "old", FILES, "1.0")
    (tmp_path / "others").mkdir()
    names = [str(tmp_path / name) for name in ("now", "old", "others", "nowhere")]
    monkeypatch.setenv("AWS_DATA_PATH", os.pathsep.join(names))
    now, old, nowhere = checking.check()
    assert (now.severity, now.found) == (OK, f"made from botocore {version}")
    assert old.severity is WARNING
    assert old.found == f"made from botocore 1.0, and {version} is installed"
    assert f"botocore-data {tmp_path / 'old'} and restart" in old.advice
    assert (nowhere.severity, nowhere.found) == (WARNING, "no directory")
    monkeypatch.delenv("AWS_DATA_PATH")
    assert not list(checking.check())
