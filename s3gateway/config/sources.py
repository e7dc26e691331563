# SPDX-License-Identifier: Apache-2.0
"""The configuration files and directories that the host process has read.

oslo.config reads the files, then the drop-in directories, then those of the command
line; a later value wins.  A directory of the command line replaces the default ones.
A second parse has to keep that order, or it sees other values.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from oslo_config import cfg

_PROJECT, _PROGRAM = "glance", "glance-api"
_COMMAND_LINE = cfg.Locations.command_line


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where options come from.

    :ivar files: default files
    :ivar directories: default directories; one that does not exist is no error
    :ivar arguments: command-line arguments that name files or directories
    """

    files: Sequence[str]
    directories: Sequence[str]
    arguments: Sequence[str] = ()


def of_host(named: str) -> Sources:
    """Return where the Glance on this host reads its options from.

    :param named: a file to read in their place, if not empty
    """
    if named:
        return Sources([named], [])
    if "config_file" in cfg.CONF:  # Glance runs in this process and has read them
        return read_by(cfg.CONF)
    return of_glance()


def read_by(conf: cfg.ConfigOpts) -> Sources:
    """Return the sources that a configuration was parsed from.

    ``conf.config_dirs`` has the directories of the command line only.
    """
    arguments = [f"--config-dir={name}" for name in conf.config_dirs]
    where = conf.get_location("config_file")
    if where is not None and where.location is _COMMAND_LINE:
        arguments = [f"--config-file={name}" for name in conf.config_file] + arguments
    return Sources(conf.default_config_files, conf.default_config_dirs, arguments)


def of_glance() -> Sources:
    """Return the sources that Glance's WSGI application reads on this host."""
    directories = cfg.find_config_dirs(_PROJECT, _PROGRAM)
    named = os.environ.get("OS_GLANCE_CONFIG_DIR", "").strip()
    if not named:
        return Sources(cfg.find_config_files(_PROJECT, _PROGRAM), directories)
    # Glance reads the first file if it exists, and the second in any case.
    imports = pathlib.Path(named, "glance-image-import.conf")
    files = [str(imports)] if imports.is_file() else []
    return Sources([*files, str(pathlib.Path(named, "glance-api.conf"))], directories)


def of_files(files: Sequence[str]) -> Sources:
    """Return a stand-alone gateway's files, each with its ``.d`` beside it."""
    return Sources(files, [f"{name}.d" for name in files])
