# SPDX-License-Identifier: Apache-2.0
"""Each snippet in the documentation parses and loads."""

from __future__ import annotations

import configparser
import json
import pathlib
import re
from typing import Any

import pytest
import yaml
from paste import deploy

from s3gateway.config.settings import Settings
from s3gateway.errors import StoreError
from s3gateway.manage.check.findings import of_error
from s3gateway.monitoring.exposition import Exposition
from tests.support import configuration
from tests.support.servers import glance
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "source"
SNIPPETS = DOCS / "snippets"
SHIPPED_PASTE = ROOT / "etc" / "paste" / "glance-api-paste.ini"

# Where an operator keeps the wheel, as the package is not on PyPI.
WHEEL = "https://wheels.example.org/s3gateway-1.0.0-py3-none-any.whl"

# What an inventory's vault has.
VAULT = {"glance_s3_access_key": "ACCESSKEY", "glance_s3_secret_key": "secret-key"}


def load(*files: pathlib.Path) -> Settings:
    """Read files as Glance reads them: options of later ones come first."""
    return configuration.read(*files)


def snippets_of(page: str) -> set[str]:
    return set(re.findall(r"literalinclude:: \S*snippets/(\S+)", page))


def test_every_snippet_is_shown_and_every_one_shown_is_here() -> None:
    shown = set().union(
        *(snippets_of(page.read_text()) for page in DOCS.rglob("*.rst"))
    )
    assert shown == {file.name for file in SNIPPETS.iterdir()}


@pytest.mark.parametrize(
    ("name", "stores", "default"),
    [
        ("minio.conf", {"minio": "http://minio.example.org:9000"}, "minio"),
        ("rgw.conf", {"rgw": "https://rgw.example.org:8443"}, "rgw"),
        (
            "aws.conf",
            {
                "frankfurt": "https://s3.eu-central-1.amazonaws.com",
                "virginia": "https://s3.amazonaws.com",
            },
            "frankfurt",
        ),
        ("flashblade.conf", {"flashblade": "http://192.0.2.40"}, "flashblade"),
        ("single-store.conf", {"s3": "https://rgw.example.org:8443"}, "s3"),
    ],
)
def test_a_configuration_of_stores_loads(
    name: str, stores: dict[str, str], default: str
) -> None:
    found = load(SNIPPETS / name)
    assert {key: store.endpoint for key, store in found.stores.items()} == stores
    assert found.default_store == default
    assert not found.show_multiple_locations  # the filter needs it no more


def test_kolla(tmp_path: pathlib.Path) -> None:
    """Over what Kolla-Ansible writes itself for ``glance_backend_s3``."""
    variables = yaml.safe_load((SNIPPETS / "kolla-globals.yml").read_text())
    assert variables["glance_backend_s3"] == "yes"
    kolla = tmp_path / "kolla.conf"
    kolla.write_text(
        "[DEFAULT]\nenabled_backends = s3:s3, http:http, cinder:cinder\n"
        '[glance_store]\ndefault_backend = "s3"\n'
        "[s3]\ns3_store_host = https://kolla.example.org\n"
        "s3_store_access_key = a\ns3_store_secret_key = b\ns3_store_bucket = glance\n"
    )
    assert list(load(kolla).stores) == ["s3"]
    ours = SNIPPETS / "kolla-glance-api.conf"
    found = load(kolla, ours)
    assert list(found.stores) == ["fast", "cheap"]
    assert found.default_store == "fast"
    assert not found.show_multiple_locations  # the filter needs it no more
    (volume,) = variables["glance_api_extra_volumes"]
    named = glance.parsed(ours.read_text())["paste_deploy"]["config_file"]
    assert volume.split(":")[1] == named


def test_kolla_image() -> None:
    """A template that names the wheel in the variable of the image's parent."""
    text = (SNIPPETS / "kolla-template-override.j2").read_text()
    assert text.startswith("{% extends parent_template %}")
    assert f"glance_base_pip_packages_append = ['{WHEEL}']" in text


def openstack_ansible() -> dict[str, Any]:
    text = (SNIPPETS / "openstack-ansible.yml").read_text()
    for name, value in VAULT.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    assert "{{" not in text
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_openstack_ansible(tmp_path: pathlib.Path) -> None:
    """The file that the role's template makes of the variables."""
    variables = openstack_ansible()
    assert variables["glance_user_pip_packages"] == [WHEEL]
    default = variables["glance_default_store"]
    stores = [default, *variables["glance_additional_stores"]]
    config = {
        "DEFAULT": {
            "enabled_backends": ",".join(f"{s['name']}:{s['type']}" for s in stores),
        },
        "glance_store": {"default_backend": default["name"]},
        **{store["name"]: store.get("config", {}) for store in stores},
    }
    config = glance.merged(config, variables["glance_glance_api_conf_overrides"])
    file = tmp_path / "glance-api.conf"
    file.write_text(glance.ini(config))
    found = load(file)
    assert list(found.stores) == ["fast", "cheap"]
    assert found.default_store == "fast"
    assert not found.show_multiple_locations  # the filter needs it no more
    assert found.stores["fast"].keys.current().access_key == "ACCESSKEY"


def test_openstack_ansible_changes_the_paste_file_as_we_do() -> None:
    overrides = openstack_ansible()["glance_glance_api_paste_ini_overrides"]
    shipped = glance.parsed(SHIPPED_PASTE.read_text())
    for section, options in overrides.items():
        for name, value in options.items():
            assert shipped[section][name] == value


@pytest.mark.parametrize(
    ("name", "section", "option"),
    [
        ("cinder-image-volume-cache.conf", "lvm", "image_volume_cache_enabled"),
        ("cinder-backup.conf", "DEFAULT", "backup_driver"),
    ],
)
def test_a_configuration_of_cinder_parses(name: str, section: str, option: str) -> None:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser.read_string((SNIPPETS / name).read_text())
    assert parser[section][option]


@pytest.mark.parametrize(
    "name",
    ["devstack-swift.conf", "devstack-external.conf", "devstack-standalone.conf"],
)
def test_devstack(name: str) -> None:
    """A section that stack.sh sources as shell; it enables the plugin."""
    head, _, body = (SNIPPETS / name).read_text().partition("\n")
    assert head == "[[local|localrc]]"
    said = "enable_plugin() { echo plugin: $1; }\n" + body
    assert run(["bash", "-euc", said]).stdout == "plugin: s3gateway\n"


def test_the_devstack_snippets_set_what_the_plugin_reads() -> None:
    settings_file = ROOT / "devstack" / "settings"
    known = set(re.findall(r"^ *(S3GATEWAY_\w+)=", settings_file.read_text(), re.M))
    for file in SNIPPETS.glob("devstack-*.conf"):
        assert set(re.findall(r"^(S3GATEWAY_\w+)=", file.read_text(), re.M)) <= known


def test_the_apps_for_the_paste_file_load(tmp_path: pathlib.Path) -> None:
    metrics = deploy.loadapp(f"config:{SNIPPETS / 'metrics-paste.ini'}", name="metrics")
    assert isinstance(metrics, Exposition)
    file = tmp_path / "paste.ini"
    file.write_text(
        (SNIPPETS / "healthcheck-paste.ini").read_text()
        + f"config_file = {SNIPPETS / 'rgw.conf'}\n"
    )
    assert callable(deploy.loadapp(f"config:{file}", name="readiness"))


# Which right a request to S3 needs.  Source: AWS's "Actions, resources, and condition
# keys for Amazon S3"; multipart uploads and copies have those of their objects.
RIGHTS = {
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "complete_multipart_upload": "s3:PutObject",
    "copy_object": "s3:PutObject",
    "create_bucket": "s3:CreateBucket",
    "create_multipart_upload": "s3:PutObject",
    "get_bucket_lifecycle_configuration": "s3:GetLifecycleConfiguration",
    "get_bucket_versioning": "s3:GetBucketVersioning",
    "head_object": "s3:GetObject",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "list_objects_v2": "s3:ListBucket",
    "upload_part_copy": "s3:PutObject",
}
#: Those whose requests boto3 does not send; and what only some stores need.
SIGNED_HERE = {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}
OPTIONAL = {"s3:CreateBucket"}
#: ``list_parts``, which is asked for page by page.
PAGES = {"s3:ListMultipartUploadParts"}


def operations() -> set[str]:
    """Return the operations of boto3 that the code names."""
    text = "\n".join(file.read_text() for file in (ROOT / "s3gateway").rglob("*.py"))
    return set(re.findall(r"\bask\(\s*\"([a-z0-9_]+)\"", text))


def allowed() -> set[str]:
    policy = json.loads((SNIPPETS / "iam-policy.json").read_text())
    return {action for each in policy["Statement"] for action in each["Action"]}


def test_the_policy_of_the_key_allows_what_the_gateway_asks_of_s3() -> None:
    assert operations() == set(RIGHTS)
    assert allowed() == (set(RIGHTS.values()) | SIGNED_HERE | PAGES) - OPTIONAL


def test_the_check_advises_no_other_rights() -> None:
    denied = StoreError("no")
    denied.code = "AccessDenied"
    rights = set(re.findall(r"s3:\w+", of_error("access", "fast", denied).advice))
    assert rights
    assert rights <= allowed()
