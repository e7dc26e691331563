# SPDX-License-Identifier: Apache-2.0
"""A directory in which the plugin's phases run as DevStack runs them."""

from __future__ import annotations

import configparser
import json
import os
import pathlib
import shlex
import shutil
import subprocess

from tests.support.servers.glance import Config
from tests.support.servers.processes import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER = pathlib.Path(__file__).parent / "driver.sh"

# The programs that the plugin and DevStack's functions run.
PROGRAMS = ("awk", "cat", "chmod", "curl", "grep", "install", "python3", "sed", "tee")

UNTIL_GLANCE_STARTS = (
    "stack pre-install",
    "glance",
    "stack install",
    "stack post-config",
)

_RECORDER = """#!/bin/bash
# Notes its arguments, as everybody may read them in the process list.
printf '%s\\n' "{name} $*" >> "$HERE/arguments"
exec {program} "$@"
"""

_SYSTEMCTL = """#!/bin/bash
echo "systemctl $*" >> "$HERE/calls"
unit="$HERE/enabled-${2:-}"
case $1 in
    enable) touch "$unit" ;;
    disable) rm "$unit" ;;
    is-enabled) [[ -e "$unit" ]] ;;
esac
"""

# Keystone's part of the client; the rest is the real one.
_OPENSTACK = """#!/bin/bash
printf '%s\\n' "openstack $*" >> "$HERE/arguments"
case "$*" in
    *"ec2 credential create"*) exec cat "$HERE/ec2.json" ;;
    *"token issue"*) exec cat "$HERE/token" ;;
    *) exec {client} "$@" ;;
esac
"""


class Stack:
    """What stack.sh leaves on a machine, in one directory.

    :param devstack: a DevStack tree, or nothing for the stand-in
    :param glance_etc: the configuration files that Glance ships
    :param settings: the variables of local.conf
    """

    def __init__(
        self,
        here: pathlib.Path,
        devstack: pathlib.Path | None,
        glance_etc: pathlib.Path,
        **settings: str,
    ) -> None:
        self.here = here
        self.devstack = devstack
        self.settings = {"GLANCE_PORT": str(free_port()), "DATABASE_URL": "sqlite://"}
        self.settings.update(settings)
        for name in ("bin", "etc/apache2", "opt/data/glance/cache", "tmp"):
            (here / name).mkdir(parents=True)
        for name in ("uwsgi", "s3gateway-api"):
            self.program(name, _RECORDER.format(name=name, program="false"))
        self.program("systemctl", _SYSTEMCTL)
        # the one that has Glance
        self.settings["PYTHON"] = str(glance_etc.parents[1] / "bin" / "python")
        self.program("openstack", _OPENSTACK.format(client="false"))
        (here / "ec2.json").write_text(
            json.dumps({"access": "EC2ACCESSKEY0001", "secret": "ec2secretkey0001"})
        )
        etc = here / "opt" / "glance" / "etc"
        shutil.copytree(glance_etc, etc)
        (etc / "schema-image.json").write_text("{}\n")

    def program(self, name: str, text: str) -> None:
        """Put a program into the path of the phases."""
        path = self.here / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def record(self) -> None:
        """Note the arguments of what the phases run; it takes time."""
        for name in PROGRAMS:
            program = shutil.which(name) or "false"
            self.program(name, _RECORDER.format(name=name, program=program))

    def client(self, client: pathlib.Path, token: str, clouds: str) -> None:
        """Give the phases an openstack client that works."""
        self.program("openstack", _OPENSTACK.format(client=client))
        (self.here / "token").write_text(f"{token}\n")
        (self.here / "clouds.yaml").write_text(clouds)

    def run(self, *steps: str) -> subprocess.CompletedProcess[str]:
        """Run the steps in one shell; the answer has its trace and its output."""
        lines = [f"{name}={shlex.quote(text)}" for name, text in self.settings.items()]
        (self.here / "localrc").write_text("\n".join(lines) + "\n")
        return subprocess.run(
            ["bash", str(DRIVER), *steps],
            cwd=self.here,
            env={
                "HERE": str(self.here),
                "HOME": str(self.here),
                "TMPDIR": str(self.here / "tmp"),
                "PLUGIN": str(ROOT),
                "DEVSTACK_DIR": str(self.devstack or ""),
                "OS_CLIENT_CONFIG_FILE": str(self.here / "clouds.yaml"),
                "PATH": f"{self.here / 'bin'}:{os.environ['PATH']}",
                "LC_ALL": "C.UTF-8",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def succeed(self, *steps: str) -> str:
        """Run steps that must succeed; return what they printed."""
        done = self.run(*steps)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def die(self, *steps: str) -> str:
        """Run steps that must die; return the message."""
        done = self.run(*steps)
        assert done.returncode != 0, done.stdout[-4000:]
        print(done.stdout[-4000:])
        errors = [line for line in done.stdout.splitlines() if "[ERROR]" in line]
        assert len(errors) == 1, done.stdout[-4000:]
        return errors[0]

    @property
    def calls(self) -> list[str]:
        """What would have been done on a real machine."""
        path = self.here / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def arguments(self) -> str:
        """The arguments of the processes so far."""
        path = self.here / "arguments"
        return path.read_text() if path.exists() else ""

    @property
    def conf(self) -> pathlib.Path:
        return self.here / "etc" / "glance" / "glance-api.conf"

    @property
    def gateway_conf(self) -> pathlib.Path:
        return self.here / "etc" / "s3gateway" / "s3gateway.conf"

    @property
    def paste(self) -> pathlib.Path:
        return self.here / "etc" / "glance" / "glance-api-paste.ini"

    def config(self) -> Config:
        """Return Glance's configuration."""
        return parsed(self.conf)

    def pipelines(self) -> dict[str, str]:
        """Return the pipelines in Glance's paste file."""
        return pipelines(self.paste)


def parsed(path: pathlib.Path) -> Config:
    """Return the options in a file by section, DEFAULT being one like others."""
    parser = configparser.RawConfigParser(default_section="", delimiters=("=", ": "))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(path)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def pipelines(paste: pathlib.Path) -> dict[str, str]:
    """Return the pipelines in a paste file of Glance."""
    options = parsed(paste)["composite:api"]
    return {name: text for name, text in options.items() if text.endswith("rootapp")}
