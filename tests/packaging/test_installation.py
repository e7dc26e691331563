# SPDX-License-Identifier: Apache-2.0
"""The wheel, installed as an operator would, and run."""

from __future__ import annotations

import json
import pathlib
import venv
from typing import Any

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.conftest import VERSION
from tests.packaging.conftest import Built
from tests.support.servers import environments
from tests.support.servers.processes import run

pytestmark = pytest.mark.full

CONFIG = ROOT / "docs" / "source" / "snippets" / "rgw.conf"

# The filter from a paste file, as Glance loads it, in front of something that is not
# Glance; a request goes through it.
REQUEST = """
import sys
from paste.deploy import loadfilter
import webob

def app(environ, start_response):
    response = webob.Response(json_body={"locations": [{
        "url": "s3://A:secret@rgw.example.org/glance/" + environ["PATH_INFO"][-36:],
        "metadata": {"store": "rgw"},
    }]})
    return response(environ, start_response)

gateway = loadfilter("config:" + sys.argv[1], name="s3gateway")(app)
path = "/v2/images/0a3e4f5c-7d92-4b16-8c35-9e1f20a4b6d8"
print(webob.Request.blank(path).get_response(gateway).text)
"""


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An environment with the wheel, what it needs, and nothing else."""
    home = tmp_path_factory.mktemp("clean")
    venv.create(home, with_pip=True)
    pip = home / "bin" / "pip"
    options = ["--quiet", "--disable-pip-version-check"]
    environments.run_as_owner([pip, "install", *options, built.wheel])
    run([pip, "check"])
    return home


def test_the_command_runs(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    command = installed / "bin" / "s3gateway-manage"
    assert "exit codes:" in run([command, "--help"], cwd=tmp_path).stdout
    api = installed / "bin" / "s3gateway-api"
    assert "gunicorn" in run([api, "--help"], cwd=tmp_path).stdout
    done = run([command, "--config-file", CONFIG, "gc"], cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "there is no Glance installed" in done.stdout


def test_the_filter_is_found_by_its_name(
    installed: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """In the paste file that was installed with it."""
    paste = installed / "etc" / "s3gateway" / "paste" / "glance-api-paste.ini"
    found = paste.read_text().split("[filter:s3gateway]\n")[1].splitlines()[0]
    file = tmp_path / "paste.ini"
    file.write_text(f"[filter:s3gateway]\n{found}\nconfig_file = {CONFIG}\n")
    python = installed / "bin" / "python"
    said = run([python, "-c", REQUEST, file], cwd=tmp_path).stdout
    answer = json.loads(said.splitlines()[-1])
    (location,) = answer["locations"]
    assert location["url"] == "s3://rgw/0a3e4f5c-7d92-4b16-8c35-9e1f20a4b6d8"


def test_the_samples_are_installed(installed: pathlib.Path) -> None:
    etc = installed / "etc" / "s3gateway"
    for name in ("s3gateway.conf.sample", "policy.yaml.sample"):
        assert (etc / name).read_text() == (ROOT / "etc" / name).read_text()


def resolve(release: int, *packages: str, pip: pathlib.Path) -> dict[str, str]:
    """Return what pip would install in an empty environment, by name."""
    constraints = environments.CONSTRAINTS / f"glance-{release}.txt"
    report: Any = json.loads(
        environments.run_as_owner([
            pip, "install", "--quiet", "--disable-pip-version-check", "--dry-run",
            "--ignore-installed", "--report=-", "--constraint", constraints, *packages,
        ])
    )  # fmt: skip
    found = [entry["metadata"] for entry in report["install"]]
    return {entry["name"].lower(): entry["version"] for entry in found}


@pytest.mark.parametrize("release", [30, 32, 33])
def test_it_moves_no_package_of_glance(
    built: Built, installed: pathlib.Path, release: int
) -> None:
    pip = installed / "bin" / "pip"
    glance = f"glance=={release}.0.0"
    alone = resolve(release, glance, pip=pip)
    beside = resolve(release, glance, str(built.wheel), pip=pip)
    assert beside["s3gateway"] == VERSION
    assert alone
    assert {name: beside[name] for name in alone} == alone
