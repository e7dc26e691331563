# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4: verifies who has sent a request, and that it is unchanged.

botocore's own signer computes the signature again, over what the request says that it
signs.  Everything that the face acts on must be signed: the method, the path, the
query, the host, and the header fields in ``_READ`` and those that begin with
``x-amz-``.
"""

from __future__ import annotations

import dataclasses
import datetime
import hmac
import re
from collections.abc import Callable
from collections.abc import Mapping

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from s3gateway.config.keys import KeyPair
from s3gateway.face.errors import S3Error
from s3gateway.http.wsgi import Environ

#: How far the clock of the driver's host may be off.
SKEW = datetime.timedelta(minutes=15)

_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    _ALGORITHM
    + r" +Credential=(?P<key>[^/,\s]+)/(?P<day>[0-9]{8})/(?P<region>[^/,\s]+)"
    r"/s3/aws4_request, *SignedHeaders=(?P<names>[a-z0-9;._-]+),"
    r" *Signature=(?P<signature>[0-9a-f]{64})"
)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
#: What needs no escape in a path or a query, and escapes; nothing else is understood in
#: the same way by everybody.
_PATH = re.compile(r"/[A-Za-z0-9/._~-]*")
_QUERY = re.compile(r"[A-Za-z0-9._~%=&+-]*")

#: botocore's signer looks through all fields for each; requests have about ten.
_MOST_NAMES = 100
#: Fields without ``x-amz-`` whose value changes what the face does.
_READ = frozenset({"content-encoding", "content-md5", "range"})


@dataclasses.dataclass(frozen=True)
class Signed:
    """A signed request.

    :ivar signature: in hexadecimal; the first chunk of a body refers to it
    :ivar payload: what ``x-amz-content-sha256`` says of the body
    """

    signature: str
    payload: str
    region: str
    timestamp: str
    _signer: S3SigV4Auth = dataclasses.field(repr=False)
    _request: AWSRequest = dataclasses.field(repr=False)

    def of_chunk(self, *lines: str) -> str:
        """Return the signature of a part of the body.

        :param lines: what follows the timestamp and the scope, and, first, the kind
        """
        scope = self._signer.credential_scope(self._request)
        kind, *rest = lines
        text = "\n".join([f"{_ALGORITHM}-{kind}", self.timestamp, scope, *rest])
        found: str = self._signer.signature(text, self._request)
        return found


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Signs exactly the header fields that it is given."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def verify(
    environ: Environ,
    pair_of: Callable[[str], KeyPair | None],
    now: datetime.datetime,
) -> Signed:
    """Verify the signature of a request.

    :param pair_of: returns the key pair with an access key
    :param now: the time, with its zone
    :raises S3Error: if it is not signed by a known key, now, as it is
    """
    fields = fields_of(environ)
    if "authorization" not in fields:
        raise S3Error("AccessDenied", "The request is not signed in its header.")
    found = _AUTHORIZATION.fullmatch(fields["authorization"])
    if found is None:
        raise S3Error(
            "AuthorizationHeaderMalformed", "It must be AWS4-HMAC-SHA256 for s3."
        )
    pair = pair_of(found["key"])
    if pair is None:
        raise S3Error("InvalidAccessKeyId")
    timestamp = fields.get("x-amz-date", "")
    _check_date(timestamp, found["day"], now)
    names = found["names"].split(";")
    if len(names) > _MOST_NAMES:
        raise S3Error("AuthorizationHeaderMalformed", "It names too many fields.")
    _check_signed(fields, frozenset(names))
    signer = _Signer(
        Credentials(pair.access_key, pair.secret_key), "s3", found["region"]
    )
    request = _rebuilt(environ, {name: fields.get(name, "") for name in names})
    request.context["timestamp"] = timestamp
    text = signer.string_to_sign(request, signer.canonical_request(request))
    if not hmac.compare_digest(signer.signature(text, request), found["signature"]):
        raise S3Error("SignatureDoesNotMatch")
    return Signed(
        found["signature"],
        fields["x-amz-content-sha256"],
        found["region"],
        timestamp,
        signer,
        request,
    )


def fields_of(environ: Environ) -> dict[str, str]:
    """Return the header fields of a request by their names in lower case."""
    fields = {
        key.removeprefix("HTTP_").replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            fields[key.replace("_", "-").lower()] = environ[key]
    return fields


def _check_date(timestamp: str, day: str, now: datetime.datetime) -> None:
    try:
        sent = datetime.datetime.strptime(timestamp, _TIMESTAMP)
    except ValueError:
        raise S3Error("AccessDenied", "The request has no x-amz-date.") from None
    if not timestamp.startswith(day):
        raise S3Error("AuthorizationHeaderMalformed", "Its date is another one.")
    if abs(sent.replace(tzinfo=datetime.timezone.utc) - now) > SKEW:
        raise S3Error("RequestTimeTooSkewed")


def _check_signed(fields: Mapping[str, str], names: frozenset[str]) -> None:
    """Refuse a request of which something counts that is not signed."""
    if "x-amz-content-sha256" not in fields:
        raise S3Error("InvalidRequest", "The request has no x-amz-content-sha256.")
    needed = {name for name in fields if name in _READ or name.startswith("x-amz-")}
    if not names >= needed | {"host"}:
        raise S3Error("AccessDenied", "The request has fields that are not signed.")


def _rebuilt(environ: Environ, fields: Mapping[str, str]) -> AWSRequest:
    """Return the request that was signed."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    if not (_PATH.fullmatch(path) and _QUERY.fullmatch(query)):
        raise S3Error("InvalidURI")
    headers = HTTPHeaders()
    for name, value in fields.items():
        headers[name] = value
    # The host is among the fields; the one in the URL is not looked at.
    url = f"http://face{path}?{query}"
    return AWSRequest(environ["REQUEST_METHOD"], url, headers=headers)
