# SPDX-License-Identifier: Apache-2.0
"""Date and Last-Modified in S3's responses: the age of objects.

Ages use the server's clock, or this host's if a response has no Date.  An object
without a credible date counts as new: a header that a proxy dropped must not make it
look dead.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.utils import parse_timestamp

#: S3 is not older.  Servers without a date send 1970.
_FIRST = datetime.datetime(2006, 1, 1, tzinfo=datetime.timezone.utc)


def parsed(header: str | None) -> datetime.datetime | None:
    """Return the date in a header (RFC 9110, 5.6.7), ``None`` if there is none."""
    try:
        found = parsedate_to_datetime(header or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return known(found)


def lenient(value: Any) -> datetime.datetime | None:
    """Parse a date in a document as botocore does; ``None`` if it is not one."""
    try:
        return known(parse_timestamp(value))
    # RuntimeError is what botocore raises for a number that is no date.
    except (ValueError, TypeError, OverflowError, RuntimeError):
        return None


def known(date: datetime.datetime | None) -> datetime.datetime | None:
    """Return a date if it is credible."""
    if date is None:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)
    return date if date >= _FIRST else None


def of_answer(answer: Mapping[str, Any]) -> datetime.datetime | None:
    """Return the Date of one of boto3's answers, ``None`` if it has none."""
    return parsed(answer["ResponseMetadata"]["HTTPHeaders"].get("date"))


def age(now: datetime.datetime | None, written: datetime.datetime | None) -> float:
    """Return an age in seconds, 0 if it is unknown.

    :param now: the Date of the response
    :param written: the Last-Modified of the object
    """
    if written is None:
        return 0.0
    now = now or datetime.datetime.now(datetime.timezone.utc)
    return (now - written).total_seconds()
