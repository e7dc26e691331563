# SPDX-License-Identifier: Apache-2.0
"""An S3 server with TLS."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

import trustme

from tests.support.s3 import rgw
from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import free_port


@contextlib.contextmanager
def serving(directory: pathlib.Path, memory: int) -> Iterator[S3Server]:
    """Run Ceph RGW with TLS; the certificate is from a CA of its own.

    :param memory: how much all objects may take, in bytes
    """
    directory.mkdir(parents=True)
    authority, cacert = trustme.CA(), directory / "ca.pem"
    authority.cert_pem.write_to_path(str(cacert))
    certificate = directory / "certificate.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    port = free_port()
    tls = f"ssl_endpoint=127.0.0.1:{port} ssl_certificate={certificate}"
    with rgw.serving(directory / "rgw", memory, also=tls) as server:
        https = f"https://127.0.0.1:{port}"
        yield dataclasses.replace(server, endpoint=https, cacert=str(cacert))
