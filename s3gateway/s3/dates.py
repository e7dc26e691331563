# SPDX-License-Identifier: Apache-2.0
"""The Date and Last-Modified of S3's answers: how old something is.

Ages are by the server's own clock, and by this host's where an answer has no Date.
What has no date of its own that can be believed is young: nothing is taken for dead
because a proxy has dropped a header.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.utils import parse_timestamp

#: S3 is not older.  Servers that know no date say 1970.
_FIRST = datetime.datetime(2006, 1, 1, tzinfo=datetime.timezone.utc)


def parsed(header: str | None) -> datetime.datetime | None:
    """Return the date in a header (RFC 9110, 5.6.7), ``None`` if it is none."""
    try:
        found = parsedate_to_datetime(header or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return known(found)


def lenient(value: Any) -> datetime.datetime | None:
    """Return a date in a document, as botocore does, ``None`` if it is none."""
    try:
        return known(parse_timestamp(value))
    # RuntimeError is what botocore raises for a number that is no date.
    except (ValueError, TypeError, OverflowError, RuntimeError):
        return None


def known(date: datetime.datetime | None) -> datetime.datetime | None:
    """Return a date if it can be believed."""
    if date is None:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)
    return date if date >= _FIRST else None


def of_answer(answer: Mapping[str, Any]) -> datetime.datetime | None:
    """Return the Date of one of boto3's answers, ``None`` if it has none."""
    return parsed(answer["ResponseMetadata"]["HTTPHeaders"].get("date"))


def age(now: datetime.datetime | None, written: datetime.datetime | None) -> float:
    """Return how old something is in seconds, 0 if that is not known.

    :param now: the Date of the answer
    :param written: its own date
    """
    if written is None:
        return 0.0
    now = now or datetime.datetime.now(datetime.timezone.utc)
    return (now - written).total_seconds()
