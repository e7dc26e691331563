# SPDX-License-Identifier: Apache-2.0
"""Configurations as Kolla-Ansible writes them: its templates, plugins, variables.

The tasks that copy a configuration are taken out of the roles, and run on localhost.
Containers, and all that concerns them, are left out.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import yaml

from tests.support.servers import environments
from tests.support.servers.processes import run

_HOST = "localhost"

# The deployment is this host alone; what is not named has Kolla's default.
_GLOBALS = {
    "kolla_internal_vip_address": "127.0.0.1",
    # Its default takes a filter that is in no package of PyPI's but all of Ansible.
    "kolla_same_external_internal_vip": True,
    "network_interface": "lo",
    "neutron_external_interface": "lo",
    "enable_haproxy": False,
    "enable_cinder": True,
    "config_owner_user": "root",
    "config_owner_group": "root",
}


@dataclasses.dataclass(frozen=True)
class Kolla:
    """A deployment host.

    :ivar directory: an empty one; in it is what else is in ``/etc/kolla``
    :ivar variables: what is in ``globals.yml``
    """

    directory: pathlib.Path
    variables: Mapping[str, Any]

    @property
    def overrides(self) -> pathlib.Path:
        """Where an operator puts files that are merged: ``/etc/kolla/config``."""
        return self.directory / "config"

    def write_override(self, name: str, text: str) -> None:
        """Write a file that is merged."""
        path = self.overrides / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def configure(self, role: str, task: str) -> dict[str, str]:
        """Run a task of a role's; return what it has written, by service.

        :param task: its name; it merges the configuration of one service or several
        """
        bin_dir = environments.bin_dir("kolla")
        ansible = bin_dir.parent / "share" / "kolla-ansible" / "ansible"
        written = self.directory / role
        for each in _services(ansible / "roles" / role):
            (written / each).mkdir(parents=True)
        self._write_variables(bin_dir, ansible, written)
        play = self.directory / f"{role}.yml"
        play.write_text(yaml.safe_dump([_play(ansible / "roles" / role, task)]))
        run(
            [
                bin_dir / "ansible-playbook",
                f"--inventory={ansible / 'inventory' / 'all-in-one'}",
                *(f"--extra-vars=@{self.directory / name}" for name in _VARIABLES),
                play,
            ],
            env=_environment(ansible, self.directory),
            cwd=self.directory,
        )
        return {path.parent.name: path.read_text() for path in written.glob("*/*.conf")}

    def _write_variables(
        self, bin_dir: pathlib.Path, ansible: pathlib.Path, written: pathlib.Path
    ) -> None:
        passwords = self.directory / "passwords.yml"
        if not passwords.exists():
            examples = ansible.parent / "etc_examples" / "kolla"
            passwords.write_text((examples / "passwords.yml").read_text())
            passwords.chmod(0o600)
            run([bin_dir / "kolla-genpwd", "-p", passwords])
            (self.directory / "group_vars").symlink_to(ansible / "group_vars")
            (self.directory / "ansible.cfg").touch()  # or it were the one in /etc
        variables = {
            **_GLOBALS,
            "ansible_python_interpreter": str(bin_dir / "python"),
            "node_config": str(self.directory),
            "node_custom_config": str(self.overrides),
            "node_config_directory": str(written),
            **self.variables,
        }
        (self.directory / "globals.yml").write_text(json.dumps(variables))


_VARIABLES = ("passwords.yml", "globals.yml")


def _services(role: pathlib.Path) -> list[str]:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    return list(defaults[f"{role.name}_services"])


def _play(role: pathlib.Path, name: str) -> dict[str, Any]:
    """Return a play with one task of a role's, and the role's variables."""
    tasks = yaml.safe_load((role / "tasks" / "config.yml").read_text())
    [task] = [each for each in tasks if each["name"] == name]
    del task["become"]  # sudo
    return {
        "hosts": _HOST,
        "gather_facts": True,
        "vars_files": [str(role / "defaults" / "main.yml")],
        "vars": {"role_path": str(role)},
        "tasks": [task],
    }


def _environment(ansible: pathlib.Path, directory: pathlib.Path) -> dict[str, str]:
    temporary = directory / "temporary"
    return {
        "ANSIBLE_ACTION_PLUGINS": str(ansible / "action_plugins"),
        "ANSIBLE_FILTER_PLUGINS": str(ansible / "filter_plugins"),
        "ANSIBLE_LIBRARY": str(ansible / "library"),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(temporary),
        "ANSIBLE_LOCAL_TEMP": str(temporary),
        "ANSIBLE_REMOTE_TEMP": str(temporary),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_GATHER_SUBSET": "network",
    }
