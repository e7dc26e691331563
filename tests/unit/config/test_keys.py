# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pathlib

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys

CONFIGURED = KeyPair("configured", "secret")


def test_configured_keys_never_change() -> None:
    keys = Keys(CONFIGURED)
    assert not keys.from_files
    assert keys.current() == CONFIGURED
    assert keys.read_again() == CONFIGURED


def test_a_changed_file_is_read_again(tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    keys = Keys(CONFIGURED, secret_key_file=str(secret))
    assert keys.current() == KeyPair("configured", "first")
    secret.write_text("another one\n")
    assert keys.current() == KeyPair("configured", "another one")


def test_a_replaced_file_is_read_again(tmp_path: pathlib.Path) -> None:
    access = tmp_path / "access"
    access.write_text("first")
    keys = Keys(CONFIGURED, access_key_file=str(access))
    new = tmp_path / "new"
    new.write_text("other")
    new.rename(access)
    assert keys.current() == KeyPair("other", "secret")


def test_keys_stay_while_a_file_is_missing(tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first")
    keys = Keys(CONFIGURED, secret_key_file=str(secret))
    secret.unlink()
    assert keys.current().secret_key == "first"
    secret.write_text("second")
    assert keys.current().secret_key == "second"


def test_a_file_must_be_there_at_the_start(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        Keys(CONFIGURED, access_key_file=str(tmp_path / "nothing"))


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfea\x00", b"half a\nkey"])
def test_a_file_without_a_key_in_it(tmp_path: pathlib.Path, content: bytes) -> None:
    """As one that is just being written: an empty key would have others be used."""
    secret = tmp_path / "secret"
    secret.write_text("first")
    keys = Keys(CONFIGURED, secret_key_file=str(secret))
    secret.write_bytes(content)
    assert keys.current().secret_key == "first"
    assert keys.read_again().secret_key == "first"
    with pytest.raises(ValueError, match="does not hold a key"):
        Keys(CONFIGURED, secret_key_file=str(secret))
    secret.write_text("second")
    assert keys.current().secret_key == "second"


def test_a_bad_file_is_reported_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first")
    keys = Keys(CONFIGURED, secret_key_file=str(secret))
    secret.write_text("")
    for _ in range(3):
        keys.current()
    assert len(caplog.records) == 1


def test_keys_are_in_no_repr() -> None:
    assert "secret" not in repr(CONFIGURED)
