# SPDX-License-Identifier: Apache-2.0
"""What is read out of a client's table and the gateway's log."""

from __future__ import annotations

import pytest

from tests.documents import blocks

TABLE = """\
+----------------+--------------------------------------+
| Field          | Value                                |
+----------------+--------------------------------------+
| id             | 1b0cfa28-a05e-4c8c-aef8-1b9a766701c2 |
| volume_type_id | bcd9c1bd-e8ca-4eee-af73-885a51dc1f24 |
+----------------+--------------------------------------+
"""
LOG = """\
INFO upload of image a, store minio: ok, 7 bytes in 1.000 s
INFO download of image a, store minio: ok, 7 bytes in 1.000 s
INFO download of image a, store minio: client, 3 bytes in 1.000 s
INFO download of image ab, store minio: ok, 7 bytes in 1.000 s
"""


def test_the_id_in_a_table() -> None:
    assert blocks.id_in(TABLE) == "1b0cfa28-a05e-4c8c-aef8-1b9a766701c2"
    with pytest.raises(ValueError, match="not enough values"):
        blocks.id_in("no table")


def test_whole_downloads_of_one_image_count() -> None:
    assert blocks.downloads(LOG, "a") == 1
    assert blocks.downloads(LOG, "b") == 0
