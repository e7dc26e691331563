# SPDX-License-Identifier: Apache-2.0
"""Nothing of a hostile machine reaches a server, a client or a test."""

from __future__ import annotations

import os
import pathlib
import sys

import boto3
import pytest

from tests import hostile
from tests.support import isolation
from tests.support.servers import environments
from tests.support.servers.processes import run


@pytest.fixture(autouse=True)
def _hostile_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    for name, value in {**hostile.ENVIRONMENT, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


def test_no_variable_comes_through() -> None:
    found = isolation.environment()
    wrong = hostile.ENVIRONMENT.items() & found.items()
    assert not wrong
    assert found["HOME"] not in (os.environ["HOME"], str(pathlib.Path.home()))
    assert found["PATH"] == os.environ["PATH"]


def test_the_home_directory_hides_what_is_in_etc(tmp_path: pathlib.Path) -> None:
    """oslo.config takes the first place that has a name."""
    hidden = {path.name for path in isolation.home().iterdir()}
    wanted = {
        pathlib.Path(path).parts[-2]
        for path in hostile.IN_ETC
        if pathlib.Path(path).parts[-2:-1] and ".conf.d/" in path
    }
    assert wanted
    assert wanted | {"policy.d", "policy.yaml"} <= hidden


def test_a_program_does_not_see_it() -> None:
    shown = run([sys.executable, "-c", "import os; print(dict(os.environ))"]).stdout
    for value in hostile.ENVIRONMENT.values():
        assert f"'{value}'" not in shown


def test_this_process_did_not_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    isolated = isolation.environment()
    for name in hostile.ENVIRONMENT.keys() - isolated.keys():
        monkeypatch.delenv(name)
    for name, value in isolated.items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session()
    assert session.get_credentials() is None
    assert session.region_name is None


def test_pip_and_uv_see_what_the_owner_has_set() -> None:
    """It was read before: where packages come from is the owner's to say."""
    words = [sys.executable, "-c", "import os; print(os.environ['HOME'])"]
    assert environments.run_as_owner(words).strip() == isolation.OWNER["HOME"]
