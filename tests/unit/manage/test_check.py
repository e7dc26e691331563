# SPDX-License-Identifier: Apache-2.0
"""What ``check --store`` and ``check --no-write`` leave out."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from s3gateway.config.stores import StoreSettings
from s3gateway.manage import main
from s3gateway.manage.check import command
from s3gateway.manage.check import findings
from s3gateway.manage.check import member
from s3gateway.manage.check import probes
from s3gateway.manage.check import reach
from s3gateway.manage.check import store
from s3gateway.manage.check.findings import Finding
from s3gateway.s3.store import S3Store
from tests.support import schema
from tests.unit.manage.bench import CONFIG


class Check:
    """The command; what it would do to stores is noted instead.

    :ivar looked: the stores that were looked at, and whether they may be written
    """

    def __init__(
        self,
        directory: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.looked: list[tuple[str, bool]] = []
        self._capsys = capsys
        self._config = directory / "glance-api.conf"
        self._config.write_text(
            f"{CONFIG}[s3gateway]\nglance_url = http://127.0.0.1:9\n"
            "[check_user]\nauth_type = admin_token\ntoken = x\n"
            "endpoint = http://127.0.0.1:9\n"
        )
        monkeypatch.setattr(command, "check_store", self._look)

    def __call__(self, *words: str) -> tuple[int, dict[str, Any]]:
        code = main(["check", "--json", "--config-file", str(self._config), *words])
        return code, schema.valid(json.loads(self._capsys.readouterr().out))

    def _look(
        self, settings: StoreSettings, transfer: object, *, write: bool
    ) -> list[Finding]:
        self.looked.append((settings.name, write))
        return []


@pytest.fixture
def check(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Check:
    return Check(tmp_path, monkeypatch, capsys)


def test_all_stores_are_looked_at_and_written(check: Check) -> None:
    check()
    assert check.looked == [("fast", True), ("cheap", True)]


def test_one_store(check: Check) -> None:
    check("--store", "cheap")
    assert check.looked == [("cheap", True)]


def test_a_store_that_is_none(check: Check) -> None:
    code, document = check("--store", "file")
    assert code == 2
    assert (
        document["error"] == "--store: 'file' is not an S3 store; those are fast, cheap"
    )


def test_nothing_is_written(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(*words: object) -> int:
        raise AssertionError("an image was created")

    monkeypatch.setattr(member, "_try", create)
    _, document = check("--no-write")
    assert check.looked == [("fast", False), ("cheap", False)]
    [row] = [r for r in document["rows"] if r["subject"] == "Glance's policy"]
    assert (row["state"], row["code"]) == ("note", "member_needs_an_image")


def test_rows_have_keys_that_programs_like(check: Check) -> None:
    _, document = check("--store", "fast", "--no-write")
    assert {tuple(row) for row in document["rows"]} == {
        ("state", "code", "subject", "found", "detail")
    }


def test_a_store_is_looked_at_without_a_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    class Bucket:
        """Knows no write."""

        class transfer:  # noqa: N801
            connect_timeout = 1.0

        class connection:  # noqa: N801
            cacert = region = ""

        def ask(self, operation: str, **how: Any) -> dict[str, Any]:
            asked.append(operation)
            return {}

    class Store:
        settings = name = None
        bucket = Bucket()

    monkeypatch.setattr(reach, "unreachable", lambda *words: None)
    looked = store.look_at(Store())  # type: ignore[arg-type]
    assert [each.subject for each in looked] == [
        "access", "writing", "versioning", "lifecycle",
    ]  # fmt: skip
    assert asked == [
        "list_objects_v2",
        "get_bucket_versioning",
        "get_bucket_lifecycle_configuration",
    ]
    assert set(probes.READING) <= set(probes.ALL)


def test_a_store_that_cannot_be_reached_is_one_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = findings.error(
        "host_name_unknown", "access", "unknown host name", "Look."
    )
    monkeypatch.setattr(store, "_access", lambda found: problem)
    unused: S3Store = None  # type: ignore[assignment]
    assert store.look_at(unused) == [problem]
