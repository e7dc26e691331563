# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a soak: faults on both sides, restarts, and rotated keys."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import psutil

from tests.soak.diary import Cause
from tests.soak.diary import Diary
from tests.support.faults import s3_faults
from tests.support.faults.fault import Fault
from tests.support.faults.faultproxy import FaultProxy
from tests.support.servers.processes import Server

Make: TypeAlias = Callable[[random.Random], Fault]

MIB = 1024**2

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_IMAGES = _UUID.pattern
_FILE = r"/file$"
_PAUSE = (0.3, 1.5)  # seconds between two faults
_HELD = 3.0  # seconds that a stalled request is held
_AWAY = (0.5, 2.0)  # seconds for which S3 is away
_ROTATE = 10.0  # seconds between two rotations
_APART = 0.3  # seconds between the two files of a key

#: Between the gateway and S3; each happens to one request or two.
AT_S3: dict[str, tuple[str, Make]] = {
    "Delay": ("", lambda c: s3_faults.Delay(c.uniform(0.05, 0.5))),
    "ResetBefore": ("", lambda c: s3_faults.ResetBefore()),
    "ResetWithin": ("PUT", lambda c: s3_faults.ResetWithin(c.randrange(MIB))),
    "ResetAfter": ("PUT|GET", lambda c: s3_faults.ResetAfter()),
    "Stall": ("PUT|GET", lambda c: s3_faults.Stall()),
    "StallDone": ("PUT", lambda c: s3_faults.Stall(done=True)),
    "StallWithin": ("GET", lambda c: s3_faults.Stall(after=c.randrange(MIB))),
    "Truncate": ("GET", lambda c: s3_faults.Truncate(c.randrange(MIB))),
    "TruncateReset": (
        "GET",
        lambda c: s3_faults.Truncate(c.randrange(MIB), reset=True),
    ),
    "Error500": ("", lambda c: s3_faults.Answer(500, "InternalError")),
    "SlowDown": ("", lambda c: s3_faults.SlowDown()),
    "DoneButError": (
        "PUT|POST",
        lambda c: s3_faults.Answer(500, "InternalError", done=True),
    ),
    "CorruptUp": ("PUT", lambda c: s3_faults.Corrupt(c.randrange(MIB), upwards=True)),
    "Corrupt": ("GET", lambda c: s3_faults.Corrupt(c.randrange(MIB))),
    "SlowClose": ("PUT|GET", lambda c: s3_faults.SlowClose(0.2)),
    "Rate": ("PUT|GET", lambda c: s3_faults.Rate(4 * MIB)),
}

#: Between a client and the gateway.
AT_CLIENT: dict[str, tuple[str, Make]] = {
    "Delay": ("", lambda c: s3_faults.Delay(c.uniform(0.05, 0.5))),
    "Rate": ("", lambda c: s3_faults.Rate(4 * MIB)),
    "ResetBefore": ("", lambda c: s3_faults.ResetBefore()),
    "ResetWithin": ("PUT", lambda c: s3_faults.ResetWithin(c.randrange(MIB))),
    "ResetAfter": ("PUT", lambda c: s3_faults.ResetAfter()),
    "Truncate": ("GET", lambda c: s3_faults.Truncate(c.randrange(MIB), reset=True)),
}


@dataclasses.dataclass(frozen=True)
class Restart:
    """Something that ends processes of a server.

    :ivar name: ``worker: HUP`` and so on; ``Glance: HUP`` of the one behind a gateway
    :ivar through: the gateway that clients notice it at
    :ivar server: gunicorn, or what it is
    :ivar number: of the signal
    :ivar one: whether one worker gets it, not the master
    :ivar grace: seconds that running requests have
    """

    name: str
    through: str
    server: Server
    number: signal.Signals
    one: bool
    grace: float

    def do(self, chance: random.Random) -> None:
        if not self.one:
            self.server.process.send_signal(self.number)
            return
        workers = psutil.Process(self.server.pid).children()
        chance.choice(workers).send_signal(self.number)


class Trouble:
    """Lets things go wrong, round by round.

    :ivar happened: how often, by the name of what happened
    :param s3: the proxies before S3
    :param clients: the proxies before the gateways
    :param rotate: changes the keys to S3
    """

    def __init__(
        self,
        s3: list[FaultProxy],
        clients: dict[str, FaultProxy],
        rotate: Callable[[], None],
        diary: Diary,
        seed: int,
    ) -> None:
        self.happened: Counter[str] = Counter()
        self._s3 = s3
        self._clients = clients
        self._rotate = rotate
        self._diary = diary
        self._chance = random.Random(seed)  # noqa: S311
        self._over = threading.Event()
        self._added: list[tuple[str, str, Fault]] = []

    def round(self, seconds: float, restart: Restart) -> None:
        """Make trouble for so long, with one restart in the middle."""
        began = time.monotonic()
        self._over.clear()
        rotating = threading.Thread(target=self._go_on_rotating)
        rotating.start()
        restarted = False
        while (passed := time.monotonic() - began) < seconds:
            if not restarted and passed > seconds / 3:
                restarted = True
                self._restart(restart)
            self._added.append(self._one())
            self._over.wait(self._chance.uniform(*_PAUSE))
        self._over.set()
        rotating.join()
        for proxy in (*self._s3, *self._clients.values()):
            proxy.clear()

    def settle(self, began: float) -> None:
        """Wait until no request is under way; write down what has happened.

        :param began: when the round did
        """
        for proxy in (*self._s3, *self._clients.values()):
            proxy.settle()
            proxy.forget()
        self._note(began)

    def _one(self) -> tuple[str, str, Fault]:
        kind = self._chance.choices(["S3", "client", "away"], [60, 25, 2])[0]
        if kind == "away":
            return "S3 away", "", self._away()
        if kind == "S3":
            name, (method, make) = self._chance.choice(list(AT_S3.items()))
            proxy, through, key = self._chance.choice(self._s3), "", _OF_IMAGES
        else:
            name, (method, make) = self._chance.choice(list(AT_CLIENT.items()))
            through, proxy = self._chance.choice(list(self._clients.items()))
            key = _FILE
        methods = method.split("|") if method else ["PUT", "GET"]
        fault = make(self._chance)
        proxy.add(
            fault,
            method=self._chance.choice(methods),
            key=key,
            times=self._chance.choice((1, 1, 2)) if kind == "S3" else 1,
        )
        if isinstance(fault, s3_faults.Stall):
            threading.Timer(_HELD, fault.release).start()
        return f"{kind}: {name}", through, fault

    def _away(self) -> Fault:
        began = time.monotonic()
        proxy = self._chance.choice(self._s3)
        proxy.down()
        self._over.wait(self._chance.uniform(*_AWAY))
        proxy.up()
        self._diary.went_wrong(Cause("S3 away", began, time.monotonic()))
        self.happened["S3 away"] += 1
        return Fault()

    def _restart(self, restart: Restart) -> None:
        now = time.monotonic()
        restart.do(self._chance)
        self.happened[restart.name] += 1
        self._diary.went_wrong(
            Cause(
                restart.name,
                now + restart.grace,
                now + restart.grace + 120,
                through=restart.through,
            )
        )

    def _go_on_rotating(self) -> None:
        while not self._over.wait(_ROTATE):
            self._rotate()
            self.happened["rotated keys"] += 1

    def _note(self, began: float) -> None:
        """Write down which faults have happened, and to which images."""
        now = time.monotonic()
        added, self._added = self._added, []
        for name, through, fault in added:
            for event in fault.events:
                self.happened[name] += 1
                found = _UUID.search(event.request.path)
                image = found[0] if found else ""
                self._diary.went_wrong(Cause(name, began, now, image, through))


class Keys:
    """The files of the keys to S3, which are written anew by turns.

    :param pairs: two keys that both open S3
    """

    def __init__(self, directory: pathlib.Path, pairs: list[tuple[str, str]]) -> None:
        self._directory = directory
        self._pairs = pairs
        for store in ("fast", "cheap"):
            self._write(store, pairs[0], apart=0)

    @property
    def options(self) -> dict[str, str]:
        """Return the options of the section ``s3gateway``."""
        return {
            "s3_store_access_key_file": f"{self._directory}/{{store}}.access",
            "s3_store_secret_key_file": f"{self._directory}/{{store}}.secret",
        }

    def rotate(self) -> None:
        """Write the other key; between the two files they do not fit each other."""
        self._pairs.reverse()
        for store in ("fast", "cheap"):
            self._write(store, self._pairs[0], apart=_APART)

    def _write(self, store: str, pair: tuple[str, str], *, apart: float) -> None:
        (self._directory / f"{store}.access").write_text(pair[0])
        time.sleep(apart)
        (self._directory / f"{store}.secret").write_text(pair[1])
