# SPDX-License-Identifier: Apache-2.0
"""The servers under attack, and the connection of the attacks."""

from __future__ import annotations

import dataclasses
import http.client
import socket
from typing import Any
from urllib import parse

from tests.leaks.attacks import Aims
from tests.leaks.attacks import Attack
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud

Rows = tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(frozen=True)
class Ground:
    """Three images: two of the attacker's, active and queued, and the victim's."""

    cloud: Cloud
    mine: str
    queued: str
    others: str

    @property
    def images(self) -> tuple[str, str, str]:
        return self.mine, self.queued, self.others

    def rows(self) -> Rows:
        """Return what the database holds of the images and their locations."""
        locations = self.cloud.rows(
            "SELECT image_id, value, meta_data, status, deleted FROM image_locations "
            "WHERE image_id IN %s ORDER BY id",
            self.images,
        )
        images = self.cloud.rows(
            "SELECT id, status, size, checksum FROM images WHERE id IN %s ORDER BY id",
            self.images,
        )
        return (*images, *locations)

    def shape(self) -> list[tuple[Any, ...]]:
        """Return how many locations each image has, and its status."""
        statement = (
            "SELECT status, (SELECT COUNT(*) FROM image_locations WHERE "
            "image_id = images.id AND deleted = 0) FROM images WHERE id = %s"
        )
        return [self.cloud.rows(statement, image_id)[0] for image_id in self.images]


def prepare(cloud: Cloud) -> Ground:
    """Make the images, all of them with stock Glance."""
    stock = cloud.glance(gateway=False).url
    alice, bob = Api(stock, ALICE), Api(stock, BOB)
    ground = Ground(cloud, alice.create(), alice.create(), bob.create())
    assert alice.upload(ground.mine, b"alice's").status == 204
    assert bob.upload(ground.others, b"bob's secret").status == 204
    return ground


def aims(ground: Ground) -> Aims:
    """Return what is attacked: the victim's object, by all its names."""
    cloud = ground.cloud
    stored = ground.rows()[-1][1]
    host = cloud.s3.endpoint.partition("//")[2]
    plain = f"s3://{host}/{cloud.bucket('fast')}/{ground.others}"
    return Aims(
        images=(*ground.images, ground.queued, ground.queued, ground.queued),
        urls=(
            *[plain] * 6,
            *[stored] * 3,
            plain.replace("s3://", "s3+http://"),
            plain.replace("s3://", "S3://"),
            f"s3://fast/{ground.others}",
            f"{cloud.s3.endpoint}/{cloud.bucket('fast')}/{ground.others}",
            "file:///etc/passwd",
            "rbd://fsid/pool/image/snap",
        ),
    )


class Line:
    """A connection that is kept while the server keeps it."""

    def __init__(self, url: str) -> None:
        parts = parse.urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._socket: socket.socket | None = None

    def send(self, attack: Attack, token: str = ALICE) -> int:
        """Send a request and return the status of the answer, 0 if there is none."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, timeout=60)
            self._socket.sendall(attack.wire(token))
            answer = http.client.HTTPResponse(self._socket, method=attack.method)
            answer.begin()
            answer.read()
            if answer.will_close:
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0
        return answer.status

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
