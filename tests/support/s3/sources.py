# SPDX-License-Identifier: Apache-2.0
"""Sources of credentials: a metadata service, an endpoint of containers, and STS.

They issue temporary keys and know which of them they have issued.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import http.server
import json
import secrets
import threading
from collections.abc import Iterator
from urllib import parse

from s3gateway.config.keys import KeyPair
from tests.support.servers import web

ROLE = "images"
_METADATA = "/latest/meta-data/iam/security-credentials/"
_CONTAINER = "/container"
AUTHORIZATION = "Bearer of-the-container"


class Issuer:
    """Issues temporary keys.

    :ivar lifetime: seconds after which new ones expire, as they are said to
    :ivar broken: whether nothing is answered but 500
    :ivar issued: all that there were, the newest last
    :ivar asked: how often keys were asked for
    """

    def __init__(self) -> None:
        self.lifetime = 3600.0
        self.broken = False
        self.issued: list[KeyPair] = []
        self.asked = 0
        self.steady = False
        self._ends: dict[str, float] = {}
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    def issue(self) -> dict[str, str]:
        """Return keys in the form of the metadata service."""
        with self._lock:
            self.asked += 1
            if not (self.steady and self.issued):
                number = len(self.issued)
                self.issued.append(
                    KeyPair(
                        f"ASIATEMPORARY{number:07}",
                        f"temporary/{secrets.token_hex(15)}",
                        f"session+token/{secrets.token_hex(40)}==",
                    )
                )
            pair = self.issued[-1]
            end = datetime.datetime.now(datetime.timezone.utc)
            end += datetime.timedelta(seconds=self.lifetime)
            self._ends[pair.access_key] = end.timestamp()
        return {
            "AccessKeyId": pair.access_key,
            "SecretAccessKey": pair.secret_key,
            "Token": pair.token,
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def refuse(self) -> None:
        """Have S3 refuse what was issued by now, though it has not expired."""
        with self._lock:
            self._refused.update(pair.access_key for pair in self.issued)

    def find(self, access_key: str) -> tuple[KeyPair, bool] | None:
        """Return keys and whether they are good, ``None`` if there are none."""
        now = datetime.datetime.now(datetime.timezone.utc).timestamp()
        with self._lock:
            for pair in self.issued:
                if pair.access_key == access_key:
                    good = self._ends[access_key] > now
                    return pair, good and access_key not in self._refused
        return None


class _Service(http.server.BaseHTTPRequestHandler):
    """IMDSv2, the endpoint of containers, and ``AssumeRoleWithWebIdentity``."""

    protocol_version = "HTTP/1.1"

    def __init__(self, issuer: Issuer, *rest: object) -> None:
        self._issuer = issuer
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_PUT(self) -> None:
        good = self.headers["x-aws-ec2-metadata-token-ttl-seconds"] is not None
        self._answer(200 if good else 400, "a-token-of-this-host")

    def do_GET(self) -> None:
        if self.path == _CONTAINER:
            self._need("Authorization", AUTHORIZATION, json.dumps(self._issuer.issue()))
        elif self.path == _METADATA:
            self._need("x-aws-ec2-metadata-token", "a-token-of-this-host", ROLE)
        elif self.path == _METADATA + ROLE:
            found = {**self._issuer.issue(), "Code": "Success", "Type": "AWS-HMAC"}
            document = json.dumps(found)
            self._need("x-aws-ec2-metadata-token", "a-token-of-this-host", document)
        else:
            self._answer(404)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        asked = dict(parse.parse_qsl(self.rfile.read(length).decode()))
        if asked.get("WebIdentityToken") != "of-the-pod":
            self._answer(
                400,
                "<ErrorResponse><Error><Type>Sender</Type>"
                "<Code>InvalidIdentityToken</Code><Message>no</Message></Error>"
                "</ErrorResponse>",
            )
            return
        found = self._issuer.issue()
        found["SessionToken"] = found.pop("Token")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in found.items())
        self._answer(
            200,
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
            f"<Credentials>{inner}</Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>",
        )

    def _need(self, name: str, value: str, answer: str) -> None:
        self._answer(200 if self.headers[name] == value else 401, answer)

    def _answer(self, status: int, text: str = "") -> None:
        if self._issuer.broken:
            status, text = 500, ""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def serving(issuer: Issuer) -> Iterator[str]:
    """Serve all of it, and yield the URL."""
    with web.serving(functools.partial(_Service, issuer)) as url:
        yield url


def instance(url: str) -> dict[str, str]:
    """Return the environment of a process on a host with an instance role."""
    return {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
        "AWS_METADATA_SERVICE_TIMEOUT": "10",  # a busy machine is slow to answer
    }


def container(url: str) -> dict[str, str]:
    """Return the environment of a process in a container with a role."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": url + _CONTAINER,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION,
    }


def web_identity(url: str, file: str) -> dict[str, str]:
    """Return the environment of a process in a pod with a service account.

    :param file: has the pod's token
    """
    return {
        "AWS_ROLE_ARN": f"arn:aws:iam::123456789012:role/{ROLE}",
        "AWS_WEB_IDENTITY_TOKEN_FILE": file,
        "AWS_ENDPOINT_URL_STS": url,
    }
