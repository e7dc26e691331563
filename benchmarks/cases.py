# SPDX-License-Identifier: Apache-2.0
"""The cases that are measured, and their targets."""

from __future__ import annotations

import dataclasses

from benchmarks.field import BY_API
from benchmarks.field import FACE
from benchmarks.field import GATEWAY
from benchmarks.field import HOT
from benchmarks.field import STOCK
from benchmarks.transfers import BOTO3
from benchmarks.transfers import Case

_ALL = (STOCK, GATEWAY, BOTO3)
_ALONE = (GATEWAY,)


def cases(size: int, *, boto3: bool = True) -> list[Case]:
    """Return the cases for large images of a size in MiB.

    :param boto3: whether its TransferManager can be compared; over TLS it sends what
        Ceph RGW 16 does not take

    The images of a case with more than four at once are smaller: as many bytes in all.
    Those come late: a worker keeps some of the memory that it needed.
    """
    found = [
        Case("upload", "near", True, size, sides=(*_ALL, BY_API)),
        Case("upload-4", "near", True, size, 4),
        Case("download", "near", False, size, sides=_ALL),
        Case("download-4", "near", False, size, 4),
        Case("download-16", "near", False, size // 16, 16),
        Case("download-64", "near", False, size // 64, 64, sides=_ALONE, pairs=2),
        Case("upload-16", "near", True, size // 16, 16),
        Case("upload-64", "near", True, size // 64, 64),
        Case("face-download", "near", False, size, sides=(STOCK, FACE)),
        Case("far-upload", "far", True, size, sides=_ALL),
        Case("far-download", "far", False, size, sides=_ALL),
        Case("upload-chunked", "near", True, size, chunked=True),
        Case("slow-upload", "slow", True, size, sides=_ALONE),
        Case("slow-upload-16", "slow", True, size // 16, 16, sides=_ALONE),
        *_storms(size),
    ]
    return found if boto3 else [_without_boto3(case) for case in found]


def _without_boto3(case: Case) -> Case:
    sides = tuple(side for side in case.sides if side != BOTO3)
    return dataclasses.replace(case, sides=sides)


def _storms(size: int) -> list[Case]:
    """Many hosts that start from few images."""
    found = [
        Case(f"{line}storm-{name}", f"{line}counted", False, size, 64, **how)
        for line in ("", "far-")
        for name, how in (
            ("1", {"images": 1, "pairs": 1}),
            ("4", {"images": 4, "pairs": 1}),
            ("spread", {"images": 1, "spread": 30.0, "pairs": 1}),
        )
    ]
    return [dataclasses.replace(case, sides=(STOCK, GATEWAY, HOT)) for case in found]


@dataclasses.dataclass(frozen=True)
class Target:
    """What a median is to reach.

    :ivar measure: a field of ``Sample`` or ``Rate``
    :ivar against: the side whose median it is divided by; ``""`` for none
    :ivar side: whose median it is
    """

    case: str
    measure: str
    against: str
    least: float | None = None
    most: float | None = None
    side: str = GATEWAY

    @property
    def wanted(self) -> str:
        """What is asked of the ratio, or of the value."""
        return f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"

    def is_met(self, value: float) -> bool:
        """Whether a ratio, or a value, is good enough."""
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )


TARGETS = [
    Target("far-download", "speed", STOCK, least=5.5),
    Target("far-download", "speed", BOTO3, least=1.0),
    Target("far-download", "first", STOCK, most=1.0),
    Target("far-upload", "speed", STOCK, least=1.3),
    Target("far-upload", "speed", BOTO3, least=1.0),
    Target("download", "cpu", STOCK, most=0.5),
    Target("download", "speed", STOCK, least=1.1),
    Target("download", "first", STOCK, most=0.3),
    Target("download-4", "cpu", STOCK, most=0.4),
    Target("face-download", "cpu", STOCK, most=1.15, side=FACE),
    Target("face-download", "speed", STOCK, least=0.9, side=FACE),
    Target("upload", "cpu", STOCK, most=0.72),
    Target("upload", "speed", STOCK, least=1.3),
    Target("upload-4", "cpu", STOCK, most=0.8),
    Target("upload-4", "speed", STOCK, least=1.15),
    Target("upload-16", "cpu", STOCK, most=0.55),
    Target("upload-16", "speed", STOCK, least=1.5),
    Target("upload-64", "cpu", STOCK, most=0.45),
    *(
        target
        for size in ("4-KiB", "64-KiB", "1-MiB")
        for target in (
            Target(f"upload-{size}", "rate", STOCK, least=3.0),
            Target(f"upload-{size}", "cpu", STOCK, most=0.25),
            Target(f"download-{size}", "rate", STOCK, least=9.0),
        )
    ),
    Target("upload-chunked", "speed", STOCK, least=12.0),
    Target("upload-chunked", "cpu", STOCK, most=0.06),
    Target("slow-upload", "memory", "", most=90.0),
    Target("slow-upload-16", "memory", "", most=16 * 90.0),
    Target("list-1000", "rate", STOCK, least=1 / 1.1),
]
