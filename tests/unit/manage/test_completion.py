# SPDX-License-Identifier: Apache-2.0
"""What bash offers after some words of the command line."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

from s3gateway.manage import main

_ASK = """
source "$1"; shift
COMP_WORDS=(s3gateway-manage "$@"); COMP_CWORD=$#
_s3gateway_manage
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> pathlib.Path:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    return script


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ver"], {"verify"}),
        (["--vers"], {"--version"}),
        (["locations", ""], {"audit", "scrub", "-h", "--help", "--format", "--json"}),
        (["locations", "audit", "--j"], {"--json"}),
        (["verify", "--visibility", "p"], {"public", "private"}),
        (["--format", "j"], {"json"}),
        (["migrate", "--from", "file", "--t"], {"--to"}),
        (["face-key", "r"], {"remove"}),
        (["completion", "b"], {"bash"}),
    ],
)
def test_what_is_offered(
    script: pathlib.Path, words: list[str], offered: set[str]
) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, "-c", _ASK, "bash", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert offered <= found if words[-1] == "" else offered == found
