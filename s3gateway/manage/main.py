# SPDX-License-Identifier: Apache-2.0
"""The command line: which commands there are, and what their exit codes mean."""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable
from collections.abc import Sequence

from oslo_config import cfg

from s3gateway import releases
from s3gateway import settings as gateway_settings
from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.factory import s3_stores
from s3gateway.glance import Refused
from s3gateway.manage import locations
from s3gateway.manage import operator
from s3gateway.manage.gc import Collector
from s3gateway.manage.output import Output
from s3gateway.settings import Settings

#: Everything is as it should be; something is not; the command line or the
#: configuration is wrong, as argparse has it; it could not be found out.
OK, FOUND, USAGE, FAILED = 0, 1, 2, 3

_EPILOG = """
exit codes: 0 all is well, 1 something was found that is not, 2 the command line or
the configuration is wrong, 3 it could not be found out
"""


@dataclasses.dataclass(frozen=True)
class Context:
    """What a command has to work with."""

    conf: cfg.ConfigOpts
    settings: Settings
    output: Output


Command = Callable[[Context], bool]


def _audit(context: Context) -> bool:
    glance = operator.of_installed_glance(context.conf)
    return locations.audit(glance, context.settings.stores, context.output)


def _scrub(context: Context) -> bool:
    glance = operator.of_installed_glance(context.conf)
    return locations.scrub(glance, releases.installed(), context.output)


def _gc(context: Context) -> bool:
    if not context.settings.show_multiple_locations:
        raise ConfigError(
            "DEFAULT",
            "show_multiple_locations",
            "not set; without it Glance does not show which objects are needed",
        )
    glance = operator.of_installed_glance(context.conf)
    stores = s3_stores(context.settings)
    collector = Collector(glance, stores, context.settings)
    return collector.run(context.output, delete=context.conf.command.delete)


def _add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    """Declare the commands, for oslo.config's ``SubCommandOpt``."""
    gc = commands.add_parser(
        "gc", help="what uploads that died have left in the stores"
    )
    gc.add_argument(
        "--delete", action="store_true", help="collect it; without this it is shown"
    )
    gc.set_defaults(run=_gc)
    group = commands.add_parser(
        "locations", help="S3 credentials in the locations that Glance's database holds"
    ).add_subparsers(dest="subcommand", required=True)
    group.add_parser(
        "audit", help="count the locations that hold credentials, by store and key id"
    ).set_defaults(run=_audit)
    group.add_parser(
        "scrub", help="have Glance 33 or later take the credentials out of them"
    ).set_defaults(run=_scrub)


def parse(arguments: Sequence[str]) -> cfg.ConfigOpts:
    """Parse the command line and the files it names, or Glance's own."""
    conf = cfg.ConfigOpts()
    conf.register_cli_opts([
        cfg.BoolOpt("json", default=False, help="Print results as JSON."),
        cfg.SubCommandOpt("command", title="commands", handler=_add_commands),
    ])  # fmt: skip
    conf(
        args=list(arguments),
        project="glance",
        prog="s3gateway-manage",
        default_config_files=_glance_files(),
        description="Looks after the images that s3gateway keeps in S3.",
        epilog=_EPILOG,
    )
    return conf


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    try:
        conf = parse(sys.argv[1:] if arguments is None else arguments)
        context = Context(conf, gateway_settings.read(conf), Output(as_json=conf.json))
        command: Command = conf.command.run
        return OK if command(context) else FOUND
    except (ConfigError, cfg.Error) as error:
        print(f"s3gateway-manage: {error}", file=sys.stderr)
        return USAGE
    except (GatewayError, Refused) as error:
        print(f"s3gateway-manage: {error}", file=sys.stderr)
        return FAILED


def _glance_files() -> list[str]:
    """Return where Glance's configuration is, as its WSGI application looks."""
    directory = os.environ.get("OS_GLANCE_CONFIG_DIR")
    if directory:
        return [str(pathlib.Path(directory.strip()) / "glance-api.conf")]
    return list(cfg.find_config_files("glance", "glance-api"))
