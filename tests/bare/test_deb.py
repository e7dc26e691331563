# SPDX-License-Identifier: Apache-2.0
"""The Debian packages are built, looked at by lintian, installed, run and removed.

Then they are installed once more, and the system is booted: systemd runs the units.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import pytest

from tests.bare.debian import boot
from tests.bare.debian import kept_bare

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

FILES = (
    "/etc/s3gateway/s3gateway.conf",
    "/etc/s3gateway/gunicorn/s3gateway.py",
    "/etc/s3gateway/paste/s3gateway-paste.ini",
    "/usr/lib/sysusers.d/s3gateway.conf",
    "/usr/lib/tmpfiles.d/s3gateway.conf",
    "/lib/systemd/system/s3gateway-api.service",
    "/lib/systemd/system/s3gateway-gc.service",
    "/lib/systemd/system/s3gateway-gc.timer",
    "/usr/share/bash-completion/completions/s3gateway-manage",
    "/usr/share/doc/s3gateway/examples/grafana/s3gateway.json",
    "/usr/share/doc/s3gateway/examples/prometheus/s3gateway-alerts.yaml",
    "/usr/share/doc/s3gateway/examples/s3gateway-gc.service.d/delete.conf",
    "/usr/share/man/man1/s3gateway-manage.1.gz",
)


@dataclasses.dataclass(frozen=True)
class Tried:
    """A bare Debian on which the packages were built, installed and removed again."""

    suite: str
    package: str
    said: str
    system: pathlib.Path


@pytest.fixture(
    scope="module",
    params=[
        ("bookworm", "venv", "s3gateway-venv"),
        ("trixie", "distribution", "python3-s3gateway"),
    ],
    ids=["bookworm", "trixie"],
)
def tried(request: pytest.FixtureRequest) -> Iterator[Tried]:
    suite, way, package = request.param
    with kept_bare(suite, f"tests/bare/deb.sh {way}") as (said, system):
        yield Tried(suite, package, said, system)


def test_the_packages(tried: Tried) -> None:
    said = tried.said
    assert f"./{tried.package}_" in said
    assert "./s3gateway_" in said
    assert ": clean" in said
    for file in FILES:
        assert f"{file}\n" in said, file
    assert "exit codes: 0 no problems" in said
    assert "completed: selftest --delete\n" in said
    assert "manual page: " in said
    assert "/healthcheck 200 OK" in said
    if tried.suite == "trixie":
        assert "has all that the filter relies on" in said
    assert "\nremoved\n" in said


def test_the_units_under_systemd(tried: Tried) -> None:
    """The service runs with its hardening, is reloaded and stopped; gc starts."""
    said = boot(tried.suite, tried.system)
    assert "CapBnd:\t0000000000000000" in said
    assert "Seccomp:\t2" in said
    assert said.count("/healthcheck 200 OK") == 2
    assert said.endswith("the units work\n")
