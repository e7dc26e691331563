# SPDX-License-Identifier: Apache-2.0
"""The shipped configuration of a stand-alone gateway loads."""

from __future__ import annotations

import pathlib

from s3gateway.config import remote
from s3gateway.config import settings
from tests.support import configuration

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_it_loads() -> None:
    file = ROOT / "etc" / "s3gateway" / "s3gateway.conf"
    conf = configuration.parse(file)
    assert list(settings.read(conf).stores) == ["fast"]
    glance = remote.read(conf)
    assert glance is not None
    assert glance.url == "http://192.0.2.21:9292"
