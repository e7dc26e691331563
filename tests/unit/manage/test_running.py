# SPDX-License-Identifier: Apache-2.0
"""What ``check`` says of the Glance that runs."""

from __future__ import annotations

import http.server
from collections.abc import Iterator
from typing import ClassVar

import pytest
from oslo_config import cfg

from s3gateway.manage.check import running
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Severity
from s3gateway.monitoring import metrics
from s3gateway.monitoring import version
from tests.support.servers import web


class Glances(http.server.BaseHTTPRequestHandler):
    """Several behind one address, that answer in turn.

    :cvar status: of each answer
    :cvar told: the versions that they tell, empty for none
    """

    status = 200
    told: ClassVar[list[str]]

    def do_GET(self) -> None:
        assert self.path == "/v2/info/stores/detail"
        assert self.headers["X-Auth-Token"] == "a token"
        told = self.told.pop(0)
        self.told.append(told)
        self.send_response(self.status)
        if told:
            self.send_header(version.HEADER, told)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def glances(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Glances]]:
    class These(Glances):
        pass

    These.told = [version.RUNNING]
    monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
    monkeypatch.setenv("OS_TOKEN", "a token")
    with web.serving(These) as url:
        monkeypatch.setenv("OS_ENDPOINT", url)
        yield These


def found() -> Finding:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    [finding] = running.check(conf, "")
    return finding


@pytest.mark.parametrize(
    ("told", "severity", "words"),
    [
        ([version.RUNNING], Severity.OK, f"has s3gateway {version.RUNNING}"),
        ([""], Severity.WARNING, "does not say that it has s3gateway"),
        (["0.9"], Severity.WARNING, "has s3gateway 0.9"),
        ([version.RUNNING, ""], Severity.WARNING, "but not on each host"),
        (["0.8", "0.9"], Severity.WARNING, "has s3gateway 0.8, 0.9"),
    ],
)
def test_what_an_admin_is_told(
    glances: type[Glances], told: list[str], severity: Severity, words: str
) -> None:
    glances.told = told
    finding = found()
    assert finding.severity is severity
    assert words in finding.found
    assert ("selftest" in finding.advice) == (severity is not Severity.OK)


@pytest.mark.parametrize(
    ("status", "words"), [(403, "tells admins only"), (404, "a single store")]
)
def test_who_is_not_told(glances: type[Glances], status: int, words: str) -> None:
    glances.status, glances.told = status, [""]
    finding = found()
    assert finding.severity is Severity.NOTE
    assert finding.found == "whether it has s3gateway is not known"
    assert words in finding.advice
    assert "Run s3gateway-manage selftest" in finding.advice


def test_nobody_to_ask_as() -> None:
    finding = found()
    assert finding.severity is Severity.NOTE
    assert "no credentials" in finding.advice


def test_credentials_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_AUTH_TYPE", "nonsense")
    finding = found()
    assert finding.severity is Severity.NOTE
    assert "[environment] OS_*" in finding.advice


def test_nothing_answers(
    glances: type[Glances], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_ENDPOINT", "http://127.0.0.1:9")
    finding = found()
    assert finding.severity is Severity.WARNING
    assert finding.found == "no answer: ConnectFailure"


def test_the_gateways_that_count_on_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    metrics.BUILD_INFO.labels(version.RUNNING).set(1)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    here, _ = running.check(conf, "")
    assert here.severity is Severity.OK
    assert here.subject == "running Glance, this host"
