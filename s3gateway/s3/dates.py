# SPDX-License-Identifier: Apache-2.0
"""The Date of an S3 answer: how old something is by the server's own clock."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any


def of_answer(answer: Mapping[str, Any]) -> datetime.datetime:
    """Return what the store's clock shows, this host's if a proxy dropped it."""
    found = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not found:
        return datetime.datetime.now(datetime.timezone.utc)
    return parsedate_to_datetime(found)
