# SPDX-License-Identifier: Apache-2.0
"""The beginnings of disk images of all kinds, good and bad ones.

They hold what Glance's format inspection looks at and nothing more.
"""

from __future__ import annotations

import struct

MIB = 1024**2
_SECTOR = 512


def qcow2(
    virtual_size: int = 64 * MIB, *, backing: bool = False, version: int = 3
) -> bytes:
    """Return a qcow2 image, which may name a backing file."""
    header = struct.pack(
        ">4sIQIIQ",
        b"QFI\xfb",
        version,
        1024 if backing else 0,
        10 * backing,
        16,
        virtual_size,
    )
    return _padded(header, 64 * 1024)


def iso() -> bytes:
    """Return an ISO 9660 image of 1 MiB."""
    descriptor = bytearray(2048)
    descriptor[0:6] = b"\x01CD001"
    descriptor[80:84] = struct.pack("<L", MIB // 2048)
    descriptor[128:130] = struct.pack("<H", 2048)
    return _padded(bytes(32 * 1024) + bytes(descriptor), MIB)


def gpt(*, boot_flag: int = 0, entry: int = 0xEE) -> bytes:
    """Return a GPT disk of 1 MiB; a boot flag other than 0 breaks its MBR."""
    sector = bytearray(_SECTOR)
    sector[446:462] = struct.pack(
        "<B3BB3BII", boot_flag, 0, 2, 0, entry, 255, 255, 255, 1, 2047
    )
    sector[510:512] = b"\x55\xaa"
    return _padded(bytes(sector) + b"EFI PART", MIB)


def iso_with_gpt() -> bytes:
    """Return a bootable ISO that is a GPT disk as well."""
    return gpt()[: 32 * 1024] + iso()[32 * 1024 :]


def vmdk(create_type: str = "monolithicSparse", extent: str = "disk.vmdk") -> bytes:
    """Return a sparse VMDK with a descriptor."""
    descriptor = (
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        f'createType="{create_type}"\n\nRW 131072 SPARSE "{extent}"\n'
    ).encode()
    header = struct.pack(
        "<4sIIQQQQIQQQ", b"KDMV", 1, 3, 131072, 128, 1, 20, 512, 21, 26, 128
    )
    return _padded(_padded(header, _SECTOR) + descriptor, MIB)


def vhd(virtual_size: int = 64 * MIB) -> bytes:
    """Return a dynamic VHD."""
    header = bytearray(_SECTOR)
    header[0:8] = b"conectix"
    header[40:48] = struct.pack(">Q", virtual_size)
    return _padded(bytes(header), 64 * 1024)


def _padded(data: bytes, size: int) -> bytes:
    return data + bytes(size - len(data))


SAMPLES = {
    "qcow2": qcow2(),
    "qcow2 with a backing file": qcow2(backing=True),
    "qcow2 of version 4": qcow2(version=4),
    "iso": iso(),
    "iso with gpt": iso_with_gpt(),
    "gpt": gpt(),
    "gpt with a broken mbr": gpt(boot_flag=7),
    "vmdk": vmdk(),
    "vmdk that is flat": vmdk("monolithicFlat"),
    "vmdk with a path": vmdk(extent="/etc/passwd"),
    "vhd": vhd(),
    "raw": bytes(range(256)) * 256,
}
