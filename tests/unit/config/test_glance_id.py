# SPDX-License-Identifier: Apache-2.0
"""``glance_id`` is the same for all gateways of a Glance, and differs from others'."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from s3gateway.errors import ConfigError
from tests.support import configuration

PASSWORD = "a/password@with:all"
URL = "mysql+pymysql://glance:pass@db.example:3306/glance?charset=utf8"

CONFIG = """
[DEFAULT]
enabled_backends = fast:s3
[glance_store]
default_backend = fast
[fast]
s3_store_host = https://s3.example.org
s3_store_access_key = ACCESSKEY
s3_store_secret_key = a-secret-of-20-bytes
s3_store_bucket = glance
"""

Read = Callable[..., str]


@pytest.fixture
def read(tmp_path: pathlib.Path) -> Read:
    """Return what reads the id out of a file with these options."""

    def found(connection: str = "", glance_id: str = "") -> str:
        text = CONFIG
        if connection:
            text += f"[database]\nconnection = {connection}\n"
        if glance_id:
            text += f"[s3gateway]\nglance_id = {glance_id}\n"
        file = tmp_path / "glance-api.conf"
        file.write_text(text)
        stores = configuration.read(file).stores
        return stores["fast"].writing.glance_id

    return found


@pytest.mark.parametrize(
    "same",
    [
        URL,
        "mysql://glance:pass@db.example:3306/glance",
        "mysql+pymysql://another:rotated@db.example:3306/glance?ssl_ca=/etc/ca.pem",
        f"mysql+pymysql://glance:{PASSWORD}@db.example:3306/glance?charset=utf8",
        "mysql+mysqldb://db.example:3306/glance?read_default_file=~/user@home",
    ],
)
def test_how_a_database_is_connected_to_does_not_matter(read: Read, same: str) -> None:
    assert read(same) == read(URL)
    assert len(read(same)) == 16


@pytest.mark.parametrize(
    "other",
    [
        "mysql+pymysql://glance:pass@db.example:3306/glance2?charset=utf8",
        "mysql+pymysql://glance:pass@db2.example:3306/glance?charset=utf8",
        "postgresql://glance:pass@db.example:3306/glance",
        "sqlite:////var/lib/glance/glance.sqlite",
    ],
)
def test_another_database_is_another_glance(read: Read, other: str) -> None:
    assert read(other) not in (read(URL), "")


def test_it_tells_nothing_of_the_database(read: Read) -> None:
    assert not set("ghijklmnopqrstuvwxyz./:@") & set(read(URL))


def test_one_that_is_named_counts(read: Read) -> None:
    assert read(URL, "region-one.Images_1") == "region-one.Images_1"
    assert read("", "region-one") == "region-one"


def test_who_knows_no_database_and_names_none_has_none(read: Read) -> None:
    assert read() == ""


@pytest.mark.parametrize("wrong", ["r\u00e9gion", "two words", "x" * 65])
def test_one_that_cannot_be_metadata(read: Read, wrong: str) -> None:
    with pytest.raises(ConfigError, match="glance_id: must be 1 to 64 letters"):
        read(URL, wrong)
