# SPDX-License-Identifier: Apache-2.0
"""What the demo of a sealed gateway looks for: keys of S3, and what a key opens."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib import parse

from botocore.exceptions import ClientError

from tests.support.s3.s3server import S3Server
from tests.support.servers.standalone import FACE_KEYS

OF_THE_FACE = {"the face's secret key": FACE_KEYS[1]}


def of_s3(server: S3Server) -> Mapping[str, str]:
    """Return what must not be where Glance is."""
    return {
        "S3's access key": server.access_key,
        "S3's secret key": server.secret_key,
        "S3's address": parse.urlsplit(server.endpoint).netloc,
    }


def searched(
    places: Iterable[pathlib.Path], wanted: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Search files, and all in directories.

    :return: how many files were read, and what was found in which
    """
    files = [
        path
        for place in places
        for path in (place, *place.rglob("*"))
        if path.is_file()
    ]
    found = [
        f"{what} is in {path.name}"
        for path in files
        for content in [path.read_bytes()]
        for what, text in wanted.items()
        if text.encode() in content
    ]
    return len(files), found


def trials(s3: S3Server, face: str) -> Iterator[tuple[str, Any, int]]:
    """Yield what is tried, with which client, and the status that is right."""
    access_key, secret_key = FACE_KEYS
    by_face = dataclasses.replace(s3, access_key=access_key, secret_key=secret_key)
    at_face = dataclasses.replace(by_face, endpoint=face, region="", cacert="")
    wrong = dataclasses.replace(at_face, secret_key="not-the-secret-key-of-the-face")
    yield "the face's key at S3", by_face.client(), 403
    yield "a list of the bucket at the face", at_face.client(), 501
    yield "a wrong secret key at the face", wrong.client(), 403


def status(client: Any, bucket: str) -> int:
    """Return the status of the answer to a request for a list of a bucket."""
    try:
        answer = client.list_objects_v2(Bucket=bucket)
    except ClientError as refused:
        answer = refused.response
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])
