# SPDX-License-Identifier: Apache-2.0
"""The images that the demo uploads."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import shutil

from tests.support.servers.processes import run

MIB = 1024**2

# Where Debian's grub-rescue-pc and ipxe put an ISO.
_ISOS = (
    "/usr/lib/grub-rescue/grub-rescue-cdrom.iso",
    "/usr/lib/ipxe/ipxe.iso",
)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image file and what to tell Glance it is."""

    path: pathlib.Path
    disk_format: str
    origin: str


def prepare(directory: pathlib.Path) -> list[Picture]:
    """Return the images: real ones where the machine has them.

    The first is large enough to be a multipart upload.
    """
    raw = directory / "generated.raw"
    raw.write_bytes(random.Random(1).randbytes(48 * MIB + 12345))  # noqa: S311
    pictures = [Picture(raw, "raw", "48 MiB of generated data")]
    iso = next((path for path in map(pathlib.Path, _ISOS) if path.exists()), None)
    if iso is not None:
        pictures.append(Picture(iso, "iso", f"the ISO of Debian's {iso.parent.name}"))
    if shutil.which("qemu-img"):
        qcow2 = directory / "image.qcow2"
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", iso or raw, qcow2])
        pictures.append(Picture(qcow2, "qcow2", "made of it with qemu-img"))
    return pictures
