# SPDX-License-Identifier: Apache-2.0
"""Keeps what the machine's owner has configured from servers, clients and tests.

They see an environment with nothing in it but what is named here, and a home directory
that is empty but for what hides the files that OpenStack looks for in ``/etc``.  Only
the building of environments sees what the owner has set: pip and uv need to know where
packages come from.
"""

from __future__ import annotations

import atexit
import functools
import os
import pathlib
import shutil
import tempfile

_KEPT = frozenset((
    "CI",
    "COLUMNS",
    "DEVSTACK_DIR",
    "FORCE_COLOR",
    "LD_LIBRARY_PATH",
    "NO_COLOR",
    "PATH",
    "TEMPEST_DIR",
    "TERM",
    "TMPDIR",
))  # fmt: skip
_KEPT_PREFIXES = ("COVERAGE_", "PYTEST_", "PYTHON", "PY_COLORS", "S3GATEWAY_", "TOX_")

_NOTHING = os.devnull

# What has a default outside of the home directory, or a program's own variable for it.
_TURNED_OFF = {
    "AWS_CONFIG_FILE": _NOTHING,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": _NOTHING,
    "BOTO_CONFIG": _NOTHING,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",  # the checkout may be somebody else's
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_VALUE_0": "*",
    "LC_ALL": "C.UTF-8",
    "OS_CLIENT_CONFIG_FILE": _NOTHING,
    "OS_CLIENT_SECURE_FILE": _NOTHING,
    "SYSTEM_WGETRC": _NOTHING,
}

# oslo.config reads NAME.conf.d, the first of ~/.PROJECT, ~, /etc/PROJECT and /etc.
_PROGRAMS = (
    "cinder",
    "cinder-api",
    "cinder-backup",
    "cinder-manage",
    "cinder-scheduler",
    "cinder-volume",
    "glance",
    "glance-api",
    "glance-manage",
    "gunicorn",
    "keystone",
    "keystone-manage",
    "nova",
    "s3gateway",
    "s3gateway-api",
    "s3gateway-manage",
    "tempest",
    "uwsgi",
)

OWNER = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
}
"""The environment before ``apply``; for pip, uv and go."""


def apply() -> None:
    """Isolate this process, and what it starts; what reads a file is to come later."""
    isolated = environment()
    os.environ.clear()
    os.environ.update(isolated)


def environment() -> dict[str, str]:
    """Return the environment of an isolated process."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    return {**kept, **_TURNED_OFF, "HOME": str(home())}


@functools.cache
def home() -> pathlib.Path:
    """Return a home directory for as long as this process lives."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="s3gw-home-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for name in _PROGRAMS:
        (directory / f"{name}.conf.d").mkdir()
    (directory / "policy.d").mkdir()
    (directory / "policy.yaml").write_text("{}\n")
    return directory
