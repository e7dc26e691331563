# SPDX-License-Identifier: Apache-2.0
"""CreateBucket, and where servers differ in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from s3gateway.errors import ObjectExists
from s3gateway.errors import StoreError

#: boto3's ``create_bucket``, for one bucket.
Create = Callable[..., object]


def create(ask: Create, region: str) -> None:
    """Create a bucket; it is no error if it exists.

    :param region: its region; may be empty
    :raises StoreError: if it does not exist afterwards
    """
    # S3 does not accept us-east-1, its first region, here.
    named = {} if region in ("", "us-east-1") else {"LocationConstraint": region}
    with contextlib.suppress(ObjectExists):  # another client was faster
        try:
            ask(**({"CreateBucketConfiguration": named} if named else {}))
        except StoreError as error:
            # Ceph expects a zonegroup here, and a region is often not one.
            if not named or "LocationConstraint" not in error.code:
                raise
            ask()
