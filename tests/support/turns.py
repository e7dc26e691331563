# SPDX-License-Identifier: Apache-2.0
"""Threads that take turns, in an order that chance makes and a seed repeats."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable


class Turns:
    """Lets one of several threads go on at a time, from one of its steps to the next.

    What the threads do between two steps is thus done at once, as by one request.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._moved = threading.Condition()
        self._waiting: dict[
            int, bool
        ] = {}  # by thread, and whether it would rather not
        self._chosen = 0
        self._running: set[int] = set()

    def run(self, *calls: Callable[[], None]) -> None:
        """Call all at once, each in a thread of its own, until all are done."""
        threads = [
            threading.Thread(target=self._run, args=(call,), daemon=True)
            for call in calls
        ]
        for thread in threads:
            thread.start()
        with self._moved:
            self._moved.wait_for(lambda: len(self._waiting) == len(threads))
            while self._waiting:
                self._choose()
                self._moved.wait_for(lambda: not self._chosen and not self._busy())
        for thread in threads:
            thread.join()

    def step(self, *, patient: bool = False) -> None:
        """Wait for a turn, in one of the threads; does nothing in any other.

        :param patient: whether to let all go first that are not
        """
        me = threading.get_ident()
        with self._moved:
            if me not in self._running:
                return
            self._waiting[me] = patient
            self._moved.notify_all()
            self._moved.wait_for(lambda: self._chosen == me)
            self._chosen = 0
            del self._waiting[me]

    def _choose(self) -> None:
        patient = {who for who, patient in self._waiting.items() if patient}
        ready = sorted(self._waiting.keys() - patient or patient)
        self._chosen = self._chance.choice(ready)
        self._moved.notify_all()

    def _busy(self) -> bool:
        return self._running != self._waiting.keys()

    def _run(self, call: Callable[[], None]) -> None:
        me = threading.get_ident()
        with self._moved:
            self._running.add(me)
        try:
            self.step()
            call()
        finally:
            with self._moved:
                self._running.remove(me)
                self._moved.notify_all()
