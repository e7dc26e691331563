# SPDX-License-Identifier: Apache-2.0
"""What ``config`` shows of the settings, where they are from, and what it hides."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from s3gateway.config import options
from s3gateway.config.options.standalone import REMOTE_OPTS
from s3gateway.config.options.stores import STORE_OPTS
from s3gateway.manage import main
from tests.support import schema
from tests.unit.manage.bench import CONFIG

SECRETS = ("ACCESSKEY", "a-secret-of-20-bytes")


class Config:
    """The command on a configuration file.

    :ivar path: of the file
    """

    def __init__(self, path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.code = 0
        self.error = ""
        self._capsys = capsys

    def __call__(self, text: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the rows by section and option."""
        self.path.write_text(text)
        self.code = main(["--json", "--config-file", str(self.path), "config"])
        printed = self._capsys.readouterr()
        for secret in SECRETS:
            assert secret not in printed.out + printed.err
        self.error = printed.err
        rows = schema.valid(json.loads(printed.out))["rows"]
        return {(row["section"], row["option"]): row for row in rows}


@pytest.fixture
def config(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Config:
    return Config(tmp_path / "glance-api.conf", capsys)


def test_every_option_is_there(config: Config) -> None:
    rows = config(CONFIG)
    assert config.code == 0, config.error
    ours = [*options.GATEWAY_OPTS, *REMOTE_OPTS]
    assert {("s3gateway", opt.name) for opt in ours} <= rows.keys()
    for store in ("fast", "cheap"):
        assert {(store, opt.name) for opt in STORE_OPTS} <= rows.keys()
    assert ("DEFAULT", "show_multiple_locations") in rows


def test_where_a_value_is_from(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_S3GATEWAY__RETRY_TIME", "7")
    rows = config(CONFIG + "[s3gateway]\nclaim_grace = 60\n")
    file = str(config.path)
    for where, value, source, detail in (
        (("s3gateway", "claim_grace"), 60.0, "file", file),
        (("s3gateway", "retry_time"), 7.0, "environment", "OS_S3GATEWAY__RETRY_TIME"),
        (("s3gateway", "upload_buffer"), 64, "default", ""),
        (("DEFAULT", "enabled_backends"), {"fast": "s3", "cheap": "s3"}, "file", file),
        (("fast", "s3_store_bucket"), "fast", "file", file),
        (("fast", "s3_store_thread_pools"), 10, "default", ""),
        (("fast", "s3_store_kms_key_id"), "", "default", ""),
    ):
        found = rows[where]
        assert (found["value"], found["source"], found["detail"]) == (
            value, source, detail,
        ), where  # fmt: skip


def test_secrets_are_hidden(config: Config) -> None:
    rows = config(CONFIG)
    for option in ("s3_store_access_key", "s3_store_secret_key"):
        assert rows["fast", option]["value"] == "***"
        assert rows["fast", option]["source"] == "file"


def test_what_all_stores_share(config: Config) -> None:
    key = "s3_store_secret_key = a-secret-of-20-bytes\n"
    text = CONFIG.replace(key, "", 1) + f"[backend_defaults]\n{key}"
    rows = config(text + "s3_store_thread_pools = 3\n")
    row = rows["fast", "s3_store_thread_pools"]
    assert (row["value"], row["source"]) == (3, "file")
    assert row["detail"] == f"[backend_defaults] {config.path}"
    row = rows["fast", "s3_store_secret_key"]
    assert (row["value"], row["detail"]) == (
        "***",
        f"[backend_defaults] {config.path}",
    )
    assert "backend_defaults" not in rows["cheap", "s3_store_secret_key"]["detail"]


@pytest.mark.parametrize("user", ["ACCESSKEY:a-secret-of-20-bytes", "a:b/c@d"])
def test_a_user_in_a_url_is_hidden(config: Config, user: str) -> None:
    """The store cannot be used so, and what is wrong is said after the settings."""
    text = CONFIG.replace("http://s3.example:9000", f"https://{user}@s3.example")
    rows = config(text)
    assert rows["fast", "s3_store_host"]["value"] == "https://***@s3.example"
    assert config.code == 2
    assert "[fast] s3_store_host: must be an http" in config.error


def test_a_value_that_is_not_of_its_kind(config: Config) -> None:
    rows = config(CONFIG + "[s3gateway]\nclaim_grace = soon\n")
    row = rows["s3gateway", "claim_grace"]
    assert (row["value"], row["source"]) == (None, "file")
    assert row["detail"].startswith("not usable: ")
    assert config.code == 2
    assert "[s3gateway] claim_grace" in config.error


def test_stores_that_nobody_knows(config: Config) -> None:
    rows = config("[DEFAULT]\nenabled_backends = fast\n")
    assert rows["DEFAULT", "enabled_backends"]["detail"].startswith("not usable")
    assert config.code == 2


def test_the_id_that_is_computed(config: Config) -> None:
    database = "[database]\nconnection = mysql+pymysql://glance:secret@db/glance\n"
    row = config(CONFIG + database)["s3gateway", "glance_id"]
    assert len(row["value"]) == 16
    assert (row["source"], row["detail"]) == ("computed", "from [database] connection")
    named = database + "[s3gateway]\nglance_id = mine\n"
    row = config(CONFIG + named)["s3gateway", "glance_id"]
    assert (row["value"], row["source"]) == ("mine", "file")
    assert config(CONFIG)["s3gateway", "glance_id"]["source"] == "default"
    row = config(CONFIG + "[s3gateway]\nglance_id = a blank\n")[
        "s3gateway", "glance_id"
    ]
    assert row["value"] == "a blank"
    assert config.code == 2


def test_a_single_store(config: Config) -> None:
    keys = "s3_store_access_key = ACCESSKEY\ns3_store_secret_key = a-secret-of-20-bytes"
    text = f"""
[glance_store]
stores = s3
default_store = s3
s3_store_host = http://s3.example
s3_store_bucket = glance
{keys}
"""
    rows = config(text)
    assert config.code == 0, config.error
    assert rows["glance_store", "s3_store_bucket"]["value"] == "glance"
    assert rows["glance_store", "s3_store_secret_key"]["value"] == "***"


def test_a_gateway_of_its_own_whose_glance_is_nowhere(config: Config) -> None:
    rows = config(CONFIG + "[s3gateway]\nglance_url = ftp://me:word@nowhere\n")
    assert rows["s3gateway", "glance_url"]["value"] == "ftp://***@nowhere"
    assert config.code == 2
