# SPDX-License-Identifier: Apache-2.0
"""The page of the commands describes them all, from their parsers."""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import runpy

from s3gateway.manage import arguments
from s3gateway.manage import commands
from tests.support import schema

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "source" / "command.rst"


def parsers(
    parser: argparse.ArgumentParser,
) -> list[argparse.ArgumentParser]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found += parsers(inner) or [inner]
    return found


def test_every_command_and_option_is_described() -> None:
    page = PAGE.read_text(encoding="utf-8")
    text = runpy.run_path(str(ROOT / "docs" / "commands.py"))["reference"]()
    parser = argparse.ArgumentParser(arguments.PROGRAM)
    commands.declare(parser.add_subparsers())
    names = [inner.prog.partition(" ")[2] for inner in parsers(parser)]
    assert {"check", "verify", "locations audit"} <= set(names)
    sections = re.split(r"^(\S.*)\n-+$", text, flags=re.MULTILINE)[1:]
    assert sections[::2] == names
    for inner, section in zip(parsers(parser), sections[1::2], strict=True):
        for option in (word for action in inner._actions for word in words(action)):
            described = section if f"``{option}" in section else page
            assert f"``{option}" in described, (inner.prog, option)
    assert ".. s3gateway-commands::" in page


def words(action: argparse.Action) -> list[str]:
    """Return what is written for an argument."""
    if isinstance(action, argparse._HelpAction):
        return []
    return list(action.option_strings) or [str(action.metavar)]


def test_every_command_has_a_summary_in_the_imperative() -> None:
    parser = argparse.ArgumentParser(arguments.PROGRAM)
    commands.declare(parser.add_subparsers())
    for inner in parsers(parser):
        summary = str(inner.description).partition("\n")[0]
        assert re.fullmatch(r"[A-Z][a-z]+ .*\.", summary), summary
        assert "exit codes: 0 no problems" in str(inner.epilog)


def test_the_documents_example_is_valid() -> None:
    page = PAGE.read_text(encoding="utf-8")
    example = re.search(r"^    \{\n.*?^    \}$", page, re.MULTILINE | re.DOTALL)
    assert example is not None
    schema.valid(json.loads(example[0]))
