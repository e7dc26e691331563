# SPDX-License-Identifier: Apache-2.0
"""The texts that Sphinx does not build are correct reStructuredText."""

from __future__ import annotations

import pathlib
import re

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import SystemMessage

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVSTACK = ROOT / "devstack" / "README.rst"
SETTINGS = (ROOT / "devstack" / "settings").read_text()

READMES = [
    DEVSTACK,
    *(ROOT / f"{name}.rst" for name in ("CONTRIBUTING", "README", "SECURITY")),
]

INFO = 1


def parsed(text: str) -> nodes.document:
    """Return the document; anything docutils remarks on is an error."""
    return publish_doctree(
        text,
        settings_overrides={
            "halt_level": INFO,
            "report_level": INFO,
            "warning_stream": False,
            "file_insertion_enabled": False,
            "_disable_config": True,
        },
    )


def documented() -> dict[str, str]:
    """Return the settings in the plugin's table and the text of their defaults."""
    (body,) = parsed(DEVSTACK.read_text()).findall(nodes.tbody)
    found = {}
    for row in body.children:
        names, default, _ = row.children
        for name in names.findall(nodes.literal):
            found[name.astext()] = default.astext()
    return found


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_readme_is_correct(path: pathlib.Path) -> None:
    assert list(parsed(path.read_text()).findall(nodes.section))


def test_there_are_no_others() -> None:
    """Sphinx builds those in docs."""
    ours = [*ROOT.glob("*.rst"), *ROOT.glob("*/*.rst"), *ROOT.glob("etc/**/*.rst")]
    assert sorted(ours) == sorted(READMES)


@pytest.mark.parametrize(
    "wrong",
    [
        "Title\n===\n",
        "Text ``without an end\n",
        "A link_ to nowhere\n",
        ".. no-such-directive:: x\n",
        "=====  ====\nOne    Two\n=====  ====\nmore than fits\n=====  ====\n",
    ],
)
def test_what_is_wrong_is_found(wrong: str) -> None:
    with pytest.raises(SystemMessage):
        parsed(wrong)


def defaults() -> list[tuple[str, str]]:
    """Return the settings that keep a value of local.conf, and their defaults."""
    texts = re.findall(r"^ *(S3GATEWAY_\w+)=\$\{\1:-(.*)\}$", SETTINGS, re.M)
    switches = r"^ *(S3GATEWAY_\w+)=\$\(trueorfalse (\w+) \1\)$"
    return texts + re.findall(switches, SETTINGS, re.M)


def test_the_table_has_the_settings_of_the_plugin() -> None:
    assert set(documented()) == {name for name, _ in defaults()}


def test_the_table_has_their_defaults() -> None:
    """Text for text; there may be one for each value of another setting."""
    shown = documented()
    for name in shown:
        texts = [text for one, text in defaults() if one == name]
        if texts == ["$_S3GATEWAY_FIRST"]:
            texts = ["the first"]
        assert shown[name] in texts
