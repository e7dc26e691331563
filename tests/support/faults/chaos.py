# SPDX-License-Identifier: Apache-2.0
"""The faults of a random run: chosen by its seed, and injected."""

from __future__ import annotations

import dataclasses
import functools
import random
import threading
from collections.abc import Callable

import psutil

from tests.support.faults import s3_faults
from tests.support.faults.fault import Event
from tests.support.faults.fault import Fault
from tests.support.faults.faultproxy import FaultProxy
from tests.support.faults.through import Through

MIB = 1024**2
PART = 5 * MIB

#: How long S3 is cut off, in seconds.
_AWAY = 1.0


@dataclasses.dataclass(frozen=True)
class Place:
    """The requests of an operation that something can happen to.

    :ivar most: so many of these requests there are at least
    :ivar has_body: whether something can happen to the request's body
    """

    name: str
    method: str
    key: str
    query: str = ""
    most: int = 1
    has_body: bool = True


CLAIM = Place("claim", "PUT", r"/\.s3gateway/ID$")
BEGIN = Place("begin", "POST", "/ID", "^uploads", has_body=False)
PARTS = Place("part", "PUT", "/ID", "partNumber", most=3)
COMPLETE = Place("complete", "POST", "/ID", "uploadId")
READ = Place("read", "GET", "/ID")
REMOVE = Place("delete", "DELETE", "/ID")

PLACES = {
    "upload": [CLAIM, BEGIN, PARTS, PARTS, PARTS, PARTS, COMPLETE],
    "download": [READ],
    "delete": [REMOVE],
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run.

    :ivar size: of the image in bytes: three parts or more
    :ivar times: how many requests the fault happens to, ``None`` for all
    :ivar dies: ``gateway`` if it is killed when it happens; ``S3`` if all
        connections to it are cut and refused for a while, its processes live on
    """

    seed: int
    operation: str
    size: int
    chunked: bool
    place: Place
    nth: int
    times: int | None
    kind: str
    dies: str

    @functools.cached_property
    def data(self) -> bytes:
        return random.Random(self.seed).randbytes(self.size)  # noqa: S311

    @property
    def name(self) -> str:
        """What happens, without the details."""
        names = {"gateway": "gateway killed", "S3": "S3 cut off"}
        return names.get(self.dies, self.kind)

    @property
    def arrives_late(self) -> str:
        """What S3 makes of a request that nobody waits for any more, if anything."""
        if self.dies or self.kind != "Stall":
            return ""
        return {CLAIM: "claim", BEGIN: "upload"}.get(self.place, "")

    def __str__(self) -> str:
        how = "chunked" if self.chunked else "with its length"
        often = "for ever" if self.times is None else f"{self.times} times"
        return (
            f"seed {self.seed}: {self.operation} of {self.size} bytes {how}, "
            f"{self.name} {often} from {self.place.name} {self.nth} on"
        )


def plan(seed: int) -> Plan:
    """Return the run of a seed."""
    chance = random.Random(seed)  # noqa: S311
    operation = chance.choices(list(PLACES), weights=[6, 3, 1])[0]
    place = chance.choice(PLACES[operation])
    dies = "" if operation == "delete" else chance.choice(["", "", "", "S3", "gateway"])
    if operation == "download" and dies == "gateway":
        dies = "S3"  # there is nothing that a reader leaves behind
    kinds = {READ: _AT_READS, REMOVE: _AT_DELETES}.get(place, _AT_WRITES)
    if not place.has_body:
        kinds = [kind for kind in kinds if kind not in _IN_BODIES]
    return Plan(
        seed=seed,
        operation=operation,
        size=chance.randint(2 * PART + 1, 3 * PART),
        chunked=chance.random() < 0.5,
        place=place,
        nth=chance.randint(1, place.most),
        times=1 if dies else chance.choice([1, 1, 2, None]),
        kind="Stall" if dies else chance.choice(kinds),
        dies=dies,
    )


_AT_WRITES = [
    "Delay",
    "Rate",
    "ResetBefore",
    "ResetWithin",
    "ResetAfter",
    "Stall",
    "StallDone",
    "Error500",
    "SlowDown",
    "DoneButError",
    "Corrupt",
    "SlowClose",
]
_IN_BODIES = ("ResetWithin", "Corrupt")
_AT_READS = [
    "Delay",
    "Rate",
    "ResetBefore",
    "ResetAfter",
    "Stall",
    "StallWithin",
    "Truncate",
    "TruncateReset",
    "Error500",
    "SlowDown",
    "Corrupt",
    "SlowClose",
    "WrongRange",
]

# A delete is stock's; a stalled one waits for minutes of boto3's retries.
_AT_DELETES = ["Delay", "ResetBefore", "ResetAfter", "Error500", "SlowDown"]


def _fault(plan: Plan) -> Fault:
    """Make the fault; where in a body it happens is chance, too."""
    chance = random.Random(plan.seed + 1)  # noqa: S311
    # A download's first connection may be left for others after 4 MiB, and an
    # upload's parts come in any order, the short last one too.
    shortest = {READ: 3 * MIB, PARTS: min(3 * MIB, plan.size - 2 * PART)}
    at = chance.randrange(shortest.get(plan.place, 1))
    make: dict[str, Callable[[], Fault]] = {
        "Delay": lambda: s3_faults.Delay(chance.uniform(0.05, 0.5)),
        "Rate": lambda: s3_faults.Rate(chance.uniform(4, 40) * MIB),
        "ResetBefore": s3_faults.ResetBefore,
        "ResetWithin": lambda: s3_faults.ResetWithin(at),
        "ResetAfter": s3_faults.ResetAfter,
        "Stall": s3_faults.Stall,
        "StallDone": lambda: s3_faults.Stall(done=True),
        "StallWithin": lambda: s3_faults.Stall(after=at),
        "Truncate": lambda: s3_faults.Truncate(at),
        "TruncateReset": lambda: s3_faults.Truncate(at, reset=True),
        "Error500": lambda: s3_faults.Answer(500, "InternalError"),
        "SlowDown": s3_faults.SlowDown,
        "DoneButError": lambda: s3_faults.Answer(500, "InternalError", done=True),
        "Corrupt": lambda: s3_faults.Corrupt(at, upwards=plan.operation == "upload"),
        "SlowClose": lambda: s3_faults.SlowClose(0.2),
        "WrongRange": s3_faults.WrongRange,
    }
    return make[plan.kind]()


class Chaos:
    """Lets a plan happen to an image.

    :ivar events: what has happened
    """

    def __init__(self, plan: Plan, through: Through, image_id: str) -> None:
        self._plan = plan
        self._through = through
        self._proxy: FaultProxy = through.proxy
        self._fault = self._add(image_id)
        self._watch: threading.Thread | None = None
        if plan.dies:
            self._watch = threading.Thread(target=self._kill)
            self._watch.start()

    @property
    def events(self) -> list[Event]:
        return list(self._fault.events)

    def end(self) -> None:
        """Let no more happen, and wait until all is up again and nothing under way."""
        if self._watch is not None:
            self._fault.reached.set()  # it may never have been
            self._watch.join()
        self._proxy.clear()
        self._proxy.settle()

    def _add(self, image_id: str) -> Fault:
        place = self._plan.place
        # A read of a whole object has no range that could be wrong.
        if self._plan.kind == "WrongRange":
            cut = s3_faults.Truncate(MIB)
            self._proxy.add(cut, method="GET", key=f"/{image_id}")
        return self._proxy.add(
            _fault(self._plan),
            method=place.method,
            key=place.key.replace("ID", image_id),
            query=place.query,
            nth=self._plan.nth + (self._plan.kind == "WrongRange"),
            times=self._plan.times,
        )

    def _kill(self) -> None:
        self._fault.reached.wait()
        if not self._fault.events:
            return
        if self._plan.dies == "gateway":
            worker = self._through.worker()
            worker.kill()
            psutil.wait_procs([worker], timeout=30)
            self._fault.drop()
            return
        self._proxy.down()
        self._fault.drop()
        threading.Event().wait(_AWAY)
        self._proxy.up()
