# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of the support matrix from what the tests run.

    .tox/unit/bin/python docs/support.py

writes ``docs/source/tables/support-*.csv``; a test compares them with the tests.  What
no test runs is "not tested", unless ``BY_HAND`` says when somebody ran it.
"""

from __future__ import annotations

import csv
import importlib
import io
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.faults import test_killed_servers as killed  # noqa: E402
from tests.parity import table as parity  # noqa: E402
from tests.runner import parts  # noqa: E402
from tests.support.s3 import catalog  # noqa: E402
from tests.support.servers import environments  # noqa: E402
from tests.system import test_download as download  # noqa: E402
from tests.system import test_main_way as main_way  # noqa: E402

TABLES = ROOT / "docs" / "source" / "tables"

CI, FULL, NOT = "in CI", "full tier", "not tested"

#: What was run by hand, as ("Glance 33", "Apache mod_wsgi"): "by hand on 2026-11-21".
BY_HAND: dict[tuple[str, str], str] = {}

_SERVERS = {
    "gunicorn": "gunicorn",
    "uwsgi": "uWSGI http-socket",
    "uwsgi-router": "uWSGI http",
    "eventlet": "eventlet",
    main_way.STAND_ALONE: "stand-alone, gunicorn",
}
_NO_TEST = ("Apache mod_wsgi",)
_S3 = {
    "swift": "OpenStack Swift (s3api)",
    "rgw": "Ceph RGW",
    "minio": "MinIO",
    "versity": "Versity Gateway",
    "moto": "moto",
}
_S3_NO_TEST = ("AWS S3", "Pure FlashBlade", "Cloudflare R2", "rclone serve s3")
# The Python of a Debian release.
_PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")

#: What is used with the gateway, and the tests that use it.
_OTHERS = {
    "openstack command, openstacksdk": "tests.clients.test_openstack",
    "glance command (python-glanceclient)": "tests.clients.test_glance",
    "requests of gophercloud (Terraform)": "tests.clients.test_gophercloud",
    "image code of Nova and Cinder": "tests.clients.test_services",
    "Tempest, tempest.api.image": "tests.clients.test_tempest",
    "Keystone": "tests.clients.test_keystone",
    "Keystone's unified limits": "tests.system.test_limits",
    "Glance's image cache": "tests.system.test_cache",
    "Cinder's image-volume cache": "tests.system.test_image_volume_cache",
    "MariaDB": "tests.system.test_main_way",
    "PostgreSQL": "tests.system.test_postgresql",
    "TLS to S3": "tests.system.test_tls",
    "HAProxy and nginx in front": "tests.system.test_proxies",
}
#: Ways to install it, what is run of each, and the tests that do.
_TOOLS = (
    ("pip, virtual environment", "the README's commands", "tests.system.test_readme"),
    (
        "wheel, virtual environment",
        "installed, loaded by paste",
        "tests.packaging.test_installation",
    ),
    (
        "Debian packages",
        "built, installed, run under systemd",
        "tests.bare.test_deb",
    ),
    ("RPM packages", "built with Debian's rpmbuild", "tests.bare.test_rpm"),
    ("RPM packages", "an installation", ""),
    ("container image", "built and run with Podman", "tests.bare.test_container"),
    (
        "stand-alone, virtual environment",
        "the page's commands",
        "tests.bare.test_standalone_page",
    ),
    ("DevStack plugin", "each phase, without systemd", "tests.devstack.test_phases"),
    ("Kolla-Ansible", "the configuration is loaded", "tests.docs.test_snippets"),
    ("Kolla-Ansible", "a deployment", ""),
    ("OpenStack-Ansible", "the configuration is loaded", "tests.docs.test_snippets"),
    ("OpenStack-Ansible", "a deployment", ""),
    ("Glance from distribution packages", "an installation", ""),
)

Table = list[list[str]]


def tables() -> dict[str, Table]:
    """Return the tables by name, each with a row of headings."""
    return {
        "glance": _glance(),
        "python": _python(),
        "s3": _s3(),
        "tools": [["Tool", "What is run", "State"], *_tools()],
        "others": [
            ["With", "State"],
            *([name, _tier(module)] for name, module in _OTHERS.items()),
        ],
    }


def _glance() -> Table:
    """Return the releases by WSGI server."""
    found: dict[tuple[str, str], str] = {}
    for release, wsgi, state in _ways():
        key = (f"Glance {release}", _SERVERS[wsgi])
        found[key] = CI if CI in (state, found.get(key)) else FULL
    columns = [*_SERVERS.values(), *_NO_TEST]
    names = [name for name in environments.ENVIRONMENTS if name.startswith("glance-")]
    rows = [f"Glance {name.removeprefix('glance-')}" for name in names]
    return [
        ["", *columns],
        *([row, *(_state(found, row, column) for column in columns)] for row in rows),
    ]


def _ways() -> Iterator[tuple[int, str, str]]:
    """Yield a release, how it is served, and the tier of a test with them."""
    for way in main_way.WAYS:
        yield way[0], way[1], CI if way in main_way.ALWAYS else FULL
    for release, wsgi in download.SHAPES:
        yield release, wsgi, CI if (release, wsgi) in download.ALWAYS else FULL
    for shape, row in parity.TABLE:
        state = CI if (str(shape), row.name) in parity.DEFAULT_TIER else FULL
        yield shape.release, shape.wsgi, state
    yield 33, "uwsgi-router", _tier("tests.system.test_uwsgi_router")


def _python() -> Table:
    """Return the releases of Python: the unit tests, and all of CI's with Glance."""
    [tox] = [part for part in parts.FULL.parts if part.name == "tox"]
    units = re.findall(r"py3(\d+)", " ".join(tox.program))
    [bare] = [part for part in parts.FULL.parts if part.name.startswith("bare-")]
    [suite] = re.findall(r"--suite (\w+)", (ROOT / ".ci" / "run").read_text())
    found = {
        **{(f"Python 3.{minor}", "unit tests"): FULL for minor in units},
        **{
            (f"Python {_PYTHON[name]}", column): state
            for name, state in (
                (bare.name.removeprefix("bare-"), FULL),
                (suite, CI),
            )
            for column in ("unit tests", "with Glance 30 and 33")
        },
    }
    columns = ["unit tests", "with Glance 30 and 33"]
    rows = [f"Python {version}" for version in _PYTHONS]
    return [
        ["", *columns],
        *([row, *(_state(found, row, column) for column in columns)] for row in rows),
    ]


def _s3() -> Table:
    """Return the S3 servers: each operation alone, and with a Glance."""
    columns = ["each operation", "with Glance 33, server killed"]
    found = {}
    for name in catalog.NAMES:
        state = CI if name in catalog.DEFAULT_TIER else FULL
        found[_S3[name], columns[0]] = state
    for name in killed.SERVERS:
        found[_S3[name], columns[1]] = _tier(killed.__name__)
    rows = [*(_S3[name] for name in catalog.NAMES), *_S3_NO_TEST]
    return [
        ["", *columns],
        *([row, *(_state(found, row, column) for column in columns)] for row in rows),
    ]


def _tools() -> Iterator[list[str]]:
    for name, what, module in _TOOLS:
        yield [name, what, _tier(module) if module else BY_HAND.get((name, what), NOT)]
    jobs = yaml.safe_load((ROOT / ".zuul.yaml").read_text())[-1]["project"]
    ours = [job for job in jobs["check"]["jobs"] if "s3gateway" in job]
    names = ", ".join(ours)
    key = ("DevStack", f"Zuul jobs {names}")
    yield [*key, BY_HAND.get(key, NOT)]


def _tier(module: str) -> str:
    """Return the tier of the tests of a module: CI if it runs one of them."""
    tests = importlib.import_module(module)
    if _is_full(tests):
        return FULL
    functions = [vars(tests)[name] for name in vars(tests) if name.startswith("test_")]
    return CI if not all(map(_is_full, functions)) else FULL


def _is_full(marked: Any) -> bool:
    marks = getattr(marked, "pytestmark", [])
    return any(
        m.name == "full" for m in (marks if isinstance(marks, list) else [marks])
    )


def _state(found: dict[tuple[str, str], str], row: str, column: str) -> str:
    return found.get((row, column)) or BY_HAND.get((row, column), NOT)


def text(table: Table) -> str:
    """Return a table as the text of its file."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(table)
    return file.getvalue()


def path(name: str) -> pathlib.Path:
    """Return the file of a table."""
    return TABLES / f"support-{name}.csv"


if __name__ == "__main__":
    for name, table in tables().items():
        path(name).write_text(text(table), encoding="utf-8")
