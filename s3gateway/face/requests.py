# SPDX-License-Identifier: Apache-2.0
"""S3 requests: which operation one asks for, and of which bucket and key.

The face knows the operations that Glance's driver uses, and refuses all others with
501.  It also refuses a field that changes what a known operation means::

    HEAD   /bucket                            HeadBucket
    PUT    /bucket                            CreateBucket
    HEAD   /bucket/key                        HeadObject
    GET    /bucket/key                        GetObject
    PUT    /bucket/key                        PutObject
    DELETE /bucket/key                        DeleteObject
    POST   /bucket/key?uploads                CreateMultipartUpload
    PUT    /bucket/key?partNumber&uploadId    UploadPart
    POST   /bucket/key?uploadId               CompleteMultipartUpload
    DELETE /bucket/key?uploadId               AbortMultipartUpload

In virtual style the bucket is in ``Host``, in front of ``face_domain``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from urllib import parse

from s3gateway import uris
from s3gateway.face.errors import S3Error
from s3gateway.http.wsgi import Environ

_OPERATIONS: Mapping[tuple[str, bool, tuple[str, ...]], str] = {
    ("HEAD", False, ()): "HeadBucket",
    ("PUT", False, ()): "CreateBucket",
    ("HEAD", True, ()): "HeadObject",
    ("GET", True, ()): "GetObject",
    ("PUT", True, ()): "PutObject",
    ("DELETE", True, ()): "DeleteObject",
    ("POST", True, ("uploads",)): "CreateMultipartUpload",
    ("PUT", True, ("partNumber", "uploadId")): "UploadPart",
    ("POST", True, ("uploadId",)): "CompleteMultipartUpload",
    ("DELETE", True, ("uploadId",)): "AbortMultipartUpload",
}
OPERATIONS = frozenset(_OPERATIONS.values())

#: Fields of S3 that do not change what an operation does, or that ``payload`` checks.
_UNDERSTOOD = re.compile(
    r"x-amz-(date|content-sha256|decoded-content-length|trailer|user-agent"
    r"|sdk-checksum-algorithm|checksum-(algorithm|mode|type|crc32|sha1|sha256))"
)
_PART_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_MOST_PARTS = 10_000
_UPLOAD_ID = re.compile(r"[!-~]{1,1024}")


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a request asks for.

    :ivar operation: S3's name of it
    :ivar key: empty for a bucket
    :ivar part: its number, 0 for none
    :ivar upload_id: empty for none
    """

    operation: str
    bucket: str
    key: str = ""
    part: int = 0
    upload_id: str = ""

    @property
    def image_id(self) -> str:
        """The image that the object is, or will be, the data of."""
        return uris.image_id_of(self.key)


def read(environ: Environ, fields: Mapping[str, str], domain: str = "") -> Asked:
    """Return what a request asks for.

    :param fields: its header fields
    :param domain: whose subdomains are buckets; empty for path style alone
    :raises S3Error: if it is not one of the operations above, of an image
    """
    bucket, key = _place(environ.get("PATH_INFO", ""), fields.get("host", ""), domain)
    query = _query(environ.get("QUERY_STRING", ""))
    method, names = environ["REQUEST_METHOD"], tuple(sorted(query))
    operation = operation_of(method, bool(key), names) if bucket else ""
    if not operation or any(map(_is_strange, fields)):
        raise S3Error("NotImplemented")
    if key and not uris.is_image_key(key):
        raise S3Error("AccessDenied", "Keys of the face are those of images.")
    return Asked(
        operation,
        bucket,
        key,
        part=_part(query.get("partNumber")),
        upload_id=_upload_id(query.get("uploadId")),
    )


def _place(path: str, host: str, domain: str) -> tuple[str, str]:
    """Return the bucket and the key."""
    name = host.partition(":")[0].lower()
    if domain and name.endswith(f".{domain}"):
        return name.removesuffix(f".{domain}"), path.removeprefix("/")
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def operation_of(method: str, of_object: bool, names: tuple[str, ...]) -> str:
    """Return S3's name of an operation, empty if the face does not know it.

    :param names: of the parameters, in order
    """
    return _OPERATIONS.get((method, of_object, names), "")


def _query(text: str) -> dict[str, str]:
    """Return the parameters; ``x-id``, which names the operation, says nothing new."""
    found = parse.parse_qsl(text, keep_blank_values=True)
    query = dict(found)
    if len(query) < len(found):
        raise S3Error("InvalidArgument", "A parameter occurs twice.")
    query.pop("x-id", None)
    if query.get("uploads"):
        raise S3Error("InvalidArgument", "The parameter uploads has no value.")
    return query


def _is_strange(name: str) -> bool:
    of_s3 = name.startswith("x-amz-") and not _UNDERSTOOD.fullmatch(name)
    return of_s3 or name.startswith("if-")


def _part(text: str | None) -> int:
    if text is None:
        return 0
    if not _PART_NUMBER.fullmatch(text) or int(text) > _MOST_PARTS:
        raise S3Error("InvalidArgument", "Parts have numbers from 1 to 10000.")
    return int(text)


def _upload_id(text: str | None) -> str:
    if text is not None and not _UPLOAD_ID.fullmatch(text):
        raise S3Error("NoSuchUpload")
    return text or ""
