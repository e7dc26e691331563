# SPDX-License-Identifier: Apache-2.0
"""Renders glance-api.conf as OpenStack-Ansible does, from its own role's template.

The role is not among the packages of this machine: ``S3GATEWAY_OS_GLANCE_ROLE`` names a
tree of openstack/openstack-ansible-os_glance.  Ansible and the plugin that merges the
overrides, ``config_template``, are from PyPI.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import textwrap
from typing import Any

import yaml

from tests.support.servers import environments
from tests.support.servers.processes import run

VARIABLE = "S3GATEWAY_OS_GLANCE_ROLE"
ROLE = os.environ.get(VARIABLE, "")

# What the rest of OpenStack-Ansible knows of a deployment.
_DEPLOYMENT = {
    "external_lb_vip_address": "glance.example.org",
    "internal_lb_vip_address": "glance.example.org",
    "keystone_service_adminurl": "http://keystone.example.org/v3",
    "keystone_service_internaluri": "http://keystone.example.org",
    "keystone_service_internaluri_insecure": False,
    "keystone_service_publicuri": "http://keystone.example.org",
    "keystone_service_region": "RegionOne",
    "memcached_servers": "",
    "memcached_encryption_key": "none",
    "glance_container_mysql_password": "none",
    "glance_service_password": "none",
    "glance_oslomsg_rpc_password": "none",
    "glance_oslomsg_notify_password": "none",
}
# The task of the role's that writes the file.
_PLAYBOOK = """
- hosts: localhost
  connection: local
  vars_files:
    - "{{ role }}/defaults/main.yml"
    - "{{ role }}/vars/main.yml"
    - deployment.yml
    - user_variables.yml
  tasks:
    - config_template:
        src: "{{ role }}/templates/glance-api.conf.j2"
        dest: "{{ playbook_dir }}/glance-api.conf"
        config_overrides: "{{ glance_glance_api_conf_overrides }}"
        config_type: ini
"""


def missing() -> str:
    """Return what is missing, empty if nothing."""
    if ROLE:
        return ""
    return (
        f"{VARIABLE} names no tree of openstack/openstack-ansible-os_glance, so the "
        "configuration is written as the role would write it"
    )


def rendered(user_variables: str, directory: pathlib.Path) -> str:
    """Return the glance-api.conf that the role makes of an operator's variables."""
    directory.mkdir()
    (directory / "playbook.yml").write_text(textwrap.dedent(_PLAYBOOK))
    (directory / "deployment.yml").write_text(yaml.safe_dump(_DEPLOYMENT))
    (directory / "user_variables.yml").write_text(user_variables)
    programs = environments.bin_dir("ansible")
    plugins = programs.parent / "share" / "ansible" / "plugins"
    run(
        [
            programs / "ansible-playbook",
            "--inventory=localhost,",
            f"--extra-vars=role={pathlib.Path(ROLE).resolve()}",
            "playbook.yml",
        ],
        cwd=directory,
        env={
            "ANSIBLE_ACTION_PLUGINS": str(plugins / "action"),
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_LIBRARY": str(plugins / "modules"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
            "ANSIBLE_PYTHON_INTERPRETER": str(programs / "python"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        },
    )
    text = (directory / "glance-api.conf").read_text()
    shutil.rmtree(directory)
    return text


def variables(text: str) -> Any:
    """Return an operator's variables."""
    return yaml.safe_load(text)
