# SPDX-License-Identifier: Apache-2.0
"""S3 fails during an upload: it succeeds nevertheless, or leaves nothing."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest

from tests.support import tiers
from tests.support.clients.api import in_chunks
from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.through import Through

MIB = 1024**2
LARGE = random.Random(21).randbytes(17 * MIB + 7)  # noqa: S311  four parts
SMALL = LARGE[: 2 * MIB + 1]


@dataclasses.dataclass(frozen=True)
class Where:
    """The requests that a fault happens to."""

    name: str
    method: str
    key: str = ""
    query: str = ""

    def __repr__(self) -> str:
        return self.name


CLAIM = Where("claim", "PUT", key=r"/\.s3gateway/")
OBJECT = Where("object", "PUT", key=r"\.[0-9a-f]{16}$", query="^$")
BEGIN = Where("begin", "POST", query="^uploads")
PART = Where("part", "PUT", query="partNumber")
COMPLETE = Where("complete", "POST", query="uploadId")


@dataclasses.dataclass(frozen=True)
class Make:
    """A fault that is yet to be made, so that no two tests share it."""

    kind: Callable[..., Fault]
    arguments: tuple[object, ...]
    options: dict[str, object]

    def __call__(self, through: Through, where: Where, times: int | None) -> Fault:
        return through.proxy.add(
            self.kind(*self.arguments, **self.options),
            method=where.method,
            key=where.key,
            query=where.query,
            times=times,
        )

    def __repr__(self) -> str:
        return repr(self.kind(*self.arguments, **self.options))


def make(kind: Callable[..., Fault], *arguments: object, **options: object) -> Make:
    return Make(kind, arguments, options)


ALWAYS_SURVIVED: list[tuple[Where, Make]] = [
    (CLAIM, make(s3_faults.ResetAfter)),
    (OBJECT, make(s3_faults.ResetAfter)),
    (BEGIN, make(s3_faults.ResetAfter)),
    (PART, make(s3_faults.ResetWithin, MIB)),
    (PART, make(s3_faults.Corrupt, MIB, upwards=True)),
    (COMPLETE, make(s3_faults.ResetAfter)),
]

SURVIVED: list[tuple[Where, Make]] = [
    *ALWAYS_SURVIVED,
    (CLAIM, make(s3_faults.ResetBefore)),
    (CLAIM, make(s3_faults.SlowDown)),
    (OBJECT, make(s3_faults.ResetWithin, MIB)),
    (OBJECT, make(s3_faults.SlowDown)),
    (OBJECT, make(s3_faults.Stall, done=True)),
    (BEGIN, make(s3_faults.SlowDown)),
    (PART, make(s3_faults.SlowDown)),
    (PART, make(s3_faults.Answer, 500, "InternalError")),
    (PART, make(s3_faults.ResetBefore)),
    (PART, make(s3_faults.ResetAfter)),
    (PART, make(s3_faults.Stall)),
    (PART, make(s3_faults.Stall, done=True)),
    (COMPLETE, make(s3_faults.SlowDown)),
    (COMPLETE, make(s3_faults.Answer, 200, "InternalError")),
    (COMPLETE, make(s3_faults.Answer, 200, "InternalError", done=True)),
    (COMPLETE, make(s3_faults.ResetBefore)),
    (COMPLETE, make(s3_faults.Stall, done=True)),
]


@pytest.mark.parametrize(
    ("where", "fault"), tiers.but(ALWAYS_SURVIVED, SURVIVED), ids=repr
)
def test_the_client_never_notices(
    through: Through, image_id: str, where: Where, fault: Make
) -> None:
    data = SMALL if where is OBJECT else LARGE
    happening = fault(through, where, 1)
    assert through.api.upload(image_id, data).status == 204
    assert happening.events
    [kept] = through.left(image_id)
    assert kept.startswith(f"{image_id}.")
    assert through.api.download(image_id).body == data


ALWAYS_REFUSED: list[tuple[Where, Make, int]] = [
    # before the body: a client that gets a 503 may send it again
    (CLAIM, make(s3_faults.SlowDown), 503),
    # behind it
    (PART, make(s3_faults.SlowDown), 500),
    (PART, make(s3_faults.Answer, 507, "XMinioStorageFull"), 413),
    (COMPLETE, make(s3_faults.Answer, 200, "InternalError"), 500),
    (OBJECT, make(s3_faults.Answer, 507, "XMinioStorageFull"), 413),
]

REFUSED: list[tuple[Where, Make, int]] = [
    *ALWAYS_REFUSED,
    (CLAIM, make(s3_faults.Answer, 403, "AccessDenied"), 503),
    (CLAIM, make(s3_faults.Answer, 507, "XMinioStorageFull"), 413),
    (BEGIN, make(s3_faults.SlowDown), 500),
    (PART, make(s3_faults.ResetWithin, MIB), 500),
    (PART, make(s3_faults.Answer, 403, "AccessDenied"), 500),
    (PART, make(s3_faults.Answer, 403, "QuotaExceeded"), 413),
    (COMPLETE, make(s3_faults.Answer, 400, "InvalidPart"), 500),
    (OBJECT, make(s3_faults.SlowDown), 500),
]


@pytest.mark.parametrize(
    ("where", "fault", "status"), tiers.but(ALWAYS_REFUSED, REFUSED), ids=repr
)
@pytest.mark.parametrize(
    "chunked", tiers.but([True], [False, True]), ids=["length", "chunked"]
)
def test_nothing_is_left(
    through: Through,
    image_id: str,
    where: Where,
    fault: Make,
    status: int,
    chunked: bool,
) -> None:
    data = SMALL if where is OBJECT else LARGE
    happening = fault(through, where, None)
    answer = through.api.upload(image_id, in_chunks(data) if chunked else data)
    assert happening.events
    if where is CLAIM and status == 503 and not through.is_by_api:
        status = 500  # it is made when a part of the body has come
    assert answer.status == status
    assert through.api.show(image_id)["status"] == "queued"
    through.proxy.clear()
    assert not through.left(image_id)
    assert through.api.upload(image_id, data).status == 204
