# SPDX-License-Identifier: Apache-2.0
"""What is said of a Keystone that does not hand out a token, over real sockets."""

from __future__ import annotations

import http.server
import json
import pathlib
from collections.abc import Iterator

import pytest
from oslo_config import cfg

from s3gateway.manage.check import keystone
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Severity
from tests.support.servers import web

SECRET = "a-password-that-nobody-sees"


class Keystone(http.server.BaseHTTPRequestHandler):
    """Answers as Keystone does: a token for one user, 401 for others."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))
        user = asked["auth"]["identity"]["password"]["user"]["name"]
        status = 201 if user == "glance" else 401
        body = json.dumps({"token": {"methods": ["password"]}}).encode()
        self.send_response(status)
        self.send_header("X-Subject-Token", "gAAAA-a-token")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with web.serving(Keystone) as served:
        yield f"{served}/v3"


def found(tmp_path: pathlib.Path, **options: str) -> list[Finding]:
    file = tmp_path / "glance-api.conf"
    lines = [f"{name} = {value}\n" for name, value in options.items()]
    file.write_text("".join(["[service_user]\n", *lines]))
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)])
    return list(keystone.check(conf))


def user(url: str, **changes: str) -> dict[str, str]:
    values = {
        "auth_type": "v3password",
        "auth_url": url,
        "username": "glance",
        "user_domain_id": "default",
        "password": SECRET,
    }
    return {**values, **changes}


def test_nothing_is_asked_where_nothing_is_configured(tmp_path: pathlib.Path) -> None:
    assert found(tmp_path) == []


def test_a_user_that_gets_a_token(tmp_path: pathlib.Path, url: str) -> None:
    [finding] = found(tmp_path, **user(url))
    assert finding.severity is Severity.OK
    assert finding.subject == "Keystone, [service_user]"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (
            {"username": "nobody"},
            "keystone_refuses_user",
            "Keystone knows no such user",
        ),
        (
            {"auth_url": "http://127.0.0.1:9/v3"},
            "keystone_unreachable",
            "Nothing answers",
        ),
        (
            {"auth_type": "magic"},
            "keystone_auth_type_unknown",
            "Set auth_type in [service_user]",
        ),
        ({"auth_url": ""}, "keystone_failed", "Look at auth_url in [service_user]"),
    ],
)
def test_each_failure_has_its_sentence(
    tmp_path: pathlib.Path, url: str, changes: dict[str, str], code: str, words: str
) -> None:
    [finding] = found(tmp_path, **user(url, **changes))
    assert finding.severity is Severity.ERROR
    assert finding.code == code
    assert words in finding.advice
    assert SECRET not in repr(finding)
