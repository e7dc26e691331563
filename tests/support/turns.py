# SPDX-License-Identifier: Apache-2.0
"""Threads that take turns, in an order that chance makes and a seed repeats."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable


class Turns:
    """Lets one of several threads go on at a time, from one of its steps to the next.

    What a thread does between two steps is thus done at once, as by one request.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._moved = threading.Condition()
        self._who = threading.local()
        self._running: set[int] = set()
        self._waiting: dict[int, bool] = {}  # and whether it would rather be the last
        self._chosen: int | None = None

    def run(self, *calls: Callable[[], None]) -> None:
        """Call all at once, each in its own thread, until all are done."""
        self._running = set(range(len(calls)))
        threads = [
            threading.Thread(target=self._run, args=job) for job in enumerate(calls)
        ]
        for thread in threads:
            thread.start()
        with self._moved:
            while self._running:
                self._moved.wait_for(lambda: self._running == self._waiting.keys())
                self._choose()
        for thread in threads:
            thread.join()

    def step(self, *, patient: bool = False) -> None:
        """Wait for a turn, in one of the threads; does nothing in any other.

        :param patient: whether to let all go first that are not
        """
        me = getattr(self._who, "number", None)
        if me is None:
            return
        with self._moved:
            self._waiting[me] = patient
            self._moved.notify_all()
            self._moved.wait_for(lambda: self._chosen == me)
            self._chosen = None

    def _choose(self) -> None:
        if not self._waiting:
            return
        patient = {who for who, patient in self._waiting.items() if patient}
        ready = sorted(self._waiting.keys() - patient or patient)
        self._chosen = self._chance.choice(ready)
        del self._waiting[self._chosen]
        self._moved.notify_all()

    def _run(self, number: int, call: Callable[[], None]) -> None:
        self._who.number = number
        try:
            self.step()
            call()
        finally:
            with self._moved:
                self._running.remove(number)
                self._moved.notify_all()
