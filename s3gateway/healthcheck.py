# SPDX-License-Identifier: Apache-2.0
"""Readiness: the backend ``s3gateway`` of oslo.middleware's healthcheck.

It probes the stores from time to time, and judges each by several answers in a row.
For liveness, use a healthcheck without this backend: a process that answers is alive,
and a restart brings no store back.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from concurrent import futures
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging
from oslo_middleware.healthcheck import pluginbase

from s3gateway import factory
from s3gateway.config import settings as gateway_settings
from s3gateway.config import sources
from s3gateway.config.settings import HealthSettings
from s3gateway.config.settings import Settings
from s3gateway.errors import StoreError
from s3gateway.monitoring import metrics
from s3gateway.store import ObjectStore

LOG = logging.getLogger(__name__)


@dataclasses.dataclass
class State:
    """The state of one store: the first probe decides, later ones several in a row.

    :ivar up: ``None`` before the first probe
    :ivar problem: the error of the last probe, empty if it succeeded
    """

    up: bool | None = None
    problem: str = ""
    row: int = 0

    def judge(self, problem: str, *, fall: int, rise: int) -> bool:
        """Take the result of a probe; return whether the state has just changed."""
        self.problem = problem
        answered = not problem
        self.row = 0 if answered == self.up else self.row + 1
        if self.up is not None and self.row < (rise if answered else fall):
            return False
        self.up, self.row = answered, 0
        return True


class Monitor:
    """Probes the stores and knows the state of each.

    Each process has its own monitor.  After the first health check it probes at an
    interval: a load balancer reaches each of many processes seldom, and all of them
    should report the same.

    :param stores: stores that do not retry
    """

    def __init__(
        self, stores: Mapping[str, ObjectStore], settings: HealthSettings
    ) -> None:
        self._stores = stores
        self._settings = settings
        self._states = {name: State() for name in stores}
        self._asking: dict[str, futures.Future[None]] = {}
        self._pool = futures.ThreadPoolExecutor(max(len(stores), 1), "s3-health")
        self._watched = False
        self._lock = threading.Lock()

    def states(self) -> dict[str, State]:
        """Return the states.  The first call waits for the probes, up to the timeout.

        With an interval of 0 every call probes, and nothing else does.
        """
        with self._lock:
            if not self._watched:
                self._ask()
                self._watched = self._settings.interval > 0
                if self._watched:
                    thread = threading.Thread(target=self._watch, daemon=True)
                    thread.start()
        return {name: dataclasses.replace(s) for name, s in self._states.items()}

    def is_ready(self, states: Mapping[str, State]) -> bool:
        """Whether as many stores are up as ``ready_when`` demands."""
        up = [bool(state.up) for state in states.values()]
        return all(up) if self._settings.ready_when == "all" or not up else any(up)

    def _watch(self) -> None:
        while True:
            time.sleep(self._settings.interval)
            self._ask()

    def _ask(self) -> None:
        for name, store in self._stores.items():
            if name not in self._asking:  # a probe that hangs is not repeated
                self._asking[name] = self._pool.submit(store.ping)
        done = futures.wait(self._asking.values(), self._settings.timeout).done
        for name, asked in list(self._asking.items()):
            problem = f"Store {name} has not answered in time"
            if asked in done:
                del self._asking[name]
                problem = _problem(asked)
            self._judge(name, problem)

    def _judge(self, name: str, problem: str) -> None:
        state = self._states[name]
        if state.judge(problem, fall=self._settings.fall, rise=self._settings.rise):
            metrics.STORE_UP.labels(name).set(bool(state.up))
            if state.up:
                LOG.info("Store %s is up", name)
            else:
                LOG.error("Store %s is down: %s", name, problem)


def _problem(asked: futures.Future[None]) -> str:
    error = asked.exception()
    if error is None:
        return ""
    # The text of an unexpected error may hold a secret: show its type alone.
    return str(error) if isinstance(error, StoreError) else type(error).__name__


class Healthcheck(pluginbase.HealthcheckBaseExtension):
    """Reports whether the stores answer.

    :param conf: options of the paste file; ``config_file`` names Glance's
        configuration, by default the one that Glance itself reads
    """

    def __init__(self, oslo_conf: cfg.ConfigOpts, conf: dict[str, Any]) -> None:
        super().__init__(oslo_conf, conf)
        read = sources.of_host(conf.get("config_file", ""))
        settings = gateway_settings.read(gateway_settings.parse(read))
        self._monitor = monitor(settings)

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        states = self._monitor.states()
        return pluginbase.HealthcheckResult(
            available=self._monitor.is_ready(states),
            reason=_reason(states),
            details="\n".join(s.problem for s in states.values() if s.problem),
        )


def monitor(settings: Settings) -> Monitor:
    """Return a monitor of all S3 stores."""
    timeout = settings.health.timeout
    impatient = dataclasses.replace(
        settings.transfer,
        connect_timeout=timeout,
        read_timeout=timeout,
        retry_time=0.0,
    )
    hasty = dataclasses.replace(settings, transfer=impatient)
    return Monitor(factory.s3_stores(hasty), settings.health)


def _reason(states: Mapping[str, State]) -> str:
    words = [f"{name} {'up' if state.up else 'down'}" for name, state in states.items()]
    return f"S3 stores: {', '.join(words) or 'none'}"
