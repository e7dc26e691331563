# SPDX-License-Identifier: Apache-2.0
"""s3gateway-manage check on configurations as deployment tools write them.

Server, keys, buckets and database are those that there are here.
"""

from __future__ import annotations

import pathlib
import secrets

import pytest

from tests.support import tiers
from tests.support.servers import published
from tests.support.servers.glance import Config
from tests.support.servers.glance import ini
from tests.support.servers.glance import merged
from tests.support.servers.glance import parsed as sections
from tests.support.servers.manage import Manage
from tests.support.servers.manage import Result
from tests.support.servers.manage import parsed
from tests.support.servers.processes import run

#: What the tools have in other files, or fill in for the host.
_OF_THE_HOST = (
    "database",
    "oslo_policy",
    "os_glance_staging_store",
    "os_glance_tasks_store",
    "paste_deploy",
)
#: Stores of other kinds need libraries or servers that are not here.
STAND_INS = {"cinder:cinder": "cinder:file", "swift:swift": "swift:file"}
#: What each S3 store is said to be, whichever tool has written of it.
OF_A_STORE = {
    "access: yes": "ok",
    "ranges: yes": "ok",
    "checksums: enforced": "ok",
    "parts: 10,000": "ok",
    "list of uploads: all": "ok",
    "versioning: off": "ok",
    "lifecycle: none": "note",
    "without TLS": "note",
}


def check(
    managed: Manage, directory: pathlib.Path, tool: str, config: Config
) -> Result:
    """Run ``check`` on what a tool has written.

    :param config: options over those
    """
    prefix = f"published-{secrets.token_hex(4)}-"
    words = published.write(tool, directory)
    published.lead_to(managed.cloud.s3, directory, prefix)
    client = managed.cloud.s3.client()
    for bucket in published.buckets(tool):
        client.create_bucket(Bucket=prefix + bucket)
    host = sections((managed.glance.directory / "glance-api.conf").read_text())
    here = merged({name: host[name] for name in _OF_THE_HOST}, config)
    (directory / "here.conf").write_text(ini(here))
    words.append(f"--config-file={directory / 'here.conf'}")
    program = managed.cloud.bin_dir / "s3gateway-manage"
    return parsed(run([program, *words, "--json", "check"], check=False))


def stand_ins(tool: str, directory: pathlib.Path) -> Config:
    """Return options that have a store of files where one of another kind is."""
    files, _, _ = published.PUBLISHED[tool]
    [line] = [
        line.replace(" ", "").partition("=")[2]
        for line in "\n".join(files.values()).splitlines()
        if line.startswith("enabled_backends") and ":file" not in line
    ]
    found: Config = {}
    for kind, other in STAND_INS.items():
        if kind in line:
            line = line.replace(kind, other)
            name = kind.partition(":")[0]
            found[name] = {"filesystem_store_datadir": str(directory)}
    return {**found, "DEFAULT": {"enabled_backends": line}} if found else {}


@pytest.mark.parametrize(
    "tool", tiers.but(["an operator"], list(published.PUBLISHED)), ids=str
)
def test_all_is_well(managed: Manage, tmp_path: pathlib.Path, tool: str) -> None:
    _, stores, default = published.PUBLISHED[tool]
    done = check(managed, tmp_path, tool, stand_ins(tool, tmp_path))
    assert done.code == 0, done.text
    assert done.summary.endswith(" checks, 0 errors, 0 warnings")
    [first, identity] = done.about("configuration")
    assert first["found"] == f"S3 stores {', '.join(stores)}, default {default}"
    assert first["state"] == ("ok" if default in stores else "note")
    assert identity["state"] == "ok"
    for store in stores:
        said = {row["found"]: row["state"] for row in done.about(f"store {store}")}
        assert OF_A_STORE.items() <= said.items()
    for subject, found in {
        "Glance": "its API lists images",
        "uploads": "are registered by Glance's own code",
    }.items():
        [row] = done.about(subject)
        assert (row["state"], row["found"]) == ("ok", found)
    pipelines = done.about("paste file")
    assert {row["state"] for row in pipelines} == {"ok"}
    used = "s3gateway stands last in pipeline keystone, which is used"
    assert used in [row["found"] for row in pipelines]


def test_glance_itself_does_not_start(managed: Manage, tmp_path: pathlib.Path) -> None:
    """The library of the role's third store is not here: what to do names stores."""
    done = check(managed, tmp_path, "OpenStack-Ansible", {})
    assert done.code == 1, done.text
    [row] = [row for row in done.rows if row["state"] == "error"]
    assert row["subject"] == "Glance"
    assert row["found"] == "does not start"
    reason = "Glance cannot be set up. ModuleNotFoundError"
    assert row["detail"].startswith(reason)
    assert "each store in enabled_backends" in row["detail"]
