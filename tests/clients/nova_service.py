# SPDX-License-Identifier: Apache-2.0
"""Nova's own image code: run as a program where Nova is installed.

Its argument is a file with a JSON document; it prints one.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import nova.conf
from nova import context
from nova.image import glance

CONF = nova.conf.CONF


def main(how: dict[str, Any]) -> dict[str, Any]:
    """Do what Nova does with the images of a server.

    :param how: ``config``, ``user``, ``project``, ``token``, ``catalog``, ``disk``,
        ``saved`` and whether the upload ``fails``
    """
    CONF([], project="nova", default_config_files=[how["config"]])
    who = context.RequestContext(
        user_id=how["user"],
        project_id=how["project"],
        auth_token=how["token"],
        service_catalog=how["catalog"],
    )
    api = glance.API()
    fields = {"disk_format": "raw", "container_format": "bare", "properties": {}}
    image = api.create(who, {"name": "snapshot", **fields})
    found: dict[str, Any] = {"id": image["id"]}
    with pathlib.Path(how["disk"]).open("rb") as disk:
        try:
            api.update(who, image["id"], {"name": "snapshot", **fields}, data=disk)
        except Exception as error:  # noqa: BLE001  it is named, whatever it is
            found["error"] = type(error).__name__
    if not how.get("fails"):
        api.download(who, image["id"], dest_path=how["saved"])
        empty = api.create(who, {"name": "of a volume", "size": 0, **fields})
        found["empty"] = api.get(who, empty["id"])["status"]
        found["empty id"] = empty["id"]
        listed = [each["id"] for each in api.get_all(who)]
        found["listed"] = image["id"] in listed
    found["status"] = api.get(who, image["id"])["status"]
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(pathlib.Path(sys.argv[1]).read_text()))))
