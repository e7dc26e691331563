# SPDX-License-Identifier: Apache-2.0
"""The backend ``s3gateway`` of oslo.middleware's healthcheck: readiness.

Liveness is a healthcheck without it: a process that answers at all is alive, and
restarting it brings no store back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from oslo_middleware.healthcheck import pluginbase

from s3gateway import factory
from s3gateway.config import settings as gateway_settings
from s3gateway.config.settings import Settings
from s3gateway.health import Monitor
from s3gateway.health import State


class Healthcheck(pluginbase.HealthcheckBaseExtension):
    """Says whether the stores answer.

    :param conf: of the paste file; ``config_file`` is where Glance's configuration
        is, if not where Glance itself has found it
    """

    def __init__(self, oslo_conf: cfg.ConfigOpts, conf: dict[str, Any]) -> None:
        super().__init__(oslo_conf, conf)
        files = factory.config_files(conf.get("config_file", ""))
        settings = gateway_settings.read(gateway_settings.parse_files(*files))
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
