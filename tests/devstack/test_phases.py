# SPDX-License-Identifier: Apache-2.0
"""All phases in order, twice, around a real Glance and a real S3 server."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import shlex
from collections.abc import Iterator

import pytest

from tests.devstack.conftest import MakeStack
from tests.devstack.stack import UNTIL_GLANCE_STARTS
from tests.devstack.stack import Stack
from tests.devstack.stack import parsed
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers.glance import create_database
from tests.support.servers.glance import ini
from tests.support.servers.glance import merged
from tests.support.servers.glance import with_stand_in_for_keystone
from tests.support.servers.identity import token
from tests.support.servers.mariadb import MariaDB
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.standalone import SERVICE_USER

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = itertools.count(1)
ADMIN = token("admin", "admin", "admin", "member", "reader")

CLOUDS = """\
clouds:
  devstack-admin:
    auth_type: admin_token
    auth: {{endpoint: "{url}/v2", token: "{token}"}}
    region_name: RegionOne
"""


@pytest.fixture
def there(stack: MakeStack, database: MariaDB, s3: S3Server) -> Stack:
    """A stack with a real database, S3 server and client."""
    name = f"devstack{next(COUNT)}"
    stacked = stack(
        DATABASE_URL=database.create(name),
        S3GATEWAY_S3_SERVER="external",
        S3GATEWAY_S3_HOST=s3.endpoint,
        S3GATEWAY_S3_ACCESS_KEY=s3.access_key,
        S3GATEWAY_S3_SECRET_KEY=s3.secret_key,
        S3GATEWAY_BUCKET_PREFIX=f"{name}-",
    )
    paste = stacked.here / "opt" / "glance" / "etc" / "glance-api-paste.ini"
    paste.write_text(with_stand_in_for_keystone(paste.read_text()))
    create_database(
        environments.bin_dir("glance-33"),
        stacked.here / "tmp",
        stacked.settings["DATABASE_URL"],
    )
    client = environments.bin_dir("clients") / "openstack"
    clouds = CLOUDS.format(url=glance_url(stacked), token=ADMIN)
    stacked.client(client, ADMIN, clouds)
    return stacked


def glance_url(there: Stack) -> str:
    return f"http://127.0.0.1:{there.settings['GLANCE_PORT']}"


def extra(there: Stack) -> tuple[str, ...]:
    """Return the steps of the extra phase, where Apache is not in front of Glance."""
    return (f"call eval GLANCE_URL={glance_url(there)}", "stack extra")


@contextlib.contextmanager
def glance(there: Stack) -> Iterator[Server]:
    """Run Glance with the configuration that the phases have written."""
    programs = environments.bin_dir("glance-33")
    port = there.settings["GLANCE_PORT"]
    with Server(
        "glance",
        [
            programs / "gunicorn",
            "--worker-class=gthread",
            "--threads=4",
            f"--bind=127.0.0.1:{port}",
            "glance.wsgi.api:application",
        ],
        log=there.here / "glance.log",
        env={"OS_GLANCE_CONFIG_DIR": str(there.conf.parent), "PYTHONPATH": str(ROOT)},
        cwd=there.here,
    ) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/")
        yield server


def test_stack_unstack_stack_clean(there: Stack, s3: S3Server) -> None:
    tempest = there.here / "tempest.conf"
    there.settings["TEMPEST_CONFIG"] = str(tempest)
    printed = []
    for _ in range(2):
        tempest.write_text("[image-feature-enabled]\n")
        printed.append(there.succeed(*UNTIL_GLANCE_STARTS))
        with glance(there) as server:
            printed.append(there.succeed(*extra(there), "stack test-config"))
            printed.append(server.log.read_text())
        assert "manage_locations = False" in tempest.read_text()
        printed.append(there.succeed("unstack"))
    printed.append(there.succeed("clean"))

    bucket = there.settings["S3GATEWAY_BUCKET_PREFIX"] + "fast"
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)
    assert "s3gateway" not in there.paste.read_text()
    assert s3.access_key not in there.conf.read_text()
    for text in (*printed, there.arguments):
        assert s3.secret_key not in text
        assert s3.access_key not in text


@contextlib.contextmanager
def gateway(there: Stack) -> Iterator[Server]:
    """Run the stand-alone gateway as its unit says, with a stand-in for Keystone."""
    conf = there.gateway_conf
    conf.write_text(ini(merged(parsed(conf), {"service_user": SERVICE_USER})))
    paste = conf.parent / "s3gateway-paste.ini"
    routed = paste.read_text().replace("\n/ = api", "\n/s3gateway = api")
    paste.write_text(with_stand_in_for_keystone(routed))
    program = environments.bin_dir("gateway") / "s3gateway-api"
    there.program("s3gateway-api", f'#!/bin/sh\nexec {program} "$@"\n')
    unit = there.here / "etc" / "systemd" / "devstack@s3gateway.service"
    command = parsed_command(unit.read_text())
    with Server(
        "s3gateway-api",
        command,
        log=there.here / "gateway.log",
        env={"PYTHONPATH": str(ROOT)},
        cwd=there.here,
    ) as server:
        port = there.settings["S3GATEWAY_SERVICE_PORT_INT"]
        server.wait_for_url(f"http://127.0.0.1:{port}/healthcheck")
        yield server


def parsed_command(unit: str) -> list[str | pathlib.Path]:
    """Return what a unit runs."""
    [line] = [line for line in unit.splitlines() if line.startswith("ExecStart")]
    return [*shlex.split(line.partition("=")[2])]


def test_sealed(there: Stack, s3: S3Server) -> None:
    """The image of the extra phase goes through a gateway with the only keys of S3.

    Glance's own driver is asked for the object's size, and deletes it.
    """
    port = str(free_port())
    there.settings.update(
        S3GATEWAY_MODE="sealed",
        S3GATEWAY_SERVICE_PORT_INT=port,
        S3GATEWAY_FACE_PORT=str(free_port()),
        GLANCE_SERVICE_HOST=f"127.0.0.1:{port}",
    )
    clouds = there.here / "clouds.yaml"
    url = f"http://127.0.0.1:{port}/s3gateway"
    clouds.write_text(CLOUDS.format(url=url, token=ADMIN))
    printed = [there.succeed(*UNTIL_GLANCE_STARTS)]

    with glance(there) as server, gateway(there) as before:
        printed.append(there.succeed("stack extra"))
        printed += [server.log.read_text(), before.log.read_text()]

    bucket = there.settings["S3GATEWAY_BUCKET_PREFIX"] + "fast"
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)
    assert s3.secret_key not in there.conf.read_text()
    assert s3.access_key not in there.conf.read_text()
    assert s3.secret_key in there.gateway_conf.read_text()
    for text in (*printed, there.arguments):
        assert s3.secret_key not in text


@pytest.mark.full
def test_extra_phase_notices_that_the_filter_is_not_there(there: Stack) -> None:
    there.succeed(*UNTIL_GLANCE_STARTS)
    there.succeed("stack pre-install", f"call remove_s3gateway {there.paste}")

    with glance(there):
        error = there.die(*extra(there))

    assert "did not go through the gateway" in error


def test_extra_phase_notices_that_glance_is_broken(stack: MakeStack) -> None:
    error = stack().die("stack extra")  # with a client that fails

    assert "could not be uploaded" in error
