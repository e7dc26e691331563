# SPDX-License-Identifier: Apache-2.0
"""The jobs say what Zuul, DevStack's roles and the plugin understand."""

from __future__ import annotations

import configparser
import re

import pytest

from tests.devstack import zuul
from tests.devstack.conftest import MakeStack

SETTINGS = (zuul.ROOT / "devstack" / "settings").read_text()
JOBS = zuul.jobs(zuul.FILE)
NAMES = sorted(JOBS)

PARENT = "devstack-tempest"

# Jobs and templates of OpenStack's, and the tox environments that those run.
ELSEWHERE = {"openstack-tox-docs"}
TEMPLATES = {
    "openstack-cover-jobs": ["cover"],
    "openstack-python3-jobs": ["pep8", "py310", "py311", "py312", "py313"],
    "release-notes-jobs-python3": ["releasenotes"],
}

# Attributes of a job; Zuul refuses a file with any that it does not know.
ATTRIBUTES = {
    "name",
    "parent",
    "description",
    "required-projects",
    "irrelevant-files",
    "vars",
}

# Those that the roles of devstack-tempest read; others have no effect.
VARIABLES = {
    "devstack_plugins",
    "devstack_localrc",
    "devstack_services",
    "tox_envlist",
    "tempest_test_regex",
    "zuul_copy_output",
}


def variables(name: str) -> zuul.Job:
    return zuul.variables(JOBS, name)


def test_it_defines_jobs_and_a_project() -> None:
    kinds = [kind for kind, _ in zuul.items(zuul.FILE)]

    assert set(kinds) == {"job", "project"}
    assert kinds.count("job") == len(JOBS)
    assert kinds.count("project") == 1


def test_the_pipelines_run_jobs_that_are_defined() -> None:
    (project,) = (it for kind, it in zuul.items(zuul.FILE) if kind == "project")

    assert set(project) == {"templates", "check", "gate"}
    checked, gating = (
        {next(iter(job)) if isinstance(job, dict) else job for job in part["jobs"]}
        for part in (project["check"], project["gate"])
    )
    assert checked - ELSEWHERE == set(NAMES)
    assert gating <= checked
    assert gating >= ELSEWHERE
    assert set(project["templates"]) == set(TEMPLATES)


def test_tox_has_what_the_templates_run() -> None:
    tox = configparser.RawConfigParser()
    tox.read(zuul.ROOT / "tox.ini")
    known = {
        f"{before}{variant}"
        for section in tox.sections()
        for before, _, rest in [section.removeprefix("testenv:").partition("{")]
        for variant in rest.rstrip("}").split(",")
    }
    run = {name for names in TEMPLATES.values() for name in names}
    run |= {name.removeprefix("openstack-tox-") for name in ELSEWHERE}
    assert run <= known


@pytest.mark.parametrize("name", NAMES)
def test_attributes(name: str) -> None:
    job = JOBS[name]

    assert set(job) <= ATTRIBUTES
    assert set(job["vars"]) <= VARIABLES
    first, *_ = zuul.ancestry(JOBS, name)
    assert first["parent"] == PARENT


@pytest.mark.parametrize("name", NAMES)
def test_the_plugin_is_the_one_in_this_repository(name: str) -> None:
    (defined,) = re.findall(r"^define_plugin\s+(\S+)", SETTINGS, re.MULTILINE)

    assert variables(name)["devstack_plugins"] == {
        defined: "https://{{ zuul.project.canonical_name }}"
    }


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_the_plugins(name: str) -> None:
    known = set(re.findall(r"^\s*(S3GATEWAY_\w+)=", SETTINGS, re.MULTILINE))
    localrc = variables(name)["devstack_localrc"]

    assert set(localrc) <= known
    assert {type(value) for value in localrc.values()} <= {str, int, bool}


@pytest.mark.parametrize("name", NAMES)
def test_the_plugin_accepts_them_and_would_enable_the_services(
    stack: MakeStack, name: str
) -> None:
    services = variables(name)["devstack_services"]
    # The role says nothing of a service that is neither true nor false.
    assert {type(value) for value in services.values()} == {bool}
    localrc = variables(name)["devstack_localrc"]
    there = stack(**{key: str(value) for key, value in localrc.items()})

    output = there.succeed(
        "stack pre-install", "call eval echo enabled: $ENABLED_SERVICES"
    )

    (enabled,) = re.findall(r"^enabled: (\S+)$", output, re.MULTILINE)
    assert {one for one in services if services[one]} <= set(enabled.split(","))


@pytest.mark.parametrize(
    ("path", "relevant"),
    [
        (".zuul.yaml", True),
        ("devstack/lib/s3gateway", True),
        ("devstack/plugin.sh", True),
        ("etc/paste/s3gateway-paste.ini", True),
        ("requirements.txt", True),
        ("s3gateway/s3/store.py", True),
        ("setup.cfg", True),
        ("README.rst", False),
        ("benchmarks/README.rst", False),
        ("devstack/README.rst", False),
        ("debian/control", False),
        ("docs/source/conf.py", False),
        ("releasenotes/notes/filter.yaml", False),
        ("rpm/s3gateway.spec", False),
        ("tests/devstack/driver.sh", False),
        ("tests/unit/test_ranges.py", False),
    ],
)
def test_what_the_jobs_run_for(path: str, relevant: bool) -> None:
    """A job does not run if all files of a change are irrelevant."""
    for name in NAMES:
        first, *_ = zuul.ancestry(JOBS, name)
        patterns = first["irrelevant-files"]
        # Zuul's expressions are RE2's, which has no look-around.
        assert [it for it in patterns if re.search(r"\(\?[=!<]|\\\d", it)] == []
        assert any(re.match(it, path) for it in patterns) is not relevant
