# SPDX-License-Identifier: Apache-2.0
"""S3 error documents: what Glance's driver is told if a request fails.

Codes and statuses are those of S3
(https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).  No text names
the S3 behind the gateway.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from s3gateway.errors import ClientGone
from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreFull
from s3gateway.errors import StoreUnavailable
from s3gateway.errors import TooLarge

#: Status and text by code.
_KNOWN = {
    "AccessDenied": (403, "The request is not allowed."),
    "AuthorizationHeaderMalformed": (400, "The Authorization header is not usable."),
    "BadDigest": (400, "The body is not what its checksum says."),
    "EntityTooLarge": (400, "The body is larger than allowed."),
    "EntityTooSmall": (400, "A part is smaller than the store allows."),
    "IncompleteBody": (400, "The body is not of the announced length."),
    "InternalError": (500, "The gateway has failed; its log says why."),
    "InvalidAccessKeyId": (403, "The face does not know this access key."),
    "InvalidArgument": (400, "A parameter of the request is not usable."),
    "InvalidPart": (400, "A part was not found, or has another ETag."),
    "InvalidPartOrder": (400, "The parts are not in ascending order."),
    "InvalidRange": (416, "No byte of the object lies in the range."),
    "InvalidRequest": (400, "The request is not usable."),
    "InvalidURI": (400, "The path or the query has characters that are not allowed."),
    "MalformedXML": (400, "The document is not the one of this request."),
    "MissingContentLength": (411, "The request must say the length of its body."),
    "NoSuchBucket": (404, "The bucket does not exist."),
    "NoSuchKey": (404, "The object does not exist."),
    "NoSuchUpload": (404, "The multipart upload does not exist."),
    "NotImplemented": (501, "The face does not implement this."),
    "QuotaExceeded": (403, "The store has no room left."),
    "RequestTimeTooSkewed": (403, "The request's date is too far from the clock here."),
    "ServiceUnavailable": (503, "The store does not answer; try again."),
    "SignatureDoesNotMatch": (403, "The signature is not that of this request."),
    "XAmzContentSHA256Mismatch": (400, "The body has another sha256 than the request."),
}

#: Codes of the store that are the client's to know, as it says what they are about.
_PASSED = ("EntityTooSmall", "InvalidPart", "InvalidPartOrder")

_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    411: "Length Required",
    416: "Range Not Satisfiable",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class S3Error(Exception):
    """A request that is answered with an error.

    :cvar fault: as of the gateway's own errors
    :ivar code: S3's
    :param text: for people; by default what the code means
    :param more: further elements of the document
    """

    fault = "client"

    def __init__(self, code: str, text: str = "", **more: str) -> None:
        self.code = code
        number, usual = _KNOWN[code]
        super().__init__(text or usual)
        self.status = f"{number} {_REASONS[number]}"
        self._more = more

    def document(self, request_id: str) -> bytes:
        """Return the body of the answer."""
        root = ElementTree.Element("Error")
        told = {"Code": self.code, "Message": str(self), **self._more}
        for name, value in {**told, "RequestId": request_id}.items():
            ElementTree.SubElement(root, name).text = value
        document: bytes = ElementTree.tostring(
            root, encoding="UTF-8", xml_declaration=True
        )
        return document


def of(error: GatewayError) -> S3Error:
    """Return the S3 error for one of the gateway's."""
    if isinstance(error, StoreError):
        return _of_store(error)
    if isinstance(error, TooLarge):
        return S3Error("EntityTooLarge")
    if isinstance(error, ClientGone):
        return S3Error("IncompleteBody")
    return S3Error("InvalidRequest" if error.fault == "client" else "InternalError")


def _of_store(error: StoreError) -> S3Error:
    """Return the S3 error for one of a store.

    The gateway's own keys are not the driver's: that S3 refuses them is no 403.
    """
    if error.code in _PASSED:
        return S3Error(error.code)
    if isinstance(error, ObjectNotFound):
        named = error.code in ("NoSuchBucket", "NoSuchUpload")
        return S3Error(error.code if named else "NoSuchKey")
    if isinstance(error, StoreFull):
        return S3Error("QuotaExceeded")
    if isinstance(error, (StoreUnavailable, StoreDenied)):
        return S3Error("ServiceUnavailable")
    return S3Error("InternalError")
