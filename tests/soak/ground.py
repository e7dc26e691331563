# SPDX-License-Identifier: Apache-2.0
"""The servers of a soak: a filter, one that is restarted, and a sealed gateway.

All three have one database and the same buckets.  Between each of them and its clients,
and between them and S3, is a proxy that can let requests fail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import signal
from collections.abc import Iterator
from urllib import parse

import psutil

from tests.soak.trouble import Keys
from tests.soak.trouble import Restart
from tests.support.clients import load
from tests.support.clients.load import Census
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3 import swift
from tests.support.s3 import swiftkeys
from tests.support.servers import prometheus as prometheuses
from tests.support.servers import sealed
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.prometheus import Prometheus

FILTER, RESTARTED, SEALED = "filter", "restarted filter", "sealed"

PAIRS = [
    (swiftkeys.ACCESS_KEY, swift.SECRET_KEY),
    (swiftkeys.OTHER_ACCESS_KEY, swift.OTHER_SECRET_KEY),
]
GRACE = 30  # seconds of claim_grace
_WORKERS = 2
_AT_GLANCE = 4.5  # seconds: the graceful-timeout of each Glance here is 5
_OPTIONS = {
    "glance_id": "soak",  # the sealed gateway has no database to compute it from
    "claim_grace": str(GRACE),
    "connect_timeout": "10",
    "read_timeout": "30",
    "retry_time": "60",
    "verify_downloads": "true",
    "health_interval": "5",
}
#: By default, glibc has arenas of memory for each thread.  A Glance with or without the
#: filter then holds more and more for a long time, and no leak can be seen in that.
_ALLOCATOR = {"MALLOC_ARENA_MAX": "2"}
_READY = """
paste.app_factory = oslo_middleware:Healthcheck.app_factory
backends = s3gateway
"""
_APPS = {"/metrics": "use = egg:s3gateway#metrics", "/readiness": _READY}


@dataclasses.dataclass(frozen=True)
class Ground:
    """All servers.

    :ivar clients: the proxies that clients are told of, by the name of the gateway
    :ivar s3: the proxies before S3
    :ivar glance: the filter that is never restarted; commands read its configuration
    :ivar steady: the servers that are never restarted, by the name of the gateway
    :ivar prometheus: if this machine has one
    """

    cloud: Cloud
    clients: dict[str, FaultProxy]
    s3: list[FaultProxy]
    glance: Glance
    steady: dict[str, Server]
    restarts: list[Restart]
    keys: Keys
    prometheus: Prometheus | None

    def census(self) -> dict[str, Census]:
        """Wait until the steady servers are idle; return what each worker holds."""
        found = {}
        for name, server in self.steady.items():
            port = _port_of(server)
            workers = psutil.Process(server.pid).children()
            for number, worker in enumerate(sorted(workers, key=lambda w: w.pid)):
                found[f"{name} {number + 1}"] = load.when_idle(worker.pid, port)
        return found


def _port_of(server: Server) -> int:
    """Return the port at which a server of ours listens."""
    [*_, found] = sorted(
        each.laddr.port
        for each in psutil.Process(server.pid).net_connections("tcp")
        if each.status == psutil.CONN_LISTEN
    )
    return int(found)


@contextlib.contextmanager
def laid_out(cloud: Cloud, home: pathlib.Path) -> Iterator[Ground]:
    """Start everything."""
    home.mkdir(parents=True, exist_ok=True)
    keys = Keys(home, list(PAIRS))
    hot = {"hot_images": "256MiB", "hot_images_dir": str(home / "hot")}  # of all three
    options = {**_OPTIONS, **keys.options, **hot}
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(cloud.s3.endpoint))
        store = {"s3_store_host": proxy.endpoint}
        config = {"fast": store, "cheap": store, "s3gateway": options}
        glances = [
            cloud.glance(
                gateway=True,
                workers=_WORKERS,
                threads=threads,
                apps=_APPS,
                config=config,
                env=_ALLOCATOR,
            )
            for threads in (8, 9)  # two that are not the same
        ]
        counting = {"PROMETHEUS_MULTIPROC_DIR": str(home / "metrics")}
        shut = stack.enter_context(
            sealed.serving(cloud, "--threads=24", env=counting, **options)  # type: ignore[arg-type]
        )
        urls = dict(
            zip(
                (FILTER, RESTARTED, SEALED),
                (*(each.url for each in glances), shut.gateway.url),
                strict=True,
            )
        )
        clients = {
            name: stack.enter_context(FaultProxy(url)) for name, url in urls.items()
        }
        targets = [parse.urlsplit(each.url).netloc for each in glances]
        watching = stack.enter_context(_watched(cloud, shut, home, targets, counting))
        yield Ground(
            cloud,
            clients,
            [proxy, shut.proxy],
            glances[0],
            {FILTER: glances[0].server, SEALED: shut.gateway.server},
            _restarts(glances[1], shut),
            keys,
            watching,
        )


def _restarts(restarted: Glance, shut: sealed.Sealed) -> list[Restart]:
    server = restarted.server
    return [
        Restart("worker: HUP", RESTARTED, server, signal.SIGHUP, False, _AT_GLANCE),
        Restart("worker: TERM", RESTARTED, server, signal.SIGTERM, True, _AT_GLANCE),
        Restart("worker: KILL", RESTARTED, server, signal.SIGKILL, True, 0),
        Restart("Glance: HUP", SEALED, shut.glance.server, signal.SIGHUP, False, 0),
    ]


@contextlib.contextmanager
def _watched(
    cloud: Cloud,
    shut: sealed.Sealed,
    home: pathlib.Path,
    targets: list[str],
    counting: dict[str, str],
) -> Iterator[Prometheus | None]:
    """Run a Prometheus, if there is one."""
    if not prometheuses.is_here():
        yield None
        return
    address = f"127.0.0.1:{free_port()}"
    config = shut.gateway.directory / "s3gateway.conf"
    program = cloud.bin_dir / "s3gateway-manage"
    words = [f"--config-file={config}", "metrics", f"--listen={address}"]
    log = home / "metrics.log"
    with Server("metrics", [program, *words], log=log, env=counting) as server:
        server.wait_for_url(f"http://{address}/metrics")
        with prometheuses.serving(
            home / "prometheus", [*targets, address], every="5s"
        ) as found:
            yield found
