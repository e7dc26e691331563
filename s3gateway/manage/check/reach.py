# SPDX-License-Identifier: Apache-2.0
"""Whether a store's server can be reached, step by step: name, port, certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
from urllib import parse

from s3gateway.config.stores import StoreSettings
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding
from s3gateway.s3 import http as s3http

#: X509_verify_cert's, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_EXPIRED = (9, 10)
_OTHER_NAME = (62, 64)

_PORTS = {"http": 80, "https": 443}


def unreachable(store: StoreSettings, cacert: str, timeout: float) -> Finding | None:
    """Return why a server cannot be reached, ``None`` if it can be.

    :param cacert: file of the CAs that may vouch for it
    :param timeout: for each step, in seconds
    """
    parts = parse.urlsplit(store.endpoint)
    if s3http.proxy_of(store.endpoint):
        return None  # the proxy finds the way
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return _finding(
            "host_name_unknown",
            "unknown host name",
            "The name in s3_store_host cannot be resolved; check its spelling in "
            f"[{store.name}] and the DNS servers of this host.",
        )
    try:
        connection = socket.create_connection((host, port), timeout)
    except OSError as error:
        return _finding(
            "host_unreachable",
            "unreachable host",
            f"No connection to s3_store_host of [{store.name}]: "
            f"{error.strerror or type(error).__name__}; check address and port, "
            "whether the server runs, routes and firewalls.",
        )
    with connection:
        return _bad_tls(store, connection, host, cacert)


def _bad_tls(
    store: StoreSettings, connection: socket.socket, host: str, cacert: str
) -> Finding | None:
    if not store.endpoint.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=cacert)
    except OSError:
        return _finding(
            "ca_certificates_missing",
            "no CA certificates",
            f"{cacert} is no file of CA certificates in PEM format; set "
            f"s3_store_cacert in [{store.name}], or AWS_CA_BUNDLE, to one.",
        )
    try:
        with contextlib.closing(context.wrap_socket(connection, server_hostname=host)):
            return None
    except ssl.SSLCertVerificationError as error:
        return _bad_certificate(store, error)
    except OSError:
        return _finding(
            "tls_not_spoken",
            "no TLS",
            f"The server of [{store.name}] does not speak TLS on this port; check "
            "scheme and port of s3_store_host.",
        )


def _bad_certificate(
    store: StoreSettings, error: ssl.SSLCertVerificationError
) -> Finding:
    if error.verify_code in _EXPIRED:
        return _finding(
            "certificate_expired",
            "certificate expired",
            f"The certificate of the server of [{store.name}] is not valid today; "
            "renew it, or set this host's clock.",
        )
    if error.verify_code in _OTHER_NAME:
        return _finding(
            "certificate_of_another_host",
            "certificate of another host",
            f"The certificate of the server of [{store.name}] does not have the name "
            "in s3_store_host; use a name that it has.",
        )
    return _finding(
        "certificate_not_trusted",
        "certificate not trusted",
        f"No CA that is trusted vouches for the server of [{store.name}]; set "
        "s3_store_cacert to the file of its CA.",
    )


def _finding(code: str, found: str, advice: str) -> Finding:
    return findings.error(code, "access", found, advice)
