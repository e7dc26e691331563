# SPDX-License-Identifier: Apache-2.0
"""Requests as boto3 signs them, in the form of WSGI."""

from __future__ import annotations

import datetime
import io
from typing import Any
from urllib import parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from s3gateway.config.keys import KeyPair
from s3gateway.http.wsgi import Environ

PAIR = KeyPair("FACEKEY", "a-secret/of+the=face@gateway:here")
HOST = "gateway.example:9293"


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def request(
    method: str,
    target: str,
    body: bytes = b"",
    *,
    pair: KeyPair = PAIR,
    region: str = "us-east-1",
    scheme: str = "http",
    payload: str = "",
    **headers: str,
) -> Environ:
    """Return a request that botocore has signed.

    :param target: path and query
    :param payload: in place of the body's sha256
    :param headers: further fields; ``_`` stands for ``-``
    """
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = AWSRequest(
        method,
        f"{scheme}://{HOST}{target}",
        headers={"Host": HOST, **fields},
        data=body,
    )
    _Signer(pair, region, payload).add_auth(sent)
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": parse.unquote(path),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)) if body or method == "PUT" else "",
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in sent.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        environ[name] = environ.pop(f"HTTP_{name}", environ.get(name, ""))
    return environ


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    def __init__(self, pair: KeyPair, region: str, payload: str) -> None:
        credentials = Credentials(pair.access_key, pair.secret_key)
        super().__init__(credentials, "s3", region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload or str(super().payload(request))
