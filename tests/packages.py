# SPDX-License-Identifier: Apache-2.0
"""Installs the Debian packages that the tests need, and says which.

Run by ``make test`` before anything is installed: standard library only.  With
``--full`` those of the full tier too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# A program, and the package that brings it.
NEEDED = {
    "mariadbd": "mariadb-server-core",
    "mariadb": "mariadb-client-core",
}

NEEDED_BY_FULL_TIER = {
    "aria2c": "aria2",
    "busybox": "busybox-static",
    "ceph": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "curl": "curl",
    "grub-mkrescue": "grub-pc-bin",  # with what starts from a disk, not by UEFI alone
    "haproxy": "haproxy",
    "mformat": "mtools",
    "nbdcopy": "libnbd-bin",
    "nbdkit": "nbdkit",
    "nginx": "nginx-light",
    "pg_ctlcluster": "postgresql",
    "podman": "podman",
    "prometheus": "prometheus",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "rabbitmq-server": "rabbitmq-server",
    "radosgw": "radosgw",
    "runc": "runc",
    "systemd-analyze": "systemd",
    "wget": "wget",
    "xorriso": "xorriso",
}


def main() -> int:
    needed = {**NEEDED, **(NEEDED_BY_FULL_TIER if "--full" in sys.argv else {})}
    missing = sorted({
        package for program, package in needed.items() if not shutil.which(program)
    })  # fmt: skip
    if not missing:
        return 0
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"The tests need these Debian packages: {' '.join(missing)}")
        return 1
    print(f"installing Debian packages: {' '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["apt-get", "update", "-qq"], [*command, "-qq"]):
        subprocess.run(words, env=environment, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
