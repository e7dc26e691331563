# SPDX-License-Identifier: Apache-2.0
"""``completion``: has a shell complete commands, options and their choices."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING

from s3gateway.manage import arguments
from s3gateway.manage.context import Context

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Print a script that has bash complete the commands and their options. In zsh, load
bashcompinit first.

  s3gateway-manage completion bash > /etc/bash_completion.d/s3gateway-manage
"""

#: Options that stand before the command.
_FIRST = "--config-file --config-dir --version --help --format --json --debug"

#: The last word before the one to complete, or else the command, says what is offered.
_SCRIPT = """\
_s3gateway_manage() {{
    local words
    case "${{COMP_WORDS[*]:0:COMP_CWORD}} " in
{cases}
    *) words="{first}" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _s3gateway_manage s3gateway-manage
"""


def declare(commands: Commands, everything: Callable[[Commands], None]) -> None:
    """Declare the command.

    :param everything: declares all commands
    """
    run = functools.partial(_run, everything=everything)
    summary = "Print a script for shell completion"
    parser = arguments.add(commands, "completion", run, summary=summary, text=_TEXT)
    parser.add_argument(
        "shell", metavar="SHELL", choices=("bash",), help="for this shell: bash"
    )


def _run(context: Context, everything: Callable[[Commands], None]) -> bool:
    parser = argparse.ArgumentParser(arguments.PROGRAM)
    everything(parser.add_subparsers())
    text = script(parser)
    if context.output.for_people:
        print(text, end="")
    else:
        rows = [{"shell": context.words.shell, "script": text}]
        context.output.result(rows, ("shell", "script"), "one script", {"scripts": 1})
    return True


def script(parser: argparse.ArgumentParser) -> str:
    """Return the script for a parser of all commands."""
    offered = dict(_offered(parser, ()))
    first = f"{offered.pop(())} {_FIRST}"
    # What is longer is more special.
    cases = sorted(offered.items(), key=lambda case: len(case[0]), reverse=True)
    choices = [
        f'    *" {option} ") words="{offer}" ;;'
        for option, offer in _choices(parser).items()
    ]
    lines = [
        f'    *" {" ".join(words)} "*) words="{offer}" ;;' for words, offer in cases
    ]
    return _SCRIPT.format(cases="\n".join(choices + lines), first=first)


def _choices(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the options that have choices, each with them."""
    found: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found |= _choices(inner)
        elif action.choices:
            offer = " ".join(action.choices)
            found |= dict.fromkeys(action.option_strings, offer)
    return found


def _offered(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words of each command with what may follow them."""
    offer: list[str] = []
    for action in parser._actions:
        offer += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            offer += action.choices
            for name, inner in action.choices.items():
                yield from _offered(inner, (*words, name))
        elif not action.option_strings:
            offer += action.choices or ()
    yield words, " ".join(offer)
