# SPDX-License-Identifier: Apache-2.0
"""One line of what ``check`` has found out, and what S3's errors mean in one."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

from s3gateway.errors import StoreError

COLUMNS = ("state", "subject", "found", "detail")


class Severity(enum.IntEnum):
    """What a finding means: all is well, good to know, to be mended, no way."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that was found out.

    :ivar code: what was found, for programs.  It is written where the finding is made,
        nowhere else, and never changes; ``result.schema.json`` explains it
    :ivar subject: what was looked at, in a few words
    :ivar found: what was found, in a few words
    :ivar advice: what it means and what to do, in sentences; empty if nothing.  It
        names options and codes, never a key, host or bucket
    """

    code: str
    severity: Severity
    subject: str
    found: str
    advice: str = ""

    def of(self, whole: str) -> Finding:
        """Return the finding as one about a part of something larger."""
        found = f"{self.subject}: {self.found}"
        return dataclasses.replace(self, subject=whole, found=found)

    def row(self) -> dict[str, str]:
        """Return it as a row of the results; a table has no code."""
        return {
            "state": self.severity.name.lower(),
            "code": self.code,
            "subject": self.subject,
            "found": self.found,
            "detail": self.advice,
        }


class Meaning(NamedTuple):
    """What an error of a server means.

    :ivar code: of the finding that it is
    """

    code: str
    found: str
    advice: str


def ok(code: str, subject: str, found: str, remark: str = "") -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(code, Severity.OK, subject, found, remark)


def note(code: str, subject: str, found: str, advice: str) -> Finding:
    """Return a finding that is good to know."""
    return Finding(code, Severity.NOTE, subject, found, advice)


def warning(code: str, subject: str, found: str, advice: str) -> Finding:
    """Return a finding that is to be mended."""
    return Finding(code, Severity.WARNING, subject, found, advice)


def error(code: str, subject: str, found: str, advice: str) -> Finding:
    """Return a finding without whose mending the gateway does not work."""
    return Finding(code, Severity.ERROR, subject, found, advice)


#: By S3's error code.  ``{store}`` is the section of the store.
_MEANINGS = {
    "AccessDenied": Meaning(
        "store_denied",
        "no right",
        "The keys are right but may not do this; give their user s3:ListBucket, "
        "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload "
        "and s3:ListBucketMultipartUploads on the bucket.",
    ),
    "InvalidAccessKeyId": Meaning(
        "wrong_access_key",
        "wrong access key",
        "The server does not know the access key; check s3_store_access_key in "
        "[{store}].",
    ),
    "SignatureDoesNotMatch": Meaning(
        "wrong_secret_key",
        "wrong secret key",
        "The secret key does not belong to the access key, or a proxy changes "
        "requests on their way; check s3_store_secret_key in [{store}].",
    ),
    "RequestTimeTooSkewed": Meaning(
        "clock_refused",
        "wrong clock",
        "The clocks of this host and of the S3 server are more than 15 minutes "
        "apart; let NTP set both.",
    ),
    "NoSuchBucket": Meaning(
        "no_bucket",
        "no bucket",
        "The bucket does not exist; create it, or set "
        "s3_store_create_bucket_on_put = true in [{store}].",
    ),
    "MissingContentLength": Meaning(
        "checksums_not_understood",
        "checksums not understood",
        "The server does not understand the checksums of boto3; set "
        "s3_store_request_checksum_calculation = when_required in [{store}].",
    ),
    "InvalidRequest": Meaning(
        "write_without_checksum_refused",
        "request refused",
        "A bucket with object lock wants a checksum with every write; set "
        "s3_store_enable_data_integrity_protection = true and "
        "s3_store_request_checksum_calculation = when_supported in [{store}].",
    ),
    **dict.fromkeys(
        ("301", "302", "307", "308"),
        Meaning(
            "store_redirects",
            "redirected",
            "What answers sends all requests elsewhere, as a proxy does that wants "
            "https; check the scheme and the name in s3_store_host in [{store}].",
        ),
    ),
    **dict.fromkeys(
        ("NoCredentials", "CredentialsFailed"),
        Meaning(
            "no_credentials",
            "no credentials",
            "s3_store_credentials = chain in [{store}] looks in the environment "
            "and the files of the user that runs this check: run it as the "
            "gateway's user, with its environment.",
        ),
    ),
    **dict.fromkeys(
        ("ExpiredToken", "InvalidToken", "InvalidTokenId"),
        Meaning(
            "credentials_refused",
            "session token refused",
            "It has expired, or is not that of the access key; check what "
            "s3_store_credentials = chain in [{store}] finds, and the clocks.",
        ),
    ),
    "SlowDown": Meaning(
        "store_overloaded", "overloaded", "The server is overloaded; try again later."
    ),
}
_WRONG_REGION = Meaning(
    "wrong_region",
    "wrong region",
    "The bucket is in another region; set s3_store_region_name{region} in [{store}].",
)
_REGION_CODES = (
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
)
_OTHER = Meaning(
    "store_failed",
    "failed",
    "The server answered something that this check does not know; its log says more.",
)


def of_error(subject: str, store: str, problem: StoreError) -> Finding:
    """Return the finding that a store's error is.

    :param store: the store's identifier
    """
    if problem.region or problem.code in _REGION_CODES:
        meaning = _WRONG_REGION
    else:
        meaning = _MEANINGS.get(problem.code, _OTHER)
    region = f" = {problem.region}" if problem.region else ""
    sentence = f"{problem}. {meaning.advice.format(store=store, region=region)}"
    return error(meaning.code, subject, meaning.found, sentence)
