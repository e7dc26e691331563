# SPDX-License-Identifier: Apache-2.0
"""A GET that was signed at another time: what a server does with one is found out."""

from __future__ import annotations

import datetime

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from s3gateway.config.keys import KeyPair
from s3gateway.s3.http import EMPTY

_TIMESTAMP = "%Y%m%dT%H%M%SZ"


def fields(
    url: str, pair: KeyPair, region: str, when: datetime.datetime
) -> dict[str, str]:
    """Return the header fields of a GET that was signed then.

    botocore's ``add_auth`` signs now, and with the same steps.
    """
    stamp = when.astimezone(datetime.timezone.utc).strftime(_TIMESTAMP)
    request = AWSRequest(
        "GET", url, headers={"X-Amz-Date": stamp, "X-Amz-Content-SHA256": EMPTY}
    )
    request.context["timestamp"] = stamp
    signer = S3SigV4Auth(Credentials(pair.access_key, pair.secret_key), "s3", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={names}, Signature={signer.signature(text, request)}"
    )
    return {**dict(request.headers.items()), "Authorization": authorization}
