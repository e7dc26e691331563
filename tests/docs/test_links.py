# SPDX-License-Identifier: Apache-2.0
"""The targets of links exist; Sphinx checks the site's own links."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

#: Where the project is to be one day.
_NOT_YET = re.compile(
    r"opendev\.org/(q/project:)?x/s3gateway|launchpad\.net/s3gateway"
    r"|pypi\.org/(project|simple)/s3gateway|docs\.openstack\.org/s3gateway"
)

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_readme_points_to_files_that_are_there() -> None:
    links = re.findall(r"`[^`<]+<([^>]+)>`__", (ROOT / "README.rst").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_nothing_points_to_where_the_project_is_not() -> None:
    """It is on no public host yet; ``contributor.rst`` says so."""
    listed = ["git", "ls-files", "-z"]
    done = subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    names = [name for name in done.stdout.decode().split("\0") if name]
    wrong = [
        name
        for name in names
        if (ROOT / name).is_file()
        and ROOT / name != pathlib.Path(__file__).resolve()
        and _NOT_YET.search((ROOT / name).read_text(errors="replace"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "git clone https://opendev.org/x/s3gateway.git",
        "https://review.opendev.org/q/project:x/s3gateway",
        "https://bugs.launchpad.net/s3gateway/+filebug",
        "https://pypi.org/project/s3gateway/",
    ],
)
def test_such_a_link_would_be_found(text: str) -> None:
    assert _NOT_YET.search(text)
