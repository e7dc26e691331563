# SPDX-License-Identifier: Apache-2.0
"""Records real answers of stock Glance for the fuzz test.

Run as a program, with the releases to record::

    python -m tests.leaks.record 30 32 33

What belongs to the machine that recorded is replaced by names in braces.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import sys
import tempfile
from typing import Any

from tests.leaks.surfaces import SURFACES
from tests.leaks.surfaces import subject
from tests.support.hidden import hidden
from tests.support.s3 import swift
from tests.support.servers import environments
from tests.support.servers import mariadb
from tests.support.servers.cloud import Cloud

ANSWERS = pathlib.Path(__file__).parents[1] / "fixtures" / "answers"

_KEPT_HEADERS = ("Content-Type", "Location", "OpenStack-image-store-ids")


def record(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the answers of a cloud's stock Glance on all surfaces."""
    secrets = hidden(cloud)
    names = {
        f"{secrets.access_key}:{secrets.secret_key}@": "{user}",
        secrets.host: "{host}",
        secrets.bucket: "{bucket}",
    }
    found = []
    for surface in SURFACES:
        seen = subject(cloud, gateway=False)
        answer = surface.ask(seen)
        text = answer.body.decode()
        for value, name in {**names, seen.image_id: "{id}"}.items():
            text = text.replace(value, name)
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name in _KEPT_HEADERS
        }
        body = re.sub(r"http://127\.0\.0\.1:\d+", "http://glance", text)
        found.append({
            "surface": surface.name,
            "status": answer.status,
            "headers": headers,
            "body": _shortened(body),
        })  # fmt: skip
    return found


def _shortened(body: str) -> str:
    """Return a list of images with two of them, anything else as it is."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if isinstance(document, dict) and "images" in document:
        document["images"] = document["images"][:2]
        return json.dumps(document, ensure_ascii=False)
    return body


def main() -> None:
    ANSWERS.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="s3gw-"))
        directory = pathlib.Path(home)
        programs = environments.bin_dir("swift")
        s3 = stack.enter_context(swift.serving(programs, directory / "swift"))
        database = stack.enter_context(mariadb.serving(directory / "db"))
        for release in map(int, sys.argv[1:]):
            cloud = Cloud(release, directory / f"g{release}", database, s3, stack)
            path = ANSWERS / f"glance-{release}.json"
            path.write_text(json.dumps(record(cloud), indent=1) + "\n")
            print(f"{path.name}: {len(SURFACES)} answers")


if __name__ == "__main__":
    main()
