# SPDX-License-Identifier: Apache-2.0
"""Keys of S3 in files of a Glance host, where only keys of the face may be."""

from __future__ import annotations

import os
import pathlib

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.config.sources import Sources
from s3gateway.manage.check import traces
from s3gateway.manage.check.findings import Finding

FACE = KeyPair("FACEKEY", "face-secret-$of-25-bytes")


def found_in(*paths: pathlib.Path) -> list[Finding]:
    return list(traces.check(paths, [FACE]))


@pytest.mark.parametrize(
    "line",
    [
        "s3_store_access_key = REALKEY",
        "s3_store_secret_key=real/secret+key=0123",
        "#s3_store_secret_key = of-a-year-ago",
        "  ; s3_store_access_key : REALKEY",
        '"s3_store_secret_key": "from-json"',
        "export AWS_SECRET_ACCESS_KEY='real/secret'",
        "aws_access_key_id = REALKEY",
        "#s3_store_secret_key_file = /etc/glance/real/{store}.secret",
        "INFO location s3+https://REALKEY:real/secret+key@s3.example/glance/6f2c",
        "s3://REALKEY:secret@s3.example:9000/glance/6f2c",
        "an access key AKIAIOSFODNN7EXAMPLE in some text",
    ],
    ids=range(11),
)
def test_a_key(tmp_path: pathlib.Path, line: str) -> None:
    path = tmp_path / "glance-api.conf.bak"
    path.write_text(f"[fast]\n{line}\n")
    [finding] = found_in(tmp_path)
    assert (finding.code, finding.found) == ("key_in_file", f"{path} has a key")
    assert "line 2 " in finding.advice
    for word in ("REALKEY", "real", "AKIA", "s3.example", "year"):
        assert word not in finding.found + finding.advice


@pytest.mark.parametrize(
    "line",
    [
        "s3_store_access_key = FACEKEY",
        "s3_store_secret_key = face-secret-$$of-25-bytes",
        "#s3_store_secret_key = face-secret-$of-25-bytes",
        "#s3_store_access_key = <None>",
        "s3_store_secret_key =",
        "s3_store_secret_key = {{ s3_secret }}",
        "s3_store_secret_key = ***",
        "s3://FACEKEY:face-secret-$of-25-bytes@192.0.2.11:9293/glance/6f2c",
        "s3://fast/6f2c5a1e-0000-4000-8000-000000000000",
        "s3_store_host = http://192.0.2.11:9293",
        "# s3_store_access_key and s3_store_secret_key are those of the face",
    ],
)
def test_no_key(tmp_path: pathlib.Path, line: str) -> None:
    (tmp_path / "glance-api.conf").write_text(f"[fast]\n{line}\n")
    [finding] = found_in(tmp_path)
    assert finding.code == "files_without_keys"
    assert finding.found == "none of 1 has a key of S3"
    assert str(tmp_path) in finding.advice


def test_each_file_is_read_once_and_bytes_that_are_no_text_too(
    tmp_path: pathlib.Path,
) -> None:
    inner = tmp_path / "glance.conf.d"
    inner.mkdir()
    (inner / "secrets.conf").write_bytes(b"\xff\x00\n s3_store_secret_key = x\n")
    (tmp_path / "long").write_text("x" * 200_000)
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "fifo")
    [finding] = found_in(tmp_path, inner, inner / "secrets.conf")
    assert finding.code == "key_in_file"
    assert "line 2 " in finding.advice


def test_what_cannot_be_read_is_said(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.conf").write_text("")
    shut = tmp_path / "shut.conf"
    shut.write_text("s3_store_secret_key = x")
    real = pathlib.Path.open

    def opened(path: pathlib.Path, *words: object, **more: object) -> object:
        if path == shut:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *words, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(pathlib.Path, "open", opened)
    found = {finding.code: finding for finding in found_in(tmp_path)}
    assert set(found) == {"file_not_read", "files_without_keys"}
    assert found["file_not_read"].found == f"{shut} cannot be read"
    assert "none of 1 " in found["files_without_keys"].found


def test_a_place_that_is_not_there(tmp_path: pathlib.Path) -> None:
    found = found_in(tmp_path / "nothing")
    assert [finding.code for finding in found] == [
        "file_not_read",
        "files_without_keys",
    ]


def test_where_is_looked(tmp_path: pathlib.Path) -> None:
    """Beside what was read; a directory within another is not named twice."""
    inner, other = tmp_path / "conf.d", tmp_path.parent / f"{tmp_path.name}-other"
    for directory in (inner, other):
        directory.mkdir()
    read = Sources(
        [str(tmp_path / "glance-api.conf")],
        [str(inner), "/no/such/directory"],
        [f"--config-file={other}/more.conf"],
    )
    more = pathlib.Path("/var/log/glance")
    assert traces.places(read, [more]) == [tmp_path, other, more]
