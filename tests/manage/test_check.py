# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage check, on a good set-up and on many broken ones."""

from __future__ import annotations

import http.server
import re
from collections.abc import Iterator

import pytest

from tests.support.hidden import Hidden
from tests.support.people import ADMIN
from tests.support.people import ALICE
from tests.support.servers import web
from tests.support.servers.glance import Config
from tests.support.servers.glance import s3_store
from tests.support.servers.manage import Manage
from tests.support.servers.manage import Result
from tests.support.servers.manage import user
from tests.support.servers.processes import free_port

WRONG_SECRET = "wrong/secret+key=0123456789abcdef"


class NotS3(http.server.BaseHTTPRequestHandler):
    """Some other web server."""

    def do_GET(self) -> None:
        body = b"<html>It works!</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def web_server() -> Iterator[str]:
    with web.serving(NotS3) as url:
        yield url


def states(result: Result, subject: str) -> list[str]:
    return [row["state"] for row in result.about(subject)]


def broken_stores(managed: Manage, web_server: str) -> Config:
    """Return stores, each of which is broken in the way that its name says."""
    s3, prefix = managed.cloud.s3, "check-"
    nobody = f"http://127.0.0.1:{free_port()}"
    changes = {
        "nobucket": {"s3_store_create_bucket_on_put": "false"},
        "noserver": {"s3_store_host": nobody},
        "notls": {"s3_store_host": s3.endpoint.replace("http:", "https:")},
        "wronghost": {"s3_store_host": web_server},
        "wrongkey": {"s3_store_access_key": "NOSUCHACCESSKEY"},
        "wrongsecret": {"s3_store_secret_key": WRONG_SECRET},
    }
    stores = {n: s3_store(s3, prefix + n, **c) for n, c in changes.items()}
    types = ", ".join(f"{name}:s3" for name in sorted(stores))
    return {
        **stores,
        "DEFAULT": {"enabled_backends": types},
        "glance_store": {"default_backend": "nobucket"},
    }


def test_a_good_set_up(managed: Manage) -> None:
    done = managed("check")
    assert done.code == 0, done.text
    assert " 0 errors" in done.summary
    for subject in ("configuration", "paste file", "Glance", "store fast"):
        assert "ok" in states(done, subject), subject
    found = [row["found"] for row in done.about("configuration")]
    assert any(re.fullmatch("objects belong to Glance [0-9a-f]{16}", f) for f in found)
    found = [row["found"] for row in done.about("store cheap")]
    assert "access: yes" in found
    assert any(text.startswith("conditional PUT: ") for text in found)
    found = [row["found"] for row in done.about("paste file")]
    assert found[0] == "s3gateway stands last in pipeline keystone, which is used"
    assert "s3gateway stands last in pipeline keystone+caching" in found
    left = [*managed.cloud.objects("fast"), *managed.cloud.objects("cheap")]
    assert not [key for key in left if key.startswith("00000000-")]


def test_broken_stores_each_have_their_sentence(
    managed: Manage, web_server: str
) -> None:
    done = managed("check", config=broken_stores(managed, web_server))
    assert done.code == 1, done.text
    advice = {
        "nobucket": "The bucket does not exist; create it",
        "noserver": "check address and port, whether the server runs",
        "notls": "does not speak TLS on this port",
        "wronghost": "answered something that this check does not know",
        "wrongkey": "does not belong to the access key",  # Swift tells no more
        "wrongsecret": "s3_store_secret_key in [wrongsecret]",
    }
    for store, words in advice.items():
        [row] = [r for r in done.about(f"store {store}") if r["state"] == "error"]
        assert words in row["detail"], row
    s3 = managed.cloud.s3
    secrets = Hidden(
        s3.access_key, s3.secret_key, s3.endpoint.partition("//")[2], "check-wrongkey"
    )
    assert secrets.found_in(str(done.rows)) == []
    assert WRONG_SECRET not in done.text


def test_a_broken_glance_and_pipeline(managed: Manage) -> None:
    paste = managed.glance.directory / "paste.ini"
    without = paste.read_text().replace("context s3gateway rootapp", "context rootapp")
    config = {
        "DEFAULT": {"show_multiple_locations": "false"},
        "database": {
            "connection": f"mysql+pymysql://nobody@127.0.0.1:{free_port()}/glance",
            "max_retries": "0",
        },
        "paste_deploy": {"config_file": str(managed.cloud.write("p.ini", without))},
        "keystone_authtoken": {
            "auth_type": "password",
            "auth_url": f"http://127.0.0.1:{free_port()}/v3",
            "username": "glance",
            "password": WRONG_SECRET,
        },
    }
    done = managed("check", config=config)
    assert done.code == 1, done.text
    sentences = {
        "paste file": "Put it before rootapp in",
        "Keystone, [keystone_authtoken]": "look at auth_url in [keystone_authtoken]",
        "Glance": "whether the database runs",
    }
    for subject, words in sentences.items():
        errors = [row for row in done.about(subject) if row["state"] == "error"]
        assert len(errors) == 1, (subject, done.text)
        [row] = errors
        assert words in row["detail"], row
    assert WRONG_SECRET not in done.text


def test_the_glance_that_runs(managed: Manage) -> None:
    """It is asked as an admin, with and without the gateway in its pipeline."""
    words = ("check", "--store", "fast", "--no-write")
    before = managed.cloud.kept()
    done = managed(*words, env=user(managed.glance.url, ADMIN))
    assert done.code == 0, done.text
    [row] = done.about("running Glance")
    assert row["state"] == "ok", row
    assert re.fullmatch(r"has s3gateway \d.*", row["found"]), row
    assert not done.about("store cheap")
    stock = managed.cloud.glance(gateway=False)
    [row] = managed(*words, env=user(stock.url, ADMIN)).about("running Glance")
    assert (row["state"], row["found"]) == (
        "warning",
        "does not say that it has s3gateway",
    )
    [row] = managed(*words, env=user(managed.glance.url, ALICE)).about("running Glance")
    assert (row["state"], row["found"]) == (
        "note",
        "whether it has s3gateway is not known",
    )
    assert managed.cloud.kept() == before


@pytest.mark.full
def test_a_configuration_that_cannot_be_used(managed: Manage) -> None:
    done = managed("check", config={"fast": {"s3_store_bucket": ""}})
    assert done.code == 2
    assert done.summary.startswith(
        "[fast] s3_store_bucket: not set; set it to the bucket"
    )


@pytest.mark.full
def test_it_is_for_people_too(managed: Manage) -> None:
    done = managed.text("check")
    assert done.returncode == 0
    assert "state  subject" in done.stdout
    assert "0 errors" in done.stdout
