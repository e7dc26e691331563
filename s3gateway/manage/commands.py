# SPDX-License-Identifier: Apache-2.0
"""The command line: which commands there are, and which files it reads.

A command is a module with a function ``declare(commands)``, which adds its parser by
``arguments.add`` and then its own arguments.  ``_DECLARE`` lists them all.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oslo_config import cfg

from s3gateway.config import options
from s3gateway.config import sources
from s3gateway.config.options.standalone import REMOTE_OPTS
from s3gateway.config.sources import Sources
from s3gateway.manage import arguments
from s3gateway.manage import bench
from s3gateway.manage import botocore_data
from s3gateway.manage import completion
from s3gateway.manage import config
from s3gateway.manage import face_key
from s3gateway.manage import gc
from s3gateway.manage import locations
from s3gateway.manage import metrics
from s3gateway.manage import migrate
from s3gateway.manage import restore
from s3gateway.manage import selftest
from s3gateway.manage import status
from s3gateway.manage import verify
from s3gateway.manage.check import command
from s3gateway.manage.output import FORMS
from s3gateway.manage.output import TABLE
from s3gateway.monitoring import version

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

DESCRIPTION = """
Look after the Glance images that s3gateway keeps in S3. Run it where Glance is
installed: it reads Glance's configuration. Beside a stand-alone gateway, name its file
by --config-file. Begin with "check".
"""


def _declare_completion(commands: Commands) -> None:
    completion.declare(commands, declare)


#: In the order of ``--help``.
_DECLARE: tuple[Callable[[Commands], None], ...] = (
    command.declare,
    selftest.declare,
    bench.declare,
    config.declare,
    status.declare,
    verify.declare,
    migrate.declare,
    gc.declare,
    restore.declare,
    locations.declare,
    face_key.declare,
    botocore_data.declare,
    metrics.declare,
    _declare_completion,
)


def declare(commands: Commands) -> None:
    """Declare all commands, for oslo.config's ``SubCommandOpt``."""
    for declare_one in _DECLARE:
        declare_one(commands)


def parse(words: Sequence[str]) -> cfg.ConfigOpts:
    """Parse the command line and the files it names, or Glance's own.

    :raises cfg.Error: if a file cannot be parsed
    """
    conf = cfg.ConfigOpts()
    conf.register_cli_opts([
        cfg.StrOpt(
            "format", choices=FORMS, default=TABLE, help="Print results as this."
        ),
        cfg.BoolOpt("json", default=False, help="Same as --format json."),
        cfg.BoolOpt("debug", default=False, help="Show the traceback of an error."),
        cfg.SubCommandOpt("command", title="commands", handler=declare),
    ])  # fmt: skip
    read = _sources(words)
    conf(
        args=list(read.arguments),
        project="glance",
        prog=arguments.PROGRAM,
        version=version.installed(),
        default_config_files=list(read.files),
        default_config_dirs=list(read.directories),
        description=DESCRIPTION,
        epilog=arguments.EPILOG,
    )
    return conf


def _sources(words: Sequence[str]) -> Sources:
    """Return what is to be read, with the whole command line as its arguments.

    Glance reads its drop-in directories beside a file that its command line names, and
    before it.  A stand-alone gateway reads those of its own file, and after it.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[])
    named, others = parser.parse_known_args(list(words))
    alone = sources.of_files(named.config_file)
    if named.config_file and _stands_alone(alone):
        return dataclasses.replace(alone, arguments=others)
    return dataclasses.replace(sources.of_glance(), arguments=list(words))


def _stands_alone(read: Sources) -> bool:
    conf = cfg.ConfigOpts()
    conf.register_opts(REMOTE_OPTS, group=options.GROUP)
    files, directories = list(read.files), list(read.directories)
    conf([], default_config_files=files, default_config_dirs=directories)
    return bool(conf[options.GROUP].glance_url)
