# SPDX-License-Identifier: Apache-2.0
"""Who is told the version of the gateway that runs: admins, and Prometheus."""

from __future__ import annotations

import pathlib
from importlib import metadata
from typing import Any

import pytest
import webob

from s3gateway.monitoring import metrics
from s3gateway.monitoring import version
from tests.support.servers.inprocess import CALLER
from tests.support.servers.inprocess import InProcess

DETAILS = "/v2/info/stores/detail"


@pytest.mark.parametrize(
    ("method", "path", "roles", "told"),
    [
        ("GET", DETAILS, "admin", True),
        ("GET", DETAILS, "member", False),
        ("POST", DETAILS, "admin", False),
        ("GET", "/v2/info/usage", "admin", False),
        ("GET", "/v2/images/nothing", "admin", False),
    ],
)
def test_admins_are_told(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    roles: str,
    told: bool,
) -> None:
    gateway = InProcess(tmp_path, monkeypatch).gateway()
    environ: dict[str, Any] = {**CALLER, "HTTP_X_ROLES": roles}
    asked = webob.Request.blank(path, environ, method=method)
    answer = asked.get_response(gateway)
    assert answer.headers.get("S3gateway-Version") == (
        version.RUNNING if told else None
    )
    assert told or version.RUNNING not in str(answer.headers)


def test_a_gateway_shows_its_version_as_a_metric(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    InProcess(tmp_path, monkeypatch).gateway()
    sample = f's3gateway_build_info{{version="{version.RUNNING}"}} 1.0'
    assert sample in metrics.text().decode()


def test_a_source_tree_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    assert version.installed() == metadata.version("s3gateway")
    monkeypatch.setattr(metadata, "version", missing)
    assert version.installed() == "unknown"
