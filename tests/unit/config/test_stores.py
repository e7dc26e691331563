# SPDX-License-Identifier: Apache-2.0
"""The section of one store: every option is read and checked."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import trustme
from oslo_config import cfg

from s3gateway.config import options
from s3gateway.config.options.stores import STORE_OPTS
from s3gateway.config.stores import Section
from s3gateway.config.stores import StoreSettings
from s3gateway.config.stores import read_store
from s3gateway.errors import ConfigError

STORE = {
    "s3_store_host": "https://s3.example.org",
    "s3_store_access_key": "ACCESSKEY",
    "s3_store_secret_key": "a-secret-of-20-bytes",
    "s3_store_bucket": "glance",
}


class Recording(Section):
    """A section that knows which of its options were read."""

    def __init__(self, name: str, group: Any) -> None:
        super().__init__(name, group)
        self.read: set[str] = set()

    def __getitem__(self, option: str) -> Any:
        self.read.add(option)
        return super().__getitem__(option)


def section(**values: Any) -> Recording:
    """Return a store's section with these options over what every store has."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opts(STORE_OPTS, group="fast")
    for name, value in {**STORE, **values}.items():
        conf.set_override(name, value, group="fast")
    return Recording("fast", conf.fast)


def read(found: Section) -> StoreSettings:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opts(options.GATEWAY_OPTS, group=options.GROUP)
    return read_store("fast", found, Section(options.GROUP, conf[options.GROUP]))


def test_no_option_is_declared_that_nobody_reads() -> None:
    found = section()
    read(found)
    assert found.read == {opt.name for opt in STORE_OPTS}


def test_checksums_are_sent_with_data_integrity_protection_alone() -> None:
    wanted = {"s3_store_request_checksum_calculation": "when_supported"}
    assert read(section(**wanted)).request_checksums == "when_required"
    wanted["s3_store_enable_data_integrity_protection"] = "true"
    assert read(section(**wanted)).request_checksums == "when_supported"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("", ""),
        ("garbage\n", ""),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""),
    ],
)
def test_a_file_of_cas_that_is_none(
    tmp_path: pathlib.Path, content: str | None, reason: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError) as refused:
        read(section(s3_store_cacert=str(file)))
    assert refused.value.option == "s3_store_cacert"
    assert f"{file} is not a file of CA certificates" in str(refused.value)
    assert reason in str(refused.value)
    plain = section(s3_store_cacert=str(file), s3_store_host="http://s3.example.org")
    assert read(plain).cacert == str(file)  # which nobody reads


def test_a_directory_is_no_file_of_cas(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="is not a file of CA certificates"):
        read(section(s3_store_cacert=str(tmp_path)))


def test_a_file_of_cas(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    assert read(section(s3_store_cacert=str(file))).cacert == str(file)
