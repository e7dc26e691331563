# SPDX-License-Identifier: Apache-2.0
"""Signed HTTP requests that carry image bytes, without boto3.

boto3 needs four times the CPU for an 8 MiB part, and hides the socket.  Here only the
signature is botocore's.  All other requests go through the boto3 client.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import socket
import time
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from urllib import parse

import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.credentials import ReadOnlyCredentials
from botocore.utils import get_environ_proxies

from s3gateway.s3 import errors as s3errors
from s3gateway.store import Buffers
from s3gateway.streams.retries import time_to_answer

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY = hashlib.sha256().hexdigest()

_CONNECTIONS = 256  # kept open per host; further ones are closed after use
_MOST_OF_AN_ERROR = 64 * 1024
_COUNTED = 60.0  # seconds for which a name is taken to have as many addresses

# All errors of urllib3, and of the socket below it.
BROKEN = (urllib3.exceptions.HTTPError, OSError)


@dataclasses.dataclass(frozen=True)
class Signer:
    """Signs requests."""

    credentials: Credentials
    region: str

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], payload: str
    ) -> dict[str, str]:
        """Return the headers of a request with the signature (AWS Signature Version 4).

        :param payload: the body's sha256 in hexadecimal, or ``UNSIGNED``
        """
        request = AWSRequest(method, url, headers=dict(headers))
        frozen = self.credentials.get_frozen_credentials()
        _Auth(frozen, self.region, payload).add_auth(request)
        return dict(request.headers.items())


class _Auth(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    def __init__(
        self, credentials: ReadOnlyCredentials, region: str, payload: str
    ) -> None:
        super().__init__(credentials, "s3", region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload


def proxy_of(endpoint: str) -> str:
    """Return the proxy in the environment for an endpoint, empty if there is none."""
    found: str | None = get_environ_proxies(endpoint).get(endpoint.partition(":")[0])
    return found or ""


def payload_hash(buffers: Buffers) -> str:
    """Return the hash of a body for its signature: its sha256 in hexadecimal."""
    digest = hashlib.sha256()
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()


class S3HTTP:
    """A pool of connections to one store.

    :param name: the store's identifier, for error texts
    :param endpoint: URL of the store; it decides about a proxy
    :param cacert: file of CAs to verify the server with
    :param connect_timeout: in seconds
    :param read_timeout: longest silence, in seconds
    """

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        cacert: str,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._name = name
        options: dict[str, Any] = {
            "ca_certs": cacert,
            "cert_reqs": "CERT_REQUIRED",
            "maxsize": _CONNECTIONS,
        }
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        proxy = proxy_of(endpoint)
        self._peer = parse.urlsplit(proxy or endpoint)
        self._addresses = 1
        self._counted_until = 0.0
        self._pool = (
            urllib3.ProxyManager(proxy, **options)
            if proxy
            else urllib3.PoolManager(**options)
        )

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[memoryview] = (),
    ) -> urllib3.BaseHTTPResponse:
        """Send a signed request; return the answer with its body unread.

        :param body: ``headers`` has its length in ``Content-Length``
        :raises StoreError: if there is no answer, or it is an error
        """
        timeout = urllib3.Timeout(
            connect=self._time_to_connect(), read=time_to_answer(self._read_timeout)
        )
        try:
            answer = self._pool.urlopen(
                method,
                url,
                headers=headers,
                body=body or None,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
            if answer.status < 300:
                self._be_patient(answer)
                return answer
            with contextlib.closing(answer):
                found = answer.read(_MOST_OF_AN_ERROR)
        except BROKEN as error:
            raise s3errors.of_urllib3(self._name, error) from None
        code, region = s3errors.details_in(found)
        region = region or answer.headers.get(s3errors.REGION_HEADER, "")
        raise s3errors.of_answer(self._name, answer.status, code, region)

    def _be_patient(self, answer: urllib3.BaseHTTPResponse) -> None:
        """Let a body that has begun to come be as silent as it may."""
        if (sock := socket_of(answer)) is not None:
            sock.settimeout(self._read_timeout)

    def _time_to_connect(self) -> float:
        """Return how long connecting to an address may take, in seconds.

        The addresses of a name are tried one after another, and share what time there
        is.
        """
        longest = time_to_answer(math.inf)
        if longest == math.inf:
            return self._connect_timeout
        if time.monotonic() >= self._counted_until:
            self._counted_until = time.monotonic() + _COUNTED
            self._addresses = _number_of_addresses(self._peer)
        return min(self._connect_timeout, longest / self._addresses)


def socket_of(answer: urllib3.BaseHTTPResponse) -> socket.socket | None:
    """Return the socket that a response comes from, ``None`` after its end.

    The connection does not have it if the response says ``Connection: close``: then the
    response alone has it.
    """
    received = getattr(getattr(answer, "_fp", None), "fp", None)
    found: socket.socket | None = getattr(getattr(received, "raw", None), "_sock", None)
    return found


def _number_of_addresses(url: parse.SplitResult) -> int:
    """Return how many addresses a host has, 1 if that is not known."""
    try:
        port = url.port or url.scheme
        return len(socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError):
        return 1
