# SPDX-License-Identifier: Apache-2.0
"""Cinder's own image code: run as a program where Cinder is installed.

Its argument is a file with a JSON document; it prints one.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from cinder import context
from cinder.common import config
from cinder.image import image_utils

glance = image_utils.glance  # importing it first goes round in a circle

CONF = config.CONF


def main(how: dict[str, Any]) -> dict[str, Any]:
    """Do what Cinder does with the images of a volume.

    :param how: ``config``, ``user``, ``project``, ``token``, ``catalog``, ``disk``,
        ``saved`` and whether the upload ``fails``
    """
    CONF([], project="cinder", default_config_files=[how["config"]])
    who = context.RequestContext(
        how["user"],
        how["project"],
        auth_token=how["token"],
        service_catalog=how["catalog"],
    )
    service = glance.get_default_image_service()
    fields = {"disk_format": "raw", "container_format": "bare"}
    image = service.create(who, {"name": "volume", **fields})
    found: dict[str, Any] = {"id": image["id"]}
    with pathlib.Path(how["disk"]).open("rb") as disk:
        try:
            service.update(
                who,
                image["id"],
                {},
                disk,
                store_id=how.get("store"),
                base_image_ref=image["id"],
            )
        except Exception as error:  # noqa: BLE001  it is named, whatever it is
            found["error"] = type(error).__name__
    if not how.get("fails"):
        with pathlib.Path(how["saved"]).open("wb") as saved:
            service.download(who, image["id"], saved)
        url, locations = service.get_location(who, image["id"])
        found["locations"] = [url, *(each["url"] for each in locations or [])]
    found["status"] = service.show(who, image["id"])["status"]
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(pathlib.Path(sys.argv[1]).read_text()))))
