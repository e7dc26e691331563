# SPDX-License-Identifier: Apache-2.0
"""Tempest's image tests: what passes with stock Glance passes through the gateway."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import pathlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import formats
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers import standalone
from tests.support.servers import web
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Config
from tests.support.servers.glance import ini
from tests.support.servers.glance import merged
from tests.support.servers.keystone import ADMIN
from tests.support.servers.keystone import PASSWORD
from tests.support.servers.keystone import REGION
from tests.support.servers.keystone import Keystone
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run
from tests.support.servers.standalone import GatewaySpec

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

TESTS = "tempest.api.image.v2"
FLAVOR = "keystone+cachemanagement"
REMOTE = "image_remote"
#: Stock leaves it to its stores which locations anybody may write.  Tempest writes
#: http ones, and gopher ones, which have to be bad (400) and not forbidden (403).
OURS = {"s3gateway": {"pass_location_schemes": "rbd, cinder, http, gopher"}}

_LINE = re.compile(r"^\{\d+\} (.+?)(?: \[[0-9.]+s\])? \.\.\. (ok|FAILED|SKIPPED)", re.M)

Outcome = dict[str, str]


@pytest.fixture
def website(tmp_path: pathlib.Path) -> Iterator[str]:
    """The URL of a web server that has an image."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "disk.qcow2").write_bytes(formats.qcow2())
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "web")
    )
    with web.serving(handler) as url:
        yield url


@pytest.fixture
def images(workspace: pathlib.Path, database: MariaDB, s3: S3Server) -> Iterator[Cloud]:
    """A cloud of its own, with the metadata definitions that tempest looks for."""
    home = workspace / "tempest"
    with contextlib.ExitStack() as stack:
        cloud = Cloud(33, home, database, s3, stack, name="tempest")
        definitions = cloud.bin_dir.parent / "etc" / "glance" / "metadefs"
        config = f"--config-file={home / 'db-sync.conf'}"
        manage = cloud.bin_dir / "glance-manage"
        run([manage, config, "db_load_metadefs", definitions])
        yield cloud


@pytest.fixture
def catalog(keystone: Keystone) -> Iterator[Keystone]:
    """A Keystone whose catalog has another Glance, and is put right afterwards."""
    before = [endpoint["url"] for endpoint in keystone.endpoints()]
    api = keystone.admin()
    service = api.create("service", name="another glance", type=REMOTE)
    yield keystone
    api.send("DELETE", f"services/{service}")
    keystone.endpoint(before[0])


def point(keystone: Keystone, urls: list[str]) -> None:
    """Let the catalog name a Glance, and another one of the same images."""
    keystone.endpoint(urls[0])
    api = keystone.admin()
    [service] = api.get(f"services?type={REMOTE}")["services"]
    for old in api.get(f"endpoints?service_id={service['id']}")["endpoints"]:
        api.send("DELETE", f"endpoints/{old['id']}")
    api.create(
        "endpoint",
        service_id=service["id"],
        interface="public",
        url=urls[1],
        region_id=REGION,
    )


def glance_config(keystone: Keystone) -> Config:
    """Return what lets stock Glance pass as many of the tests as it can."""
    methods = "[glance-direct,web-download,copy-image,glance-download]"
    config = {
        "DEFAULT": {
            # In the order of the alphabet, in which tempest expects them.
            "enabled_backends": "cheap:s3, fast:s3, local:file, web:http",
            "enabled_import_methods": methods,
        },
        "web": {},
        "import_filtering_opts": {
            "allowed_hosts": "[127.0.0.1]",
            "allowed_ports": "[]",  # any: the web server's, and a Glance's
        },
        "image_format": {"require_image_format_match": "false"},
    }
    return merged(keystone.authtoken(), config)


def tempest_config(keystone: Keystone, website: str, directory: pathlib.Path) -> Config:
    """Return what tempest must know."""
    return {
        "DEFAULT": {"log_file": str(directory / "tempest.log")},
        "oslo_concurrency": {"lock_path": str(directory / "locks")},
        "auth": {
            "admin_username": ADMIN.name,
            "admin_password": PASSWORD,
            "admin_project_name": ADMIN.project,
            "admin_domain_name": "Default",
            "use_dynamic_credentials": "true",
            "create_isolated_networks": "false",
        },
        "identity": {
            "uri_v3": f"{keystone.url}/v3",
            "auth_version": "v3",
            "region": REGION,
        },
        "service_available": {
            "glance": "true",
            "nova": "false",
            "neutron": "false",
            "cinder": "false",
            "swift": "false",
        },
        "image": {
            "region": REGION,
            "http_image": f"{website}/disk.qcow2",
            "http_qcow2_image": f"{website}/disk.qcow2",
            "image_caching_enabled": "true",
            "alternate_image_endpoint": REMOTE,
        },
        "image-feature-enabled": {
            "manage_locations": "true",
            "http_store_enabled": "true",
            "image_format_enforcement": "false",
        },
    }


def outcome(config: Config, directory: pathlib.Path) -> Outcome:
    """Run the tests; return how each has ended, and what was skipped as a whole."""
    program = environments.bin_dir("tempest") / "tempest"
    # Where tempest keeps a list of its workspaces, and its locks.
    home = {"HOME": str(directory), "TMPDIR": str(directory)}
    run([program, "init", directory / "run"], env=home)
    (directory / "run" / "etc" / "tempest.conf").write_text(ini(config))
    done = run(
        [program, "run", f"--regex={TESTS}", "--concurrency=2"],
        env=home,
        cwd=directory / "run",
        check=False,
    )
    (directory / "output").write_text(done.stdout)
    found = dict(_LINE.findall(done.stdout))
    assert "ok" in found.values(), done.stdout[-3000:]
    return found


def shapes(
    cloud: Cloud, keystone: Keystone, config: Config
) -> Iterator[tuple[str, list[str]]]:
    """Yield the ways to reach Glance: a name, and the URLs of two servers."""
    two = [
        {"flavor": FLAVOR, "keystone": True, "threads": threads}
        for threads in (8, 9)  # anything that makes them two
    ]
    stock = [cloud.glance(gateway=False, config=config, **how) for how in two]
    yield "stock", [each.url for each in stock]
    ours = {**OURS, "service_user": keystone.section()}
    spec = GatewaySpec(keystone=True, config=ours)
    gateways = [cloud.standalone(spec, config=config, **how) for how in two]
    yield "stand-alone", [each.url for each in gateways]
    yield "sealed", sealed(cloud, spec, config, two)
    inside = merged(config, OURS)
    filters = [cloud.glance(gateway=True, config=inside, **how) for how in two]
    yield "filter", [each.url for each in filters]


def sealed(
    cloud: Cloud, spec: GatewaySpec, config: Config, two: list[dict[str, Any]]
) -> list[str]:
    """Return the URLs of two sealed gateways; both Glances use the face of one."""
    ports = [free_port(), free_port()]
    url = f"http://127.0.0.1:{ports[0]}"
    real = {name: cloud.stores()[name] for name in ("fast", "cheap")}
    ours = merged(spec.config, real, {"s3gateway": {"face_url": url}})
    at_face = merged(config, standalone.behind_face(url))
    return [
        cloud.standalone(
            dataclasses.replace(spec, face=port, config=ours), config=at_face, **how
        ).url
        for port, how in zip(ports, two, strict=True)
    ]


def test_what_passes_with_stock_passes(
    images: Cloud,
    catalog: Keystone,
    website: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stock: Outcome = {}
    for name, urls in shapes(images, catalog, glance_config(catalog)):
        point(catalog, urls)
        (tmp_path / name).mkdir()
        config = tempest_config(catalog, website, tmp_path / name)
        found = outcome(config, tmp_path / name)
        with capsys.disabled():
            print(f"\ntempest {TESTS}, {name}: {dict(Counter(found.values()))}")
        stock = stock or found
        assert found.keys() == stock.keys()
        worse = {test for test in found if stock[test] == "ok" != found[test]}
        assert not worse, (tmp_path / name / "output").read_text()[-20000:]
