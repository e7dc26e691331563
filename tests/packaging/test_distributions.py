# SPDX-License-Identifier: Apache-2.0
"""What is in the sdist and the wheel, and what they say they are."""

from __future__ import annotations

import configparser
import email
import email.message
import pathlib
import re
import shutil
import tarfile
import zipfile

from tests.packaging.conftest import ROOT
from tests.packaging.conftest import VERSION
from tests.packaging.conftest import Built
from tests.packaging.conftest import build
from tests.support.servers.processes import run

_VERSION = re.compile(r"s3gateway-([^-]+?)(?:\.tar\.gz|-py3-none-any\.whl)")


def version_of(file: pathlib.Path) -> str:
    match = _VERSION.fullmatch(file.name)
    assert match, file.name
    return match[1]


def metadata_of(wheel: pathlib.Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def in_wheel(wheel: pathlib.Path) -> set[str]:
    """Return the files of a wheel, those outside of the package by where they go."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            re.sub(r"^s3gateway-[^/]+\.data/data/", "<prefix>/", name)
            for name in archive.namelist()
            if ".dist-info/" not in name
        }


def data_files() -> dict[str, str]:
    """Return where setup.cfg puts the files of ``etc/``."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    found, directory = {}, ""
    for line in parser["files"]["data_files"].split("\n"):
        if line.endswith("="):
            directory = line.removesuffix("=").strip()
        elif line.strip():
            source = line.strip()
            found[source] = f"<prefix>/{directory}/{pathlib.Path(source).name}"
    return found


def test_the_wheel_has_the_package_and_the_files_of_etc(built: Built) -> None:
    source = built.tree / "s3gateway"
    package = {
        str(path.relative_to(built.tree))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert in_wheel(built.wheel) == package | set(data_files().values())


def test_every_file_of_etc_is_installed() -> None:
    files = {
        str(path.relative_to(ROOT)) for path in (ROOT / "etc").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip
    assert data_files().keys() == files


def test_the_sdist_has_all_that_git_has(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    ours = {
        str(path.relative_to(built.tree))
        for part in ("s3gateway", "etc", "tests", "docs/source", "releasenotes")
        for path in (built.tree / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= names
    assert {"LICENSE", "README.rst", "tox.ini", "requirements.txt"} <= names


def test_what_the_package_says_of_itself(built: Built) -> None:
    said = metadata_of(built.wheel)
    assert said["Name"] == "s3gateway"
    assert said["Version"] == VERSION
    assert version_of(built.wheel) == version_of(built.sdist) == VERSION
    assert said["Requires-Python"] == ">=3.10"
    assert "Home-page" not in said  # there is none yet
    assert said.get_all("Project-URL", []) == []
    assert said["Description-Content-Type"].startswith("text/x-rst")
    assert str(said.get_payload()).strip() == (ROOT / "README.rst").read_text().strip()
    wanted = {
        line.partition("#")[0].strip().lower().replace("_", "-")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
    } - {""}  # fmt: skip
    found = {
        name.lower().replace("_", "-") for name in said.get_all("Requires-Dist", [])
    }
    assert found == wanted


def test_a_wheel_from_the_sdist_is_the_same_without_git(
    built: Built, tmp_path: pathlib.Path
) -> None:
    # as a packager does; what tarfile asks for depends on the version of Python
    run(["tar", "--extract", f"--file={built.sdist}", f"--directory={tmp_path}"])
    (unpacked,) = tmp_path.iterdir()
    build(unpacked, tmp_path / "dist", "--wheel")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name == built.wheel.name
    assert in_wheel(wheel) == in_wheel(built.wheel)


def test_a_packager_names_the_version(
    tree: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """From an archive of the files that has neither git nor PKG-INFO."""
    source = tmp_path / "s3gateway"
    shutil.copytree(tree, source)
    build(source, tmp_path / "dist", "--wheel", PBR_VERSION="3.2.1")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert version_of(wheel) == metadata_of(wheel)["Version"] == "3.2.1"
    assert set(data_files().values()) < in_wheel(wheel)
