# SPDX-License-Identifier: Apache-2.0
"""An S3 server before another one, with keys of its own.

It verifies each signature with botocore's signer, as AWS does with session tokens, and
signs the request anew for the server behind it.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import http.server
import re
import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from s3gateway.config.keys import KeyPair
from s3gateway.s3.http import Signer
from tests.support.s3.s3server import S3Server
from tests.support.servers import web

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/s3/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]+)"
)
_OWN = {"authorization", "connection", "host", "x-amz-date", "x-amz-security-token"}
_PIECE = 64 * 1024

#: Returns keys and whether they are good, ``None`` if there are none.
Finds = Callable[[str], "tuple[KeyPair, bool] | None"]


class Gate:
    """What a gate lets through, and what it has seen.

    :ivar before: called before each request is judged, with its method and path
    :ivar cut: called before each piece of a body that it passes on, with the method and
        how many bytes went before; whether it breaks off there
    :ivar used: the access keys of the requests that it let through, in their order
    :ivar refused: the error codes of those that it did not
    """

    def __init__(self, server: S3Server, find: Finds) -> None:
        self.server = server
        self.find = find
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.cut: Callable[[str, int], bool] = lambda method, sent: False
        self.used: list[str] = []
        self.refused: list[str] = []
        self.pool = urllib3.PoolManager(maxsize=32)
        self.signer = Signer(
            Credentials(server.access_key, server.secret_key),
            server.region or "us-east-1",
        )
        self.lock = threading.Lock()

    def judge(self, method: str, url: str, headers: dict[str, str]) -> str:
        """Return the code of the error of a request, empty if it is signed well."""
        found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if found is None:
            return "AccessDenied"
        access_key, region, names, signature = found.groups()
        known = self.find(access_key)
        if known is None:
            return "InvalidAccessKeyId"
        pair, good = known
        sent = headers.get("x-amz-security-token", "")
        if sent != pair.token or bool(sent) != ("x-amz-security-token" in names):
            return "InvalidToken"
        signed = {name: headers.get(name, "") for name in names.split(";")}
        if not hmac.compare_digest(
            _signature(pair, region, method, url, signed), signature
        ):
            return "SignatureDoesNotMatch"
        if not good:
            return "ExpiredToken"
        with self.lock:
            self.used.append(access_key)
        return ""


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Signs exactly the header fields that it is given."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def _signature(
    pair: KeyPair, region: str, method: str, url: str, signed: dict[str, str]
) -> str:
    request = AWSRequest(method, url, headers=signed)
    request.context["timestamp"] = signed.get("x-amz-date", "")
    signer = _Signer(Credentials(pair.access_key, pair.secret_key), "s3", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, gate: Gate, *rest: Any) -> None:
        self._gate = gate
        super().__init__(*rest)

    def _pass(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._gate.before(self.command, self.path)
        url = f"http://{headers['host']}{self.path}"
        if code := self._gate.judge(self.command, url, headers):
            self._refuse(code)
            return
        target = self._gate.server.endpoint + self.path
        sent = {n: v for n, v in headers.items() if n not in _OWN and n != "expect"}
        payload = sent.pop("x-amz-content-sha256")
        signed = self._gate.signer.headers(self.command, target, sent, payload)
        answer = self._gate.pool.urlopen(
            self.command,
            target,
            headers=signed,
            body=body or None,
            preload_content=False,
            decode_content=False,
            redirect=False,
            retries=False,
        )
        with contextlib.closing(answer), contextlib.suppress(ConnectionError):
            self._answer(answer)  # a client may go at any time

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815

    def _answer(self, answer: urllib3.BaseHTTPResponse) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        chunked = "Content-Length" not in answer.headers
        data = answer.read() if chunked else b""
        if chunked:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        sent = 0
        while not chunked and (piece := answer.read(_PIECE)):
            if self._gate.cut(self.command, sent):
                self.close_connection = True
                return
            sent += self.wfile.write(piece)
        answer.release_conn()

    def _refuse(self, code: str) -> None:
        with self._gate.lock:
            self._gate.refused.append(code)
        body = (
            b""
            if self.command == "HEAD"
            else (f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())
        )
        self.send_response(400 if code in ("ExpiredToken", "InvalidToken") else 403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def serving(gate: Gate) -> Iterator[str]:
    """Serve a gate, and yield its URL."""
    with web.serving(functools.partial(_Handler, gate)) as url:
        yield url


def of_pairs(*pairs: KeyPair) -> Finds:
    """Return a function that knows some keys that last."""
    return lambda access_key: next(
        ((pair, True) for pair in pairs if pair.access_key == access_key), None
    )
