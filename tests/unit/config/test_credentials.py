# SPDX-License-Identifier: Apache-2.0
"""Which credentials the section of a store says that it has."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.config.settings import Settings
from s3gateway.errors import ConfigError
from s3gateway.glance import surroundings
from s3gateway.glance.releases import Traits
from tests.support.configuration import read

STORE = """
[DEFAULT]
enabled_backends = fast:s3
[glance_store]
default_backend = fast
[fast]
s3_store_host = http://s3.example:9000
s3_store_bucket = images
"""
CHAIN = "s3_store_credentials = chain\n"
KEYS = "s3_store_access_key = AK\ns3_store_secret_key = a-secret-of-20-bytes\n"

Reading = Callable[[str], Settings]


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Reading:
    def reading(more: str) -> Settings:
        file = tmp_path / "glance-api.conf"
        file.write_text(STORE + more)
        return read(file)

    return reading


def test_configured_keys_are_the_default(settings: Reading) -> None:
    assert settings(KEYS).stores["fast"].chain is None
    with pytest.raises(ConfigError, match="s3_store_access_key: not set"):
        settings("")


def test_a_chain_needs_no_keys(settings: Reading) -> None:
    store = settings(CHAIN).stores["fast"]
    assert store.chain is not None
    assert store.chain.profile == ""
    assert store.keys.current() == KeyPair("", "")


def test_beside_a_chain_the_keys_are_for_locations(settings: Reading) -> None:
    store = settings(CHAIN + KEYS + "s3_store_profile = images\n").stores["fast"]
    assert store.chain is not None
    assert store.chain.profile == "images"
    assert store.keys.current() == KeyPair("AK", "a-secret-of-20-bytes")


@pytest.mark.parametrize("half", KEYS.splitlines())
def test_half_a_pair_of_keys(settings: Reading, half: str) -> None:
    with pytest.raises(ConfigError, match="without a secret key, or the other way"):
        settings(f"{CHAIN}{half}\n")


def test_a_profile_without_a_chain(settings: Reading) -> None:
    with pytest.raises(ConfigError, match="s3_store_profile: set without"):
        settings(KEYS + "s3_store_profile = images\n")


def test_a_word_that_is_no_choice(settings: Reading) -> None:
    with pytest.raises(ConfigError, match="s3_store_credentials"):
        settings(KEYS + "s3_store_credentials = magic\n")


@pytest.mark.parametrize("more", [KEYS, CHAIN + KEYS])
def test_locations_of_an_old_glance_need_keys(settings: Reading, more: str) -> None:
    old, new = Traits(credentials_in_uris=True), Traits()
    surroundings.need_keys_for_locations(settings(more), old)
    surroundings.need_keys_for_locations(settings(CHAIN), new)
    with pytest.raises(ConfigError, match="does not replace it here"):
        surroundings.need_keys_for_locations(settings(CHAIN), old)


def test_a_filter_says_what_glance_cannot_do(
    settings: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        surroundings.report_chains(settings(CHAIN + KEYS))
        assert not caplog.records
        surroundings.report_chains(settings(CHAIN))
    [record] = caplog.records
    assert "Store fast has s3_store_credentials = chain" in record.getMessage()
    assert "deletes leave the data in S3" in record.getMessage()
