# SPDX-License-Identifier: Apache-2.0
"""One line of what ``check`` has found out, and what S3's errors mean in one."""

from __future__ import annotations

import dataclasses
import enum

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

    :ivar subject: what was looked at, in a few words
    :ivar found: what was found, in a few words
    :ivar advice: what it means and what to do, in sentences; empty if nothing.  It
        names options and codes, never a key, host or bucket
    """

    severity: Severity
    subject: str
    found: str
    advice: str = ""

    def of(self, whole: str) -> Finding:
        """Return the finding as one about a part of something larger."""
        found = f"{self.subject}: {self.found}"
        return dataclasses.replace(self, subject=whole, found=found)

    def row(self) -> dict[str, str]:
        """Return it as a row of the table."""
        values = (self.severity.name.lower(), self.subject, self.found, self.advice)
        return dict(zip(COLUMNS, values, strict=True))


def ok(subject: str, found: str, remark: str = "") -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(Severity.OK, subject, found, remark)


def note(subject: str, found: str, advice: str) -> Finding:
    """Return a finding that is good to know."""
    return Finding(Severity.NOTE, subject, found, advice)


def warning(subject: str, found: str, advice: str) -> Finding:
    """Return a finding that is to be mended."""
    return Finding(Severity.WARNING, subject, found, advice)


def error(subject: str, found: str, advice: str) -> Finding:
    """Return a finding without whose mending the gateway does not work."""
    return Finding(Severity.ERROR, subject, found, advice)


#: By error code: what is wrong in a few words, and what to do.  ``{store}`` is the
#: section of the store.
_ADVICE = {
    "AccessDenied": (
        "no right",
        (
            "The keys are right but may not do this; give their user s3:ListBucket, "
            "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload "
            "and s3:ListBucketMultipartUploads on the bucket."
        ),
    ),
    "InvalidAccessKeyId": (
        "wrong access key",
        (
            "The server does not know the access key; check s3_store_access_key in "
            "[{store}]."
        ),
    ),
    "SignatureDoesNotMatch": (
        "wrong secret key",
        (
            "The secret key does not belong to the access key, or a proxy changes "
            "requests on their way; check s3_store_secret_key in [{store}]."
        ),
    ),
    "RequestTimeTooSkewed": (
        "wrong clock",
        (
            "The clocks of this host and of the S3 server are more than 15 minutes "
            "apart; let NTP set both."
        ),
    ),
    "NoSuchBucket": (
        "no bucket",
        (
            "The bucket does not exist; create it, or set "
            "s3_store_create_bucket_on_put = true in [{store}]."
        ),
    ),
    "MissingContentLength": (
        "checksums not understood",
        (
            "The server does not understand the checksums of boto3; set "
            "s3_store_request_checksum_calculation = when_required in [{store}]."
        ),
    ),
    "InvalidRequest": (
        "request refused",
        (
            "A bucket with object lock wants a checksum with every write; set "
            "s3_store_enable_data_integrity_protection = true and "
            "s3_store_request_checksum_calculation = when_supported in [{store}]."
        ),
    ),
    **dict.fromkeys(
        ("301", "302", "307", "308"),
        (
            "redirected",
            (
                "What answers sends all requests elsewhere, as a proxy does that wants "
                "https; check the scheme and the name in s3_store_host in [{store}]."
            ),
        ),
    ),
    **dict.fromkeys(
        ("NoCredentials", "CredentialsFailed"),
        (
            "no credentials",
            (
                "s3_store_credentials = chain in [{store}] looks in the environment "
                "and the files of the user that runs this check: run it as the "
                "gateway's user, with its environment."
            ),
        ),
    ),
    **dict.fromkeys(
        ("ExpiredToken", "InvalidToken", "InvalidTokenId"),
        (
            "credentials expired",
            (
                "The server refuses the session token; check what s3_store_credentials "
                "= chain in [{store}] finds, and the clocks."
            ),
        ),
    ),
    "SlowDown": ("overloaded", "The server is overloaded; try again later."),
}
_WRONG_REGION = (
    "wrong region",
    "The bucket is in another region; set s3_store_region_name{region} in [{store}].",
)
_REGION_CODES = (
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
)
_OTHER = (
    "failed",
    "The server answered something that this check does not know; its log says more.",
)


def of_error(subject: str, store: str, problem: StoreError) -> Finding:
    """Return the finding that a store's error is.

    :param store: the store's identifier
    """
    if problem.region or problem.code in _REGION_CODES:
        found, advice = _WRONG_REGION
    else:
        found, advice = _ADVICE.get(problem.code, _OTHER)
    region = f" = {problem.region}" if problem.region else ""
    sentence = f"{problem}. {advice.format(store=store, region=region)}"
    return error(subject, found, sentence)
