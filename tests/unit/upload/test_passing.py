# SPDX-License-Identifier: Apache-2.0
"""Uploads that pass to Glance, and their reasons in log and metric."""

from __future__ import annotations

import logging
import pathlib

import pytest

from s3gateway.monitoring import metrics
from s3gateway.upload import passing
from tests.support.servers.inprocess import InProcess

DATA = b"an image"
FREE = {"limit": -1, "usage": 5}


@pytest.fixture
def world(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    monkeypatch.setattr(passing, "_said", set())
    return InProcess(tmp_path, monkeypatch, "use_keystone_limits = True")


def count(reason: str) -> float:
    name, labels = "s3gateway_passed_uploads_total", {"reason": reason}
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def put(world: InProcess, **properties: str) -> bool:
    """Upload to a new image; return whether Glance got the data."""
    image_id = world.glance.create(**properties)
    assert world.put(world.gateway(), image_id, DATA) == 204
    passed = bool(world.glance.received)
    world.glance.received.clear()
    return passed


@pytest.mark.parametrize(
    ("total", "uploading", "left"),
    [
        (FREE, FREE, False),
        (FREE, {"limit": 5, "usage": 5}, True),
        ({"limit": 0, "usage": 0}, FREE, False),
        ({"limit": 4, "usage": 5}, FREE, True),
    ],
)
def test_a_limit_below_0_is_none(
    world: InProcess, total: dict[str, int], uploading: dict[str, int], left: bool
) -> None:
    world.glance.usage = {"image_size_total": total, "image_count_uploading": uploading}
    before = count("limits")
    assert put(world) is left
    assert count("limits") - before == left


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"disk_format": ""}, "format"),
        ({"img_signature_hash_method": "SHA-256"}, "signed"),
        ({"os_encrypt_format": "LUKSv1", "os_encrypt_key_id": "1"}, "encrypted"),
    ],
)
def test_images_that_are_glances(
    world: InProcess, properties: dict[str, str], reason: str
) -> None:
    before = count(reason)
    assert put(world, **properties)
    assert count(reason) - before == 1
    assert not put(world, os_decrypt="no", os_type="linux")


def test_why_is_said_once(world: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "s3gateway")
    for _ in range(3):
        put(world, img_signature="x")
        put(world, os_encrypt_type="x")
    said = [line for line in caplog.messages if "left to Glance" in line]
    assert ["signed" in said[0], "encrypted" in said[1]] == [True, True]
    assert len(said) == 2
