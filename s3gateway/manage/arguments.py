# SPDX-License-Identifier: Apache-2.0
"""Declaring a command's arguments, and parsing the kinds of values that they have."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeAlias

from oslo_config import cfg
from oslo_utils import timeutils

from s3gateway.manage.context import Context
from s3gateway.manage.output import FORMS
from s3gateway.manage.output import JSON
from s3gateway.manage.output import TABLE

if TYPE_CHECKING:
    #: What a command's parser is added to.
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]

PROGRAM = "s3gateway-manage"

#: The title of the options that all commands have.
OUTPUT = "output"

#: Runs a command and returns whether it has found no problem.
Run = Callable[[Context], bool]

#: What each command's help ends with.
EPILOG = """
exit codes: 0 no problems; 1 problems found; 2 usage or configuration error;
3 check incomplete (Glance or a store did not answer); 130 interrupted
"""

#: The least --bandwidth: slower, servers would give up a connection.
_LEAST = 1024**2

_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add(
    commands: Commands, name: str, run: Run, *, summary: str, text: str, title: str = ""
) -> argparse.ArgumentParser:
    """Add a command; return its parser, for the arguments that are its own.

    :param summary: one line in the imperative, for the list of commands
    :param text: what its ``--help`` says, printed as it is written
    :param title: what results call the command, if not its name alone
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary}.\n\n{text.strip()}",
        epilog=EPILOG.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, title=title or name, parser=parser)
    _add_common(parser, default=argparse.SUPPRESS)
    return parser


def of_command(conf: cfg.ConfigOpts) -> argparse.Namespace:
    """Return the arguments of the command, with its ``run`` and ``title``.

    They are read before any store is: oslo.config refuses an argument that has the name
    of a section, and a store may have any name.
    """
    names = {action.dest for action in conf.command.parser._actions}
    own = [name for name in ("run", "title", *names) if name not in conf]
    return argparse.Namespace(**{n: getattr(conf.command, n, None) for n in own})


def add_group(commands: Commands, name: str, summary: str) -> Commands:
    """Add a word that has commands of its own behind it."""
    parser = commands.add_parser(name, help=summary, description=f"{summary}.")
    _add_common(parser, default=argparse.SUPPRESS)
    return parser.add_subparsers(dest="subcommand", required=True)


def common(words: Sequence[str]) -> argparse.Namespace:
    """Return what a command line says that is the same for all commands.

    It is needed before the line is parsed: an error is shown in the wanted form, too.

    :return: ``form`` and ``debug``
    :raises SystemExit: if there is no such form
    """
    parser = argparse.ArgumentParser(PROGRAM, add_help=False, allow_abbrev=False)
    _add_common(parser, default=None)
    found, _ = parser.parse_known_args(list(words))
    form = JSON if found.json else found.format or TABLE
    return argparse.Namespace(form=form, debug=found.debug)


def _add_common(parser: argparse.ArgumentParser, default: Any) -> None:
    group = parser.add_argument_group(OUTPUT)
    group.add_argument(
        "--format", choices=FORMS, default=default, help="print results as this"
    )
    group.add_argument(
        "--json", action="store_true", default=default, help="same as --format json"
    )
    group.add_argument(
        "--debug",
        action="store_true",
        default=default,
        help="show the traceback of an error",
    )


def age(text: str) -> float:
    """Return an age of the command line in seconds."""
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an age like 90s, 30m, 12h or 7d"
        )
    return int(match[1]) * _SECONDS[match[2]]


def moment(text: str) -> datetime.datetime:
    """Return a moment of the command line: a time, or how long ago it was."""
    try:
        ago = datetime.timedelta(seconds=age(text))
    except argparse.ArgumentTypeError:
        pass
    else:
        return timeutils.utcnow(with_timezone=True) - ago
    try:
        return timeutils.parse_isotime(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an age like 12h or 7d, nor a time like "
            "2026-11-27T22:00:00Z"
        ) from None


def percentage(text: str) -> float:
    """Return a percentage of the command line that is more than 0, 100 at most."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage like 5%")
    return float(match[1])


def number(text: str) -> int:
    """Return a number of the command line that is 1 or more."""
    if not re.fullmatch("[0-9]*[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)


def bandwidth(text: str) -> int:
    """Return a bandwidth of the command line in bytes a second."""
    match = re.fullmatch(r"([0-9]+)(|[KMG]iB)", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a bandwidth like 100MiB or 2GiB"
        )
    rate = int(match[1]) * _UNITS[match[2]]
    if rate < _LEAST:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 1MiB")
    return rate
