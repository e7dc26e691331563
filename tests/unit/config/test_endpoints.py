# SPDX-License-Identifier: Apache-2.0
"""Hosts without a scheme are taken where Glance's own driver can use them."""

from __future__ import annotations

from typing import Any

import pytest

from s3gateway.config.endpoints import endpoint
from s3gateway.config.stores import Section
from s3gateway.errors import ConfigError


class _Group:
    """A section of the configuration that has two options."""

    def __init__(self, host: str, region: str) -> None:
        self.s3_store_host = host
        self.s3_store_region_name = region


def found(host: str, region: str = "") -> str:
    group: Any = _Group(host, region)
    return endpoint(Section("fast", group))


@pytest.mark.parametrize(
    "host",
    [
        "minio",
        "minio:9000",
        "s3.example.org/",
        "192.0.2.1:7480",
        "[2001:db8::1]:9000",
        "s3.amazonaws.com",  # it is in the driver's table, but without a region
        "s3.eu-west-1.amazonaws.com",
        "s3-eu-south-1.amazonaws.com",
        "s3-eu-west-1.amazonaws.com/base",
    ],
)
def test_what_the_driver_cannot_use_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"has no scheme: .* write http://") as raised:
        found(host)
    assert host not in str(raised.value)
    assert found(f"http://{host}") == f"http://{host}".rstrip("/")


@pytest.mark.parametrize("rest", ["", ":80", "/", ":80/"])
@pytest.mark.parametrize(
    "host", ["s3-eu-west-1.amazonaws.com", "s3-cn-north-1.amazonaws.com.cn"]
)
def test_a_host_whose_region_the_driver_knows(host: str, rest: str) -> None:
    assert found(host + rest) == f"http://{host}{rest}".rstrip("/")


def test_the_driver_takes_such_a_host_for_an_endpoint_if_there_is_a_region() -> None:
    with pytest.raises(ConfigError, match="has no scheme"):
        found("s3-eu-west-1.amazonaws.com", "eu-west-1")
