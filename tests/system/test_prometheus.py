# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus reads real gateways, and answers every panel of the dashboard."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import subprocess
import time
from collections.abc import Iterator

import pytest
import requests

from tests.support import dashboard
from tests.support.clients.api import Api
from tests.support.faults import s3_faults
from tests.support.faults.through import Through
from tests.support.faults.through import through_proxy
from tests.support.people import ALICE
from tests.support.servers import prometheus as prometheuses
from tests.support.servers import sealed
from tests.support.servers.cloud import Cloud
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run
from tests.support.servers.prometheus import Prometheus
from tests.support.servers.sealed import Sealed

pytestmark = pytest.mark.full

ETC = pathlib.Path(__file__).resolve().parents[2] / "etc" / "prometheus"
ALERTS = ETC / "s3gateway-alerts.yaml"
MIB = 1024**2
READY = (
    "paste.app_factory = oslo_middleware:Healthcheck.app_factory\nbackends = s3gateway"
)
APPS = {"/metrics": "use = egg:s3gateway#metrics", "/readiness": READY}

#: Panels that must show something other than 0 after the traffic below.
BUSY = {
    "Image data",
    "Versions",
    "Requests",
    "Answers by status",
    "Guarded",
    "Received",
    "Uploads by outcome",
    "Duration of uploads",
    "Not taken, or dropped",
    "Sent",
    "Downloads by outcome",
    "Duration of downloads",
    "Retries",
    "Stores up",
    "Requests of Glance's driver",
}


@dataclasses.dataclass(frozen=True)
class Watched:
    """A Glance with the filter, a sealed gateway, and their Prometheus."""

    filtered: Through
    sealed: Sealed
    prometheus: Prometheus


@pytest.fixture(scope="module")
def cloud(clouds: object) -> Cloud:
    return clouds(33)  # type: ignore[operator,no-any-return]


@pytest.fixture(scope="module")
def watched(
    cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    home = tmp_path_factory.mktemp("prometheus")
    config = {"s3gateway": {"health_interval": "1"}}
    with contextlib.ExitStack() as stack:
        filtered = stack.enter_context(
            through_proxy(cloud, ALICE, workers=2, apps=APPS, config=config)
        )
        shut = stack.enter_context(sealed.serving(cloud, env=_counting(home)))
        target = stack.enter_context(_shown(cloud, shut, home))
        targets = [filtered.glance.url.removeprefix("http://"), target]
        found = stack.enter_context(
            prometheuses.serving(home / "data", targets, rules=[ALERTS])
        )
        yield Watched(filtered, shut, found)


def _counting(home: pathlib.Path) -> dict[str, str]:
    return {"PROMETHEUS_MULTIPROC_DIR": str(home / "metrics")}


@contextlib.contextmanager
def _shown(cloud: Cloud, shut: Sealed, home: pathlib.Path) -> Iterator[str]:
    """Show the metrics of the sealed gateway as the page says: by the command."""
    address = f"127.0.0.1:{free_port()}"
    config = shut.gateway.directory / "s3gateway.conf"
    program = cloud.bin_dir / "s3gateway-manage"
    words = [f"--config-file={config}", "metrics", f"--listen={address}"]
    env = _counting(home)
    with Server("metrics", [program, *words], log=home / "log", env=env) as server:
        server.wait_for_url(f"http://{address}/metrics")
        yield address


def traffic(watched: Watched, seconds: float) -> None:
    """Upload, download, fail and retry until Prometheus has seen some of it."""
    until = time.monotonic() + seconds
    proxy = watched.filtered.proxy
    while time.monotonic() < until:
        for api in (watched.filtered.api, watched.sealed.users(ALICE)):
            image_id = api.create()
            proxy.add(s3_faults.SlowDown(), method="GET", key=image_id)
            assert api.upload(image_id, bytes(11 * MIB)).status == 204
            assert api.download(image_id).status == 200
            assert api.show(image_id)["status"] == "active"
            assert api.delete(image_id).status == 204
        api = watched.filtered.api
        bad = api.upload(api.create(), bytes(9 * MIB), Content_MD5="0" * 32)
        assert bad.status == 400
        change = {"url": "http://example.org/x", "metadata": {}}
        patch = {"op": "add", "path": "/locations/-", "value": change}
        assert api.patch(api.create(), patch).status == 403
        assert api.request("GET", "/v2/images").status == 200
        assert api.request("GET", "/readiness").status == 200


@pytest.mark.parametrize(
    "words",
    [("check", "rules", ALERTS.name), ("test", "rules", "s3gateway-alerts-test.yaml")],
    ids=["rules", "tests of the rules"],
)
def test_promtool_takes(words: tuple[str, ...]) -> None:
    run(["promtool", *words], cwd=ETC)


def test_promtool_finds_nothing_wrong_with_what_is_shown(watched: Watched) -> None:
    text = Api(watched.filtered.glance.url).request("GET", "/metrics").body
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_every_panel_is_answered_and_the_busy_ones_show_something(
    watched: Watched,
) -> None:
    began = time.monotonic()
    traffic(watched, 15)
    watched.prometheus.wait_for_a_look()
    span = f"{round(time.monotonic() - began) + 15}s"  # all of it, on a busy machine
    shown: dict[str, list[float]] = {}
    for panel in dashboard.panels():
        values = shown.setdefault(panel.title, [])
        for query in panel.queries:
            expr = query.filled(span, span)
            found = watched.prometheus.now(expr)
            values += [value for series in found for _, value in series.points]
            assert all(query.named(series.labels) for series in found)
    assert {title for title, values in shown.items() if not values} == set()
    assert {title for title in BUSY if not any(shown[title])} == set()


def test_all_alerts_are_evaluated(watched: Watched) -> None:
    deadline = time.monotonic() + 30
    while any(rule["health"] == "unknown" for rule in watched.prometheus.rules()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    rules = watched.prometheus.rules()
    assert {rule["name"]: rule.get("lastError", "") for rule in rules} == {
        rule["name"]: "" for rule in rules
    }
    assert len(rules) == 7


def test_the_variables_of_the_dashboard_have_values(watched: Watched) -> None:
    """Grafana fills them by asking for the labels of the build's metric."""
    answer = requests.get(
        f"{watched.prometheus.url}/api/v1/label/instance/values",
        params={"match[]": "s3gateway_build_info"},
        timeout=30,
    )
    assert len(answer.json()["data"]) == 2
