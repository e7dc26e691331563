# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage bench, through a Glance with the gateway."""

from __future__ import annotations

from tests.support.people import ALICE
from tests.support.servers.manage import Manage
from tests.support.servers.manage import user

WORDS = ("bench", "--images", "4", "--size", "12", "--concurrency", "2")


def test_images_are_measured_and_deleted(managed: Manage) -> None:
    kept = set(managed.cloud.kept())
    who = user(managed.glance.url, ALICE)
    asked = managed(*WORDS, env=who)
    assert asked.code == 2, asked.text
    assert "--yes: it is needed" in asked.text
    done = managed(*WORDS, "--store", "cheap", "--yes", env=who)
    assert done.code == 0, done.text
    assert [row["step"] for row in done.rows] == [
        "create", "upload", "download", "delete",
    ]  # fmt: skip
    for row in done.rows:
        assert (row["images"], row["failed"]) == (4, 0)
        assert 0 < row["p50_seconds"] <= row["p99_seconds"] <= row["seconds"]
    assert done.rows[1]["mib_per_second"] > 0
    assert set(managed.cloud.kept()) == kept
    left = "SELECT COUNT(*) FROM images WHERE deleted = 0 AND name = %s"
    managed.cloud.rows("ROLLBACK")
    assert managed.cloud.rows(left, "s3gateway-manage bench") == ((0,),)
    refused = managed(*WORDS, "--store", "nowhere", "--yes", env=who)
    assert refused.code == 1, refused.text
    assert refused.rows[1]["failed"] == 4
    assert set(managed.cloud.kept()) == kept
