# SPDX-License-Identifier: Apache-2.0
"""The images that the demo uploads."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import shutil

from tests.support.servers.processes import run

MIB = 1024**2

NO_ISO = "no ISO of Debian's grub-rescue-pc or ipxe"
NO_QCOW2 = "no qemu-img, which Debian's qemu-utils has"

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


def prepare(directory: pathlib.Path) -> tuple[list[Picture], dict[str, str]]:
    """Make images, real ones where the machine has them.

    :return: the images, of which the first is large enough to be a multipart upload;
        and the formats that are left out, with the reasons
    """
    raw = directory / "generated.raw"
    raw.write_bytes(random.Random(1).randbytes(48 * MIB + 12345))  # noqa: S311
    pictures = [Picture(raw, "raw", "48 MiB of generated data")]
    left_out = {}
    iso = next((path for path in map(pathlib.Path, _ISOS) if path.exists()), None)
    if iso is None:
        left_out["iso"] = NO_ISO
    else:
        pictures.append(Picture(iso, "iso", f"the ISO of Debian's {iso.parent.name}"))
    if not shutil.which("qemu-img"):
        left_out["qcow2"] = NO_QCOW2
    else:
        qcow2 = directory / "image.qcow2"
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", iso or raw, qcow2])
        pictures.append(Picture(qcow2, "qcow2", "made of it with qemu-img"))
    return pictures, left_out
