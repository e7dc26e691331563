# SPDX-License-Identifier: Apache-2.0
"""Writes what packages install for the command: its manual page, its completion.

Both come from the parsers of the commands::

    python docs/manual.py DIRECTORY

They need docutils and what the gateway itself needs, no Sphinx.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys

from docutils.core import publish_string
from docutils.writers import manpage

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import commands as pages  # noqa: E402  of this directory

from s3gateway.manage import arguments  # noqa: E402
from s3gateway.manage import commands  # noqa: E402
from s3gateway.manage import completion  # noqa: E402

_PAGE = HERE / "source" / "command.rst"
_SECTION = 1

_HEAD = f"""\
{"=" * len(arguments.PROGRAM)}
{arguments.PROGRAM}
{"=" * len(arguments.PROGRAM)}

---------------------------------
look after images of Glance in S3
---------------------------------

:Manual section: {_SECTION}

Description
===========
"""

#: What Sphinx alone has, and what stands for it in a manual page.
_OTHERWISE = {
    r":doc:`(\S+?)`": r"the documentation (\1)",
    r":\w+:`([^`<]+) <[^>]+>`": r"\1",
    r"\.\. _\S+:\n": "",
}

_SETTINGS = {
    "halt_level": 2,  # a warning
    "report_level": 5,
    "file_insertion_enabled": False,
    "_disable_config": True,
}


def manual() -> str:
    """Return the manual page: that of the documentation, in troff."""
    text = _PAGE.read_text(encoding="utf-8").partition("\n\n")[2]
    for sphinx, plain in _OTHERWISE.items():
        text = re.sub(sphinx, plain, text)
    for name, make in pages.DIRECTIVES.items():
        text = text.replace(f".. {name}::\n", make())
    written: bytes = publish_string(
        f"{_HEAD}\n{text}", writer=manpage.Writer(), settings_overrides=_SETTINGS
    )
    return written.decode()


def completed() -> str:
    """Return the script for bash, as ``s3gateway-manage completion bash`` prints it."""
    parser = argparse.ArgumentParser(arguments.PROGRAM)
    commands.declare(parser.add_subparsers())
    return completion.script(parser)


def main(directory: pathlib.Path) -> None:
    """Write the two files, under the names that they are installed with."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{arguments.PROGRAM}.{_SECTION}").write_text(manual())
    (directory / arguments.PROGRAM).write_text(completed())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
