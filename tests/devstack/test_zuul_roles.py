# SPDX-License-Identifier: Apache-2.0
"""The jobs together with those they inherit from, and the role of DevStack."""

from __future__ import annotations

import configparser
import importlib.util
import pathlib

import pytest

from tests.devstack import zuul

DEVSTACK, TEMPEST = (pathlib.Path(tree) for tree in zuul.TREES)
KNOWN = zuul.jobs(zuul.FILE)
NAMES = sorted(KNOWN)

if all(zuul.TREES):
    KNOWN |= zuul.jobs(DEVSTACK / ".zuul.yaml", *(TEMPEST / "zuul.d").glob("*.yaml"))

pytestmark = pytest.mark.skipif(
    not all(zuul.TREES),
    reason="DEVSTACK_DIR and TEMPEST_DIR do not name trees of both",
)


def local_conf(name: str, path: pathlib.Path) -> list[str]:
    """Let DevStack's role write the file of a job; return the lines of its localrc."""
    library = DEVSTACK / "roles" / "write-devstack-local-conf" / "library"
    specification = importlib.util.spec_from_file_location(
        "devstack_local_conf", library / "devstack_local_conf.py"
    )
    assert specification is not None
    assert specification.loader is not None
    role = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(role)
    variables = zuul.variables(KNOWN, name)
    role.LocalConf(
        variables["devstack_localrc"],
        variables["devstack_local_conf"],
        None,
        dict(variables["devstack_services"]),
        variables["devstack_plugins"],
        None,
        {
            project: {"required": True, "short_name": project}
            for project in zuul.projects(KNOWN, name)
        },
        {"short_name": "s3gateway"},
        None,
    ).write(path)
    local, _, _ = path.read_text().partition("\n[[")
    return local.splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_the_parents_are_there(name: str) -> None:
    line = [job["name"] for job in zuul.ancestry(KNOWN, name)]

    assert {"devstack-base", "devstack", "devstack-tempest"} <= set(line)
    assert [job["name"] for job in zuul.ancestry(KNOWN, name) if job.get("final")] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_local_conf_that_devstack_gets(name: str, tmp_path: pathlib.Path) -> None:
    lines = local_conf(name, tmp_path / "local.conf")

    # What follows a plugin's line would not be there for it.
    assert lines[-1].startswith("enable_plugin s3gateway https://")
    enabled = {line for line in lines if line.startswith("enable_service ")}
    for service in ("key", "mysql", "g-api", "s-proxy", "s3api", "tempest"):
        assert f"enable_service {service}" in enabled
    # Nobody is there to be asked for it.
    assert any(line.startswith("SWIFT_HASH=") for line in lines)
    for key, value in KNOWN[name]["vars"]["devstack_localrc"].items():
        assert f'{key}="{value}"' in lines


@pytest.mark.parametrize("name", NAMES)
def test_its_projects_are_checked_out(name: str) -> None:
    assert {"devstack", "requirements", "keystone", "glance", "swift", "tempest"} <= (
        zuul.projects(KNOWN, name)
    )


@pytest.mark.parametrize("name", NAMES)
def test_tempest_runs_the_tests(name: str) -> None:
    variables = zuul.variables(KNOWN, name)
    environments = configparser.RawConfigParser()
    environments.read(TEMPEST / "tox.ini")

    commands = environments[f"testenv:{variables['tox_envlist']}"]["commands"]
    # This environment takes the expression of the job.
    assert "--regex {posargs" in commands
    package = variables["tempest_test_regex"].removeprefix("^").replace(r"\.", "/")
    assert list((TEMPEST / package).rglob("test_*.py"))
