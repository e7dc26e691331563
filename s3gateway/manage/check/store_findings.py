# SPDX-License-Identifier: Apache-2.0
"""What was found out about a store, and what its errors mean for the operator."""

from __future__ import annotations

import dataclasses
import enum

from s3gateway.errors import StoreError


class Severity(enum.IntEnum):
    """What a finding means: all is well, good to know, to be mended, no way."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found out about a store.

    :ivar capability: what was looked at, in a few words: ``conditional PUT``
    :ivar state: what was found, in a few words: ``decides``, ``ignored``
    :ivar consequence: what the gateway does about it and what to do, in sentences;
        empty if nothing.  It names options and codes, never a key, host or bucket
    """

    capability: str
    state: str
    severity: Severity
    consequence: str = ""


#: By error code: what is wrong in a few words, and what to do.  ``{store}`` is the
#: section of the store.
_ADVICE = {
    "AccessDenied": (
        "no right",
        (
            "The keys are right but may not do this; give their user s3:ListBucket, "
            "s3:GetObject, s3:PutObject, s3:DeleteObject and "
            "s3:AbortMultipartUpload on the bucket."
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


def of_error(capability: str, store: str, error: StoreError) -> Finding:
    """Return the finding that an error is.

    :param store: the store's identifier
    """
    if error.region or error.code in _REGION_CODES:
        state, advice = _WRONG_REGION
    else:
        state, advice = _ADVICE.get(error.code, _OTHER)
    region = f" = {error.region}" if error.region else ""
    sentence = f"{error}. {advice.format(store=store, region=region)}"
    return Finding(capability, state, Severity.ERROR, sentence)
