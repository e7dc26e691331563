# SPDX-License-Identifier: Apache-2.0
"""The gateway takes those hosts of S3 servers that Glance's own driver can use."""

from __future__ import annotations

import json

import pytest

from s3gateway.config import endpoints
from s3gateway.config.stores import Section
from s3gateway.errors import ConfigError
from tests.support import tiers
from tests.support.servers import environments
from tests.support.servers.processes import run

HOSTS = [
    *sorted(endpoints._HOSTS_WITH_REGION),
    "s3-eu-west-1.amazonaws.com:80",
    "s3-eu-west-1.amazonaws.com/",
    "s3-eu-south-1.amazonaws.com",
    "s3.eu-west-1.amazonaws.com",
    "s3.amazonaws.com",
    "s3.example.org",
    "minio",
    "minio:9000",
    "192.0.2.1:7480",
    "[2001:db8::1]:9000",
    "http://minio:9000",
    "https://s3.example.org/",
    "http://s3-eu-west-1.amazonaws.com",
]
REGIONS = ("", "eu-west-1")

#: Has the driver make its client of S3 for each; prints for which it does.
DRIVER = """
import inspect, json, sys
from types import SimpleNamespace
from glance_store._drivers import s3

def takes(host, region):
    options = {
        "s3_store_host": host,
        "s3_store_bucket_url_format": "path",
        "s3_store_cacert": "",
        "s3_store_enable_data_integrity_protection": False,
    }
    keys = dict(accesskey="KEY", secretkey="secret", bucket="bucket", scheme="s3")
    store = SimpleNamespace(
        _option_get=options.get, access_key="KEY", secret_key="secret",
        bucket="bucket", scheme="s3", region_name=region,
    )
    make = s3.Store._create_s3_client
    with_location = "loc" in inspect.signature(make).parameters
    try:
        make(store, *([SimpleNamespace(**keys)] if with_location else []))
    except ValueError as error:
        assert "Invalid endpoint" in str(error), error
        return False
    return True

print(json.dumps([takes(host, region) for host, region in json.loads(sys.argv[1])]))
"""


class _Group:
    """A section of the configuration that has two options."""

    def __init__(self, host: str, region: str) -> None:
        self.s3_store_host = host
        self.s3_store_region_name = region


def takes(host: str, region: str) -> bool:
    try:
        endpoints.endpoint(Section("fast", _Group(host, region)))
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("release", tiers.but([33], [30, 33]))
def test_the_same_hosts_as_the_driver(release: int) -> None:
    asked = [(host, region) for host in HOSTS for region in REGIONS]
    python = environments.bin_dir(f"glance-{release}") / "python"
    done = run([python, "-c", DRIVER, json.dumps(asked)])
    drivers = json.loads(done.stdout.splitlines()[-1])
    assert dict(zip(asked, drivers, strict=True)) == {
        each: takes(*each) for each in asked
    }
