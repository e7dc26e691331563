# SPDX-License-Identifier: Apache-2.0
"""The texts of errors and log lines in the source.

They are those of our own errors, and of log lines of WARNING and above.  A value that
is put in at run time is ``<name>`` here and in the documentation.  Run as a program, it
prints the texts that only the code has and those that only the documentation has::

    python -m tests.docs.messages
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pathlib
import re
import sys
from collections.abc import Iterator

from s3gateway import errors
from s3gateway.manage import copier

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "s3gateway"
PAGE = ROOT / "docs" / "source" / "troubleshooting.rst"

_ERRORS = {
    name for name, kind in vars(errors).items() if inspect.isclass(kind)
} | {"ImageFormatError", "Unfit", "ValueError"}  # fmt: skip
_ERRORS |= {kind.__name__ for kind in copier.Unfit.__subclasses__()}
# Calls whose text becomes that of an error: a class out of a table, and a method.
_CARRIERS = {"kind", "_mismatch"}
_LEVELS = {"warning", "error", "exception", "critical", "log"}

#: Errors that are caught inside, so that nobody reads their text; and the one text that
#: is found where it is filled in.
_NEVER_SEEN = {
    ("sender.py", "_abort"),
    ("store.py", "_must_be_absent"),
    ("stores.py", "required"),
    ("piece.py", "_must_be_needed"),
}

_PLACE = re.compile(r"<[^<>]*>")


class _Module(ast.NodeVisitor):
    """Finds the messages of one module."""

    def __init__(self, path: pathlib.Path) -> None:
        self.found: set[str] = set()
        self._file = path.name
        self._function = ""
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self._constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        # Names that this module has of our others: alias to module and name in it.
        self._imported = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("s3gateway")
            for alias in node.names
        }
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self._function = self._function, node.name
        self.generic_visit(node)
        self._function = outer

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if (self._file, self._function) in _NEVER_SEEN or not node.args:
            return
        name = _last_name(node.func)
        if name == "ConfigError":
            section, option, problem = map(self._text, node.args)
            self._add(f"[{section}] {option}: {problem}")
        elif name == "required":
            option, meaning = map(self._text, node.args)
            self._add(f"[<section>] {option}: not set; set it to {meaning}")
        elif name == "_failed" and len(node.args) == 2:  # a status, and a text
            self._add(self._text(node.args[1]))
        elif _is_log(node.func):
            # LOG.log has the level in front.
            text, *values = node.args[1:] if name == "log" else node.args
            self._add(_percent(self._text(text), map(self._text, values)))
        elif name in _ERRORS | _CARRIERS and self._is_text(node.args[0]):
            self._add(self._text(node.args[0]))

    def _add(self, text: str) -> None:
        if not _PLACE.fullmatch(text):  # another text, passed on
            self.found.add(" ".join(text.split()))

    def _plain(self, node: ast.expr) -> ast.expr:
        """Return what a constant's name or a stripped string stands for."""
        if isinstance(node, ast.Name):
            return self._constants.get(node.id) or self._imported_text(node.id) or node
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self._imported_text(node.value.id, node.attr) or node
        if isinstance(node, ast.Call) and ast.unparse(node).endswith("strip()"):
            return node.func.value if isinstance(node.func, ast.Attribute) else node
        return node

    def _imported_text(self, *names: str) -> ast.expr | None:
        """Return the text that another module has under a name, if it is one."""
        module, name = self._imported.get(names[0], ("", ""))
        if not module:
            return None
        if names[1:]:
            module, name = f"{module}.{name}", names[1]
        try:
            value = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError:  # an attribute of a class, not of a module
            return None
        return ast.Constant(value) if isinstance(value, str) else None

    def _is_text(self, node: ast.expr) -> bool:
        node = self._plain(node)
        return isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        )

    def _text(self, node: ast.expr) -> str:
        """Return the text that an expression makes, with places in it."""
        node = self._plain(node)
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(map(self._text, node.values))
        if isinstance(node, ast.FormattedValue):
            return self._text(node.value)
        return f"<{_last_name(node)}>"


def in_code() -> set[str]:
    """Return all messages in the source."""
    return {
        message for path in SOURCE.rglob("*.py") for message in _Module(path).found
    }  # fmt: skip


def in_page() -> Iterator[str]:
    """Yield the messages that the page explains: the terms of its definition lists."""
    yield from re.findall(r"^``(.+)``$", PAGE.read_text(), re.MULTILINE)


def normal(message: str) -> str:
    """Return a message without the names of the places in it."""
    return _PLACE.sub("<>", message)


def differences() -> tuple[list[str], list[str]]:
    """Return the messages that only the code has, and those only the page has."""
    code = {normal(message): message for message in in_code()}
    page = {normal(message): message for message in in_page()}
    return (
        sorted(code[form] for form in code.keys() - page.keys()),
        sorted(page[form] for form in page.keys() - code.keys()),
    )


def _is_log(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _LEVELS
        and _last_name(function.value) == "LOG"
    )


def _percent(text: str, values: Iterator[str]) -> str:
    """Return a log line's format with its values put in."""
    named = re.sub(r"%\((\w+)\)[sdrf]", r"<\1>", text)
    return re.sub(r"%(?:\.\d)?[sdrf]", lambda _: next(values), named)


def _last_name(node: ast.expr) -> str:
    """Return the last name in an expression, which tells best what it is."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return "value"


def main() -> int:
    missing, stale = differences()
    for message in missing:
        print(f"not in {PAGE.name}: ``{message}``")
    for message in stale:
        print(f"only in {PAGE.name}: ``{message}``")
    return 1 if missing or stale else 0


if __name__ == "__main__":
    sys.exit(main())
