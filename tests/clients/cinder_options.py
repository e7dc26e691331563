# SPDX-License-Identifier: Apache-2.0
"""Cinder's own reading of a configuration: run as a program where Cinder is installed.

Its argument is a configuration file; it prints as JSON what Cinder takes each option
in it for, by section.
"""

from __future__ import annotations

import configparser
import json
import sys
from typing import Any

from cinder import objects

objects.register_all()

from cinder.common import config  # noqa: E402
from cinder.volume import configuration  # noqa: E402
from cinder.volume import driver as volume  # noqa: E402
from oslo_utils import importutils  # noqa: E402

CONF = config.CONF


def main(file: str) -> dict[str, dict[str, Any]]:
    """Read a file.

    :raises oslo_config.cfg.Error: if Cinder does not know an option in it
    """
    CONF([], project="cinder", default_config_files=[file])
    CONF.import_opt("backup_driver", "cinder.backup.manager")
    importutils.import_class(CONF.backup_driver)  # registers its options
    parser = configparser.RawConfigParser(default_section="")
    parser.read(file)
    found: dict[str, dict[str, Any]] = {}
    for section in parser.sections():
        group = CONF
        if section != "DEFAULT":
            group = configuration.BackendGroupConfiguration(
                [*volume.volume_opts, *volume.image_opts], section
            )
        found[section] = {name: getattr(group, name) for name in parser[section]}
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
