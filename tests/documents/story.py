# SPDX-License-Identifier: Apache-2.0
"""What a document did, what happened here, and what is better through the gateway.

A story is written when all steps of a document went well; ``docs/documents.py`` makes
a page of it.  Sentences in it are reStructuredText, what programs printed is not.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import re
import socket
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from tests.support import isolation

ROOT = pathlib.Path(__file__).resolve().parents[2]

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A token of Keystone's; a port of this machine's that nobody has given a name.
_NEVER = re.compile(r"gAAAAA[\w-]{20,}|\b(?:127\.0\.0\.1|localhost):\d+")


@dataclasses.dataclass(frozen=True)
class Document:
    """A document that a module follows.

    :ivar number: its place among the documents
    :ivar name: of its page
    :ivar title: what it is about, in a few words
    :ivar published: who wrote it for what, and when
    :ivar cannot: what of it cannot be had here, and what stands in for it
    """

    number: int
    name: str
    title: str
    published: str
    cannot: Sequence[str] = ()


class Story:
    """Rows and blocks by steps, in the order in which they are told.

    :ivar reasons: what this run has left out, and why
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._begun = time.monotonic()
        self.reasons: list[str] = []
        self._cannot = list(document.cannot)
        self._versions: dict[str, str] = {}
        self._steps: list[dict[str, Any]] = []
        self._instead: dict[str, str] = {}

    def step(self, title: str) -> None:
        """Begin a step of the document's."""
        self._steps.append({"title": title, "rows": [], "blocks": []})

    def row(self, did: str, here: str, better: str = "") -> None:
        """Tell one thing.

        :param did: what the document does
        :param here: what happened here, as it was looked at
        :param better: through the gateway; empty if nothing is
        """
        self._steps[-1]["rows"].append([did, here, better])

    def block(self, caption: str, text: str) -> None:
        """Show what a program printed, or a file."""
        self._steps[-1]["blocks"].append({"caption": caption, "text": plain(text)})

    def table(self, caption: str, rows: Sequence[Sequence[str]]) -> None:
        """Show a table; its first row is the headings."""
        block = {"caption": caption, "table": [list(row) for row in rows]}
        self._steps[-1]["blocks"].append(block)

    def left_out(self, what: str, reason: str) -> None:
        """Tell what this run could not do, and why."""
        self.reasons.append(f"{what}: {reason}")
        self._cannot.append(f"{what}: {reason}.")

    def version(self, name: str, version: str) -> None:
        """Tell the version of a program that was used."""
        self._versions[name] = version

    def instead(self, real: str, shown: str) -> None:
        """Show something in place of a secret, or of a name of this machine."""
        self._instead[real] = shown

    def document_of_it(self) -> dict[str, Any]:
        """Return the story as it is written.

        :raises AssertionError: if there is a secret in it, or a name of this machine
        """
        told = {
            "number": self.document.number,
            "name": self.document.name,
            "title": self.document.title,
            "published": self.document.published,
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "seconds": round(time.monotonic() - self._begun),
            "versions": self._versions,
            "cannot": self._cannot,
            "steps": self._steps,
        }
        shown = self._shown(told)
        text = json.dumps(shown, ensure_ascii=False)
        assert not (found := of_this_machine(text)), found
        assert not [real for real in self._instead if real in text]
        return dict(shown)

    def write(self, directory: pathlib.Path) -> pathlib.Path:
        """Write the story; return the file."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.document.name}.json"
        text = json.dumps(self.document_of_it(), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    def _shown(self, told: Any) -> Any:
        if isinstance(told, dict):
            return {name: self._shown(value) for name, value in told.items()}
        if isinstance(told, list):
            return [self._shown(value) for value in told]
        if isinstance(told, str):
            for real in sorted(self._instead, key=len, reverse=True):
                told = told.replace(real, self._instead[real])
        return told


def plain(text: str) -> str:
    """Return what a terminal shows in the end: no colours, the last of each bar."""
    lines = [
        _ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2].expandtabs().rstrip()
        for line in text.split("\n")
    ]
    return "\n".join(lines).strip("\n")


def of_this_machine(text: str) -> list[str]:
    """Return what of a text names this machine, its files or a token."""
    names = {str(ROOT), tempfile.gettempdir(), isolation.OWNER.get("HOME", "")}
    names = {name for name in names if len(name) > 1}
    host = socket.gethostname()
    if host != "localhost":
        names |= set(re.findall(rf"\b{re.escape(host)}\b", text))
    return sorted({name for name in names if name in text} | set(_NEVER.findall(text)))
