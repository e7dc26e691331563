# SPDX-License-Identifier: Apache-2.0
"""A disk image that boots, made of Debian's packages, and a machine that starts it.

GRUB loads a kernel with an initial RAM disk, in which a shell says that it has booted
and turns the machine off.  The machine is qemu without KVM; its console is a log.
"""

from __future__ import annotations

import fcntl
import gzip
import pathlib
import platform
import re
import shutil
import time
from collections.abc import Iterator

from tests.support import isolation
from tests.support.servers.environments import HOME
from tests.support.servers.processes import Server
from tests.support.servers.processes import run

#: What the console says in the end.
BOOTED = "the image has booted"
#: What the kernel says first.
KERNEL = "Linux version "

_PROGRAMS = (
    "apt-get",
    "busybox",
    "dpkg-deb",
    "grub-mkrescue",
    "mformat",
    "qemu-img",
    "qemu-system-x86_64",
    "xorriso",
)
_KERNEL = "linux-image-cloud-amd64"
_GRUB = """
serial --unit=0 --speed=115200
terminal_output serial
linux /boot/vmlinuz console=ttyS0
initrd /boot/initrd
boot
"""
_INIT = f"""#!/bin/busybox sh
/bin/busybox mount -t proc none /proc
/bin/busybox echo "{BOOTED}: $(/bin/busybox uname -sr)"
/bin/busybox poweroff -f
"""
_DIRECTORY, _PROGRAM, _DEVICE = 0o040755, 0o100755, 0o020600
_CONSOLE = (5, 1)


def missing() -> str:
    """Return what is missing to make and start it, empty if nothing."""
    if platform.machine() != "x86_64":
        return "it is made for x86_64"
    programs = [name for name in _PROGRAMS if not shutil.which(name)]
    if programs:
        return f"no {', '.join(programs)}: python3 tests/packages.py --full installs it"
    if not run(["ldd", _busybox()], check=False).returncode:
        return "busybox needs libraries: Debian's busybox-static does not"
    return ""


def make(directory: pathlib.Path) -> pathlib.Path:
    """Make the image; return its file, a qcow2."""
    tree = directory / "iso"
    (tree / "boot" / "grub").mkdir(parents=True)
    shutil.copy(_kernel(), tree / "boot" / "vmlinuz")
    (tree / "boot" / "initrd").write_bytes(_initial_ram_disk())
    (tree / "boot" / "grub" / "grub.cfg").write_text(_GRUB)
    iso, disk = directory / "disk.iso", directory / "disk.qcow2"
    run(["grub-mkrescue", "-o", iso, tree])
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", iso, disk])
    shutil.rmtree(tree)
    iso.unlink()
    return disk


def start(disk: pathlib.Path, disk_format: str, until: str, patience: float) -> str:
    """Start a machine with an image; return what its console says.

    :param until: what it is to say before it is turned off, if it does not do so itself
    :param patience: how many seconds it may take
    """
    drive = f"file={disk},format={disk_format},if=virtio"
    command: list[str | pathlib.Path] = ["qemu-system-x86_64", "-machine"]
    command += ["pc,accel=tcg", "-m", "256", "-nographic", "-no-reboot"]
    command += ["-nic", "none", "-snapshot", "-drive", drive]
    log = disk.with_suffix(".console")
    deadline = time.monotonic() + patience
    with Server("qemu", command, log=log) as machine:
        while until not in log.read_text(errors="replace"):
            if machine.process.poll() is not None or time.monotonic() > deadline:
                break
            time.sleep(0.2)
    return log.read_text(errors="replace")


def _busybox() -> pathlib.Path:
    return pathlib.Path(shutil.which("busybox") or "busybox").resolve()


def _kernel() -> pathlib.Path:
    """Return a kernel of Debian's, after it was fetched if needed."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "kernel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home = HOME / "kernel"
        found = sorted(home.glob("boot/vmlinuz-*"))
        if not found:
            home.mkdir(exist_ok=True)
            needs = run(["apt-cache", "depends", _KERNEL], env=isolation.OWNER).stdout
            names = re.findall(r"Depends: (linux-image-\S+)", needs)
            run(["apt-get", "download", *names], env=isolation.OWNER, cwd=home)
            [package] = home.glob("*.deb")
            run(["dpkg-deb", "--extract", package, home])
            shutil.rmtree(home / "lib", ignore_errors=True)
            package.unlink()
            found = sorted(home.glob("boot/vmlinuz-*"))
    return found[-1]


def _initial_ram_disk() -> bytes:
    files = [
        ("bin", _DIRECTORY, b"", (0, 0)),
        ("dev", _DIRECTORY, b"", (0, 0)),
        ("dev/console", _DEVICE, b"", _CONSOLE),
        ("proc", _DIRECTORY, b"", (0, 0)),
        ("bin/busybox", _PROGRAM, _busybox().read_bytes(), (0, 0)),
        ("init", _PROGRAM, _INIT.encode(), (0, 0)),
        ("TRAILER!!!", 0, b"", (0, 0)),
    ]
    return gzip.compress(b"".join(_archive(files)), mtime=0)


def _archive(
    files: list[tuple[str, int, bytes, tuple[int, int]]],
) -> Iterator[bytes]:
    """Yield an archive as cpio(5) has it, "new ASCII format"."""
    for number, (name, mode, data, device) in enumerate(files, 1):
        named = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(named), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + named
        for piece in (head, data):
            yield piece + bytes(-len(piece) % 4)
