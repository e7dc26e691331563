# SPDX-License-Identifier: Apache-2.0
"""Configurations of Glance with S3 stores as deployment tools write them."""

from __future__ import annotations

import pathlib
import re

from tests.support.s3.s3server import S3Server

_STORE = """
s3_store_host = https://s3.example.org
s3_store_access_key = ACCESSKEY
s3_store_secret_key = a-secret-key-of-some-length
s3_store_bucket = {bucket}
"""
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


def buckets(tool: str) -> list[str]:
    """Return the buckets that a tool's stores have."""
    files, _, _ = PUBLISHED[tool]
    return re.findall("s3_store_bucket = (.*)", "".join(files.values()))


def write(tool: str, directory: pathlib.Path) -> list[str]:
    """Write what a tool writes; return the command line that names it."""
    files, _, _ = PUBLISHED[tool]
    words: list[str] = []
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        named = (
            f"--config-dir={path.parent}" if "/" in name else f"--config-file={path}"
        )
        words += [named] * (named not in words)
    return words


def lead_to(server: S3Server, directory: pathlib.Path, prefix: str) -> None:
    """Have what was written name a server that there is, and keys that it knows.

    :param prefix: of the buckets
    """
    for path in directory.rglob("*.conf"):
        text = path.read_text()
        for example, real in (
            ("https://s3.example.org", server.endpoint),
            ("ACCESSKEY", server.access_key),
            ("a-secret-key-of-some-length", server.secret_key),
            ("s3_store_bucket = ", f"s3_store_bucket = {prefix}"),
        ):
            text = text.replace(example, real)
        path.write_text(text)
