# SPDX-License-Identifier: Apache-2.0
"""What an operator can mend is told without a traceback, and without a secret."""

from __future__ import annotations

import json
import logging
import pathlib

import pytest

from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.glance.api import Refused
from s3gateway.http import wsgi
from s3gateway.manage import main
from s3gateway.manage import trouble
from tests.unit.manage.moving import Moving


class DBConnectionError(Exception):
    """As oslo.db's is called."""


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NO_MODULE = """
Glance cannot be set up. ModuleNotFoundError: No module named 'os_brick'. Install the
module, or run the command in the environment that Glance is installed in.
"""
NO_DATABASE = """
Glance did not answer. DBConnectionError: refused. Check that the database runs and that
this host reaches it: [database] connection.
"""
NO_RIGHT = """
PermissionError: [Errno 13] Permission denied: '/etc/glance/key'. Run the command as a
user who may read it, such as glance.
"""
NO_ANSWER = """
Glance answered 500 Internal Server Error. Look at what Glance has logged. Most often it
does not reach its database: [database] connection.
"""
NOT_KNOWN = """
RuntimeError: what is this. Run the command again with --debug to see the traceback.
"""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GatewayError("Not all could be looked at."), "Not all could be looked at."),
        (
            raised_from(
                GlanceError("Glance cannot be set up."),
                ModuleNotFoundError("No module named 'os_brick'"),
            ),
            NO_MODULE,
        ),
        (
            raised_from(
                GlanceError("Glance did not answer."),
                raised_from(DBConnectionError("refused\n[SQL: SELECT 1]"), OSError()),
            ),
            NO_DATABASE,
        ),
        (PermissionError(13, "Permission denied", "/etc/glance/key"), NO_RIGHT),
        (Refused(wsgi.Answer("500 Internal Server Error", [], [])), NO_ANSWER),
        (
            Refused(wsgi.Answer("403 Forbidden", [], [])),
            "Glance answered 403 Forbidden",
        ),
        (RuntimeError("what is this"), NOT_KNOWN),
        (
            raised_from(
                ConfigError("fast", "s3_store_secret_key", "not a text"),
                ValueError("a-secret"),
            ),
            "[fast] s3_store_secret_key: not a text",
        ),
    ],
)
def test_what_is_wrong_and_what_to_do(error: Exception, told: str) -> None:
    assert trouble.told(error) == told.strip().replace("\n", " ")


@pytest.mark.parametrize(
    "said",
    [
        "no URL: 'mysql+pymysql://glance:sec:ret@db/glance'",
        "no such host: s3://KEY:sec@ret@host/bucket",
        "Invalid location uri s3://KEY:some/sec/ret@host/bucket/key",
        "no location: 's3://KEY:some/secret@host/bucket/key'",
        "Can't connect to MySQL server on 'secret@127.0.0.1'",
    ],
)
def test_no_password_of_a_url(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with trouble.logged(debug=True):
        logging.getLogger("glance").error("Caught error: %s", said)
    for told in (trouble.brief(RuntimeError(said)), capsys.readouterr().err):
        assert "sec" not in told
        assert "***@" in told


def test_a_traceback_for_debug_only(
    moving: Moving,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def images(self: object) -> None:
        raise RuntimeError("what is this")

    monkeypatch.setattr("s3gateway.manage.operator.Operator.images", images)
    code, document = moving("locations", "audit")
    assert (code, document["command"]) == (3, "locations audit")
    assert document["error"].startswith("RuntimeError: what is this")
    assert "Traceback" not in moving.said
    assert moving("locations", "audit", "--debug")[0] == 3
    assert "Traceback" in moving.said


def test_what_glance_logs_has_a_traceback_for_debug_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for debug in (False, True):
        with trouble.logged(debug=debug):
            try:
                raise ZeroDivisionError("by zero")
            except ZeroDivisionError:
                logging.getLogger("glance").exception("It failed")
        said = capsys.readouterr().err
        assert "ERROR glance: It failed" in said
        assert "ZeroDivisionError: by zero" in said
        assert ("Traceback" in said) is debug


def test_a_file_that_cannot_be_read(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--config-file={tmp_path}", "check", "--json"]) == 2
    printed = capsys.readouterr()
    assert str(tmp_path) in json.loads(printed.out)["error"]
    assert "Traceback" not in printed.err
