# SPDX-License-Identifier: Apache-2.0
"""What is needed is written in several files for several tools, and in one way."""

from __future__ import annotations

import re

import pytest

from tests import packages
from tests.packaging.conftest import ROOT

#: What Debian writes in another way: 3.1 is less than 3.1.0 there.
_NAMES = {"prometheus_client": "prometheus-client"}
_EPOCHS = {"oslo.config": "1:", "webob": "1:"}
_VERSIONS = {"pastedeploy": "3.1"}

_REQUIREMENT = re.compile(r"(?m)^([A-Za-z0-9._-]+)>=([0-9.]+)")


def required() -> dict[str, str]:
    """Return the lower bounds of requirements.txt, by PyPI's name in lower case."""
    text = (ROOT / "requirements.txt").read_text()
    found = {name.lower(): version for name, version in _REQUIREMENT.findall(text)}
    assert len(found) == sum(
        bool(line.partition("#")[0].strip()) for line in text.splitlines()
    )
    return found


def test_the_debian_package_needs_what_pip_does() -> None:
    control = (ROOT / "debian" / "control").read_text()
    (paragraph,) = re.findall(
        r"(?ms)^Package: python3-s3gateway\n(.*?)^Conflicts", control
    )
    depends = re.findall(r"(?m)^ python3-(\S+) \(>= ([0-9.:]+)\)", paragraph)
    source = control.partition("\nPackage:")[0]
    built = r"(?m)^ python3-(\S+) \(>= ([0-9.:]+)\) <!pkg.s3gateway.venv>,$"
    assert re.findall(built, source) == depends  # to make the manual page
    assert dict(depends) == {
        _NAMES.get(name, name): _EPOCHS.get(name, "") + _VERSIONS.get(name, version)
        for name, version in required().items()
    }


def test_the_rpm_package_needs_what_pip_does() -> None:
    spec = (ROOT / "rpm" / "s3gateway.spec").read_text()
    line = r"Requires: +python3dist\((\S+)\) >= ([0-9.]+)$"
    found = re.findall(rf"(?m)^{line}", spec)
    assert re.findall(rf"(?m)^Build{line}", spec) == found  # to make the manual page
    assert dict(found) == {
        name.replace("_", "-"): version for name, version in required().items()
    }


def test_the_packages_have_one_version() -> None:
    changelog = (ROOT / "debian" / "changelog").read_text()
    spec = (ROOT / "rpm" / "s3gateway.spec").read_text()
    debian = re.findall(r"^s3gateway \(([0-9.]+)", changelog)
    rpm = re.findall(r"(?m)^Version: +([0-9.]+)$", spec)
    assert debian == rpm


@pytest.mark.parametrize(
    ("profile", "needed"),
    [("test", packages.NEEDED), ("full", packages.NEEDED_BY_FULL_TIER)],
)
def test_bindep_has_the_packages_of_the_tests(
    profile: str, needed: dict[str, str]
) -> None:
    text = (ROOT / "bindep.txt").read_text()
    found = re.findall(rf"(?m)^(\S+) \[platform:dpkg {profile}\]$", text)
    assert found == sorted(set(needed.values()))


def test_bindep_has_nothing_else() -> None:
    lines = (ROOT / "bindep.txt").read_text().splitlines()
    said = [line for line in lines if line and not line.startswith("#")]
    assert [
        line
        for line in said
        if not re.fullmatch(r"\S+ \[platform:dpkg (test|full)\]", line)
    ] == []
