# SPDX-License-Identifier: Apache-2.0
"""How a command is declared: its name, its help as it is written, its exit codes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import TypeAlias

from s3gateway.manage.context import Context

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_EPILOG = """
exit codes: 0 all is well, 1 something was found that is not, 2 the command line or
the configuration is wrong, 3 it could not be found out
"""


def add(
    commands: Commands,
    name: str,
    run: Callable[[Context], bool],
    text: str,
    summary: str,
) -> argparse.ArgumentParser:
    """Add a command.

    :param text: its help, printed as it is
    :param summary: a few words for the list of commands
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=text.strip(),
        epilog=_EPILOG.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def number(text: str) -> int:
    """Return a number of the command line that is 1 or more."""
    if not re.fullmatch("[0-9]*[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)
