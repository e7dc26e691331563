# SPDX-License-Identifier: Apache-2.0
"""OpenStack Swift with its S3 API: the S3 server that PyPI has.

Four processes over a plain directory; no root, no packages of the system.
"""

from __future__ import annotations

import contextlib
import getpass
import pathlib
from collections.abc import Iterator

from tests.support.s3.s3server import S3Server
from tests.support.s3.swiftkeys import ACCESS_KEY
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[3]

OTHER_SECRET_KEY = "rotated/secret+key=0123456789abcde"
SECRET_KEY = "swift/secret+key=0123456789abcdef"

_PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {directory}
workers = 0
log_level = WARNING
log_address = {directory}/no-syslog

[pipeline:main]
pipeline = catch_errors s3api keys tempauth slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:s3api]
use = egg:swift#s3api
s3_acl = false
storage_domain = s3.localhost
check_bucket_owner = false
max_upload_part_num = 10000

[filter:keys]
paste.filter_factory = tests.support.s3.swiftkeys:filter_factory

[filter:tempauth]
use = egg:swift#tempauth
user_glance_images = {secret} .admin
user_glance_rotated = {other_secret} .admin

[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
"""

_HASH = """
[swift-hash]
swift_hash_path_prefix = s3gateway
swift_hash_path_suffix = tests
"""

_BACKEND = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
devices = {directory}/devices
swift_dir = {directory}
mount_check = false
workers = 0
log_level = WARNING
log_address = {directory}/no-syslog

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

# The rings of one disk, as swift-ring-builder makes them: 16 partitions, one replica.
_RINGS = """
import sys
from swift.common.ring.builder import RingBuilder

for word in sys.argv[2:]:
    kind, port = word.split(":")
    ring = RingBuilder(4, 1, 0)
    address = {"ip": "127.0.0.1", "port": int(port)}
    ring.add_dev({"region": 1, "zone": 1, **address, "device": "disk", "weight": 1.0})
    ring.rebalance()
    ring.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
"""

# Runs a program of Swift's that knows its limits from this directory: those in
# /etc/swift/swift.conf would be read before its configuration says where that file is.
_PROGRAM = """
import runpy, sys
from swift.common import utils

utils.set_swift_dir(sys.argv.pop(1))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@contextlib.contextmanager
def serving(bin_dir: pathlib.Path, directory: pathlib.Path) -> Iterator[S3Server]:
    """Run Swift's S3 API over an empty directory.

    :param bin_dir: where Swift's programs are
    :param directory: for the data, the rings and the logs
    """
    (directory / "devices" / "disk").mkdir(parents=True)
    ports = {kind: free_port() for kind in ("proxy", "account", "container", "object")}
    processes = []
    with contextlib.ExitStack() as stack:
        words = [f"{kind}:{port}" for kind, port in ports.items() if kind != "proxy"]
        run([bin_dir / "python", "-c", _RINGS, directory, *words])
        (directory / "swift.conf").write_text(_HASH)
        for kind, port in ports.items():
            template = _PROXY if kind == "proxy" else _BACKEND
            config = directory / f"{kind}.conf"
            config.write_text(
                template.format(
                    kind=kind,
                    port=port,
                    user=getpass.getuser(),
                    directory=directory,
                    secret=SECRET_KEY,
                    other_secret=OTHER_SECRET_KEY,
                )
            )
            program = bin_dir / f"swift-{kind}-server"
            server = Server(
                f"swift-{kind}",
                [bin_dir / "python", "-c", _PROGRAM, directory, program, config],
                log=directory / f"{kind}.log",
                env={"PYTHONPATH": str(ROOT)},
            )
            processes.append(stack.enter_context(server))
            server.wait_for_port(port)
        yield S3Server(
            name="swift",
            endpoint=f"http://127.0.0.1:{ports['proxy']}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            processes=tuple(processes),
        )
