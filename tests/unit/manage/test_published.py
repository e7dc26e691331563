# SPDX-License-Identifier: Apache-2.0
"""Configurations as deployment tools write them: what ``check`` says of each."""

from __future__ import annotations

import pathlib

import pytest

from s3gateway.manage import commands
from s3gateway.manage.check.command import _configuration
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output

_STORE = """
s3_store_host = https://s3.example.org
s3_store_access_key = ACCESSKEY
s3_store_secret_key = a-secret-key-of-some-length
s3_store_bucket = {bucket}
"""
_IDENTITY = "[database]\nconnection = mysql+pymysql://glance@db.example/glance\n"

#: By tool: what it writes in which file, and the stores that are to be found.
PUBLISHED: dict[str, tuple[dict[str, str], list[str], str]] = {
    # Of the variables for stores of the role os_glance.
    "OpenStack-Ansible": (
        {
            "glance-api.conf": "[DEFAULT]\nshow_multiple_locations = True\n"
            "enabled_backends = fast:s3,http:http,cinder:cinder\n"
            "[glance_store]\ndefault_backend = fast\n"
            "[fast]\n" + _STORE.format(bucket="fast")
        },
        ["fast"],
        "fast",
    ),
    # glance-api.conf.j2 quotes the default
    "Kolla-Ansible": (
        {
            "glance-api.conf": "[DEFAULT]\nshow_multiple_locations = True\n"
            "enabled_backends = s3:s3, http:http\n"
            '[glance_store]\ndefault_backend = "s3"\n'
            "[s3]\n" + _STORE.format(bucket="glance")
        },
        ["s3"],
        "s3",
    ),
    # glance::api and glance::backend::multistore::s3
    "puppet-glance": (
        {
            "glance-api.conf": "[DEFAULT]\nshow_multiple_locations=true\n"
            "enabled_backends=fast:s3,cheap:s3\n"
            "[glance_store]\ndefault_backend=fast\n"
            "[fast]\nstore_description=fast\ns3_store_create_bucket_on_put=false\n"
            "s3_store_large_object_size=100\ns3_store_thread_pools=10\n"
            + _STORE.format(bucket="fast")
            + "[cheap]\n"
            + _STORE.format(bucket="cheap")
        },
        ["fast", "cheap"],
        "fast",
    ),
    # sapcc/helm-charts: an option that Glance does not know is left over
    "a Helm chart": (
        {
            "glance-api.conf": "[DEFAULT]\nshow_multiple_locations = true\n"
            "enabled_backends = s3:s3, swift:swift\n"
            "[glance_store]\ndefault_backend = swift\n"
            "[s3]\nstore_description = RGW\ns3_store_large_object_size = 512\n"
            "s3_store_large_object_chunk_size = 50\ns3_store_thread_pool_size = 10\n"
            "s3_store_bucket_url_format = path\n" + _STORE.format(bucket="glance")
        },
        ["s3"],
        "swift",
    ),
    # A Kubernetes operator: two drop-in directories, and no file
    "an operator": (
        {
            "glance-api.conf.d/00-config.conf": "[DEFAULT]\n"
            "show_multiple_locations = True\nenabled_backends = store:s3\n"
            "[glance_store]\ndefault_backend = store\n",
            "backends.conf.d/backends.conf": "[store]\n"
            "s3_store_bucket_url_format = path\n" + _STORE.format(bucket="images"),
        },
        ["store"],
        "store",
    ),
    # openstack-k8s-operators: customServiceConfig and its secrets over the defaults
    "an operator's overrides": (
        {
            "glance-api.conf.d/00-config.conf": "[DEFAULT]\n"
            "enabled_backends = default_backend:file\n"
            "[glance_store]\ndefault_backend = default_backend\n",
            "glance-api.conf.d/02-config.conf": "[DEFAULT]\n"
            "show_multiple_locations = True\nenabled_backends = default_backend:s3\n",
            "glance-api.conf.d/03-config.conf": "[default_backend]\n"
            + _STORE.format(bucket="images"),
        },
        ["default_backend"],
        "default_backend",
    ),
}


@pytest.mark.parametrize("tool", PUBLISHED)
def test_check_sees_what_the_tool_has_written(
    tool: str, tmp_path: pathlib.Path
) -> None:
    files, stores, default = PUBLISHED[tool]
    words: list[str] = []
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        named = (
            f"--config-dir={path.parent}" if "/" in name else f"--config-file={path}"
        )
        words += [named] * (named not in words)
    (tmp_path / "database.conf").write_text(_IDENTITY)
    words.append(f"--config-file={tmp_path / 'database.conf'}")
    context = Context(commands.parse([*words, "check"]), Output("json"))
    assert list(context.settings.stores) == stores
    assert context.settings.default_store == default
    found = list(_configuration(context.settings))
    assert max(finding.severity for finding in found) <= Severity.NOTE
