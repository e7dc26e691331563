# SPDX-License-Identifier: Apache-2.0
"""Describes the commands of s3gateway-manage in its page, from their parsers.

The directive ``s3gateway-commands`` stands where the descriptions are to be, and
``s3gateway-codes`` where the codes of ``check`` are, which are the schema's.  They are
made when the documentation is built.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import textwrap
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from s3gateway.manage import arguments
from s3gateway.manage import commands

_SCHEMA = pathlib.Path(__file__).parent / "source" / "cli" / "result.schema.json"


def codes() -> str:
    """Return the codes of ``check`` with their meanings, in reStructuredText."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return "\n".join(
        f"``{code['const']}``\n    {_plain(code['description'])}\n"
        for code in schema["$defs"]["code_of_check"]["oneOf"]
    )


def reference() -> str:
    """Return the descriptions of all commands, in reStructuredText."""
    parser = argparse.ArgumentParser(arguments.PROGRAM)
    commands.declare(parser.add_subparsers())
    return "\n".join(line for found in _found(parser) for line in _described(found))


def _found(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers of the commands, those inside of others as well."""
    inner = [
        action
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    if not inner:
        yield parser
    for action in inner:
        for command in action.choices.values():
            yield from _found(command)


def _described(parser: argparse.ArgumentParser) -> Iterator[str]:
    name = parser.prog.removeprefix(f"{arguments.PROGRAM} ")
    yield from (name, "-" * len(name), "", "::", "")
    yield from textwrap.indent(_usage(parser), "    ").splitlines()
    yield ""
    yield from _prose(parser.description or "")
    for group in parser._action_groups:
        if group.title != arguments.OUTPUT:  # the same for all, and described once
            for action in group._group_actions:
                yield from _argument(action)
    yield ""


def _usage(parser: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(parser.prog, width=88)
    formatter.add_usage(
        parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix=""
    )
    return formatter.format_help()


def _prose(description: str) -> Iterator[str]:
    """Yield the paragraphs of a description; what is indented is a literal block."""
    for paragraph in description.split("\n\n"):
        if paragraph.startswith(" "):
            yield from ("::", "", *textwrap.indent(paragraph, "  ").splitlines(), "")
        else:
            yield from (*_plain(paragraph).splitlines(), "")


def _argument(action: argparse.Action) -> Iterator[str]:
    if isinstance(action, argparse._HelpAction):
        return
    formatter = argparse.HelpFormatter("")
    names = formatter._format_action_invocation(action)
    yield f"``{names}``"
    yield f"    {_plain(_sentence(action.help or ''))}"
    yield ""


def _plain(text: str) -> str:
    """Return a text of which nothing is markup."""
    return re.sub(r"([\\*`_])", r"\\\1", text)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


#: What each directive puts in.
DIRECTIVES: dict[str, Callable[[], str]] = {
    "s3gateway-commands": reference,
    "s3gateway-codes": codes,
}


class _Made(Directive):
    """Puts in what a function returns."""

    def run(self) -> list[nodes.Node]:
        section = nodes.section()
        section.document = self.state.document
        lines = StringList(DIRECTIVES[self.name]().splitlines(), arguments.PROGRAM)
        self.state.nested_parse(lines, self.content_offset, section, match_titles=True)
        return section.children


def setup(app: Any) -> dict[str, Any]:
    """Register the directive with Sphinx."""
    for name in DIRECTIVES:
        app.add_directive(name, _Made)
    return {"parallel_read_safe": True}
