# SPDX-License-Identifier: Apache-2.0
"""Conditional requests: pure functions that follow RFC 9110, section 13."""

from __future__ import annotations

import dataclasses
import datetime
import re
from email.utils import format_datetime
from email.utils import parsedate_to_datetime

from s3gateway.http.wsgi import Environ

# RFC 9110, 5.6.7: IMF-fixdate and the two obsolete formats.  The parser accepts more
# and fails on some of that.
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
    r"|[A-Z][a-z]{5,8}, [0-9]{2}-[A-Z][a-z]{2}-[0-9]{2} [0-9:]{8} GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9 ][0-9] [0-9:]{8} [0-9]{4}"
)
_ENTITY_TAGS = re.compile(r'(W/)?"([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Validators:
    """ETag and Last-Modified of an image's data.

    :ivar etag: the opaque part of a strong entity tag, without quotes
    :ivar modified: when the data was last changed, to the second
    """

    etag: str
    modified: datetime.datetime | None

    def headers(self) -> list[tuple[str, str]]:
        """Return the ETag and Last-Modified headers."""
        headers = [("ETag", f'"{self.etag}"')] if self.etag else []
        if self.modified is not None:
            headers.append(
                ("Last-Modified", format_datetime(self.modified, usegmt=True))
            )
        return headers


def failed(environ: Environ, validators: Validators) -> int:
    """Return 304 or 412 if a precondition fails, otherwise 0.

    The order is that of RFC 9110, 13.2.2, for GET and HEAD.
    """
    if "HTTP_IF_MATCH" in environ:
        if not _matches(environ["HTTP_IF_MATCH"], validators.etag, strongly=True):
            return 412
    elif _changed(validators, environ.get("HTTP_IF_UNMODIFIED_SINCE", "")):
        return 412
    if "HTTP_IF_NONE_MATCH" in environ:
        if _matches(environ["HTTP_IF_NONE_MATCH"], validators.etag, strongly=False):
            return 304
    elif _changed(validators, environ.get("HTTP_IF_MODIFIED_SINCE", "")) is False:
        return 304
    return 0


def range_applies(environ: Environ, validators: Validators) -> bool:
    """Whether If-Range allows the Range header to apply (RFC 9110, 13.1.5)."""
    condition = environ.get("HTTP_IF_RANGE", "").strip()
    if not condition:
        return True
    if '"' in condition:
        return _matches(condition, validators.etag, strongly=True)
    return validators.modified is not None and _date(condition) == validators.modified


def _matches(condition: str, etag: str, *, strongly: bool) -> bool:
    if condition.strip() == "*":
        return True
    return bool(etag) and any(
        tag == etag and not (weak and strongly)
        for weak, tag in _ENTITY_TAGS.findall(condition)
    )


def _changed(validators: Validators, condition: str) -> bool | None:
    """Whether the data changed after a date, ``None`` if a date is missing."""
    date = _date(condition)
    if validators.modified is None or date is None:
        return None
    return validators.modified > date


def _date(text: str) -> datetime.datetime | None:
    """Parse an HTTP date; ``None`` if it is not one: the header is then ignored."""
    text = text.strip()
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except ValueError:  # no such day or time
        return None
    return date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)
