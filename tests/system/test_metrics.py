# SPDX-License-Identifier: Apache-2.0
"""The metrics of a Glance with several processes."""

from __future__ import annotations

import pathlib
import re
import time

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.clients.api import Response
from tests.support.hidden import hidden
from tests.support.people import ALICE
from tests.support.people import BOB
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import Glance
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

DATA = b"some bytes of an image\n" * 100
LARGE = bytes(11 * 1024**2)
METRICS = {"/metrics": "use = egg:s3gateway#metrics"}


@pytest.fixture(params=["gunicorn", pytest.param("uwsgi", marks=pytest.mark.full)])
def running(cloud: Cloud, request: pytest.FixtureRequest) -> Glance:
    return serving(cloud, request.param)


def serving(cloud: Cloud, wsgi: str) -> Glance:
    return cloud.glance(gateway=True, wsgi=wsgi, workers=2, apps=METRICS)


def scraped(answer: Response) -> dict[str, float]:
    """Return the samples by what stands before their values."""
    assert answer.status == 200, answer
    lines = [line for line in answer.body.decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines)}


def processes(running: Glance) -> int:
    """Return how many processes have counted something."""
    files = (running.directory / "metrics").glob("counter_*.db")
    return len({re.sub("[^0-9]", "", path.name) for path in files})


@pytest.mark.parametrize("wsgi", tiers.but(["uwsgi"], ["gunicorn", "uwsgi"]))
def test_what_two_processes_did_is_one_sum(cloud: Cloud, wsgi: str) -> None:
    running = serving(cloud, wsgi)
    api = Api(running.url, ALICE)
    name = 's3gateway_transfer_{}{{operation="{}",outcome="{}",store="fast"}}'
    uploads = name.format("seconds_count", "upload", "ok")
    received = name.format("bytes_total", "upload", "ok")
    sent = name.format("bytes_total", "download", "ok")
    before = scraped(api.request("GET", "/metrics"))
    count, deadline = 0, time.monotonic() + 60
    while count < 4 or processes(running) < 2:
        assert time.monotonic() < deadline
        image_id = api.create()
        assert api.upload(image_id, DATA).status == 204
        assert api.download(image_id).body == DATA
        count += 1
    for _ in range(4):  # whichever process answers
        now = scraped(api.request("GET", "/metrics"))
        assert now[uploads] - before.get(uploads, 0) == count
        assert now[received] - before.get(received, 0) == count * len(DATA)
        assert now[sent] - before.get(sent, 0) == count * len(DATA)
        assert [v for name, v in now.items() if "s3gateway_build_info" in name] == [1]


def test_what_went_wrong_is_counted(cloud: Cloud, running: Glance) -> None:
    api = Api(running.url, ALICE)
    before = scraped(api.request("GET", "/metrics"))
    assert api.upload(api.create(), LARGE, Content_MD5="0" * 32).status == 400
    change = {"url": "http://example.org/x", "metadata": {}}
    patch = {"op": "add", "path": "/locations/-", "value": change}
    assert api.patch(api.create(), patch).status == 403
    assert api.upload(api.create(), LARGE).status == 204
    assert api.request("GET", "/v2/images").status == 200
    now = scraped(api.request("GET", "/metrics"))

    def more(name: str) -> float:
        return now[name] - before.get(name, 0)

    of_client = '{operation="upload",outcome="client",store="fast"}'
    assert more(f"s3gateway_transfer_seconds_count{of_client}") == 1
    assert more('s3gateway_aborted_uploads_total{store="fast"}') == 1
    assert more("s3gateway_refused_writes_total") == 1
    assert more("s3gateway_masked_answers_total") >= 1
    assert more('s3gateway_requests_total{operation="upload",status="4xx"}') == 1
    assert now['s3gateway_parts_in_flight{operation="upload",store="fast"}'] == 0
    assert now['s3gateway_buffer_bytes{operation="upload"}'] == 0


def test_metrics_name_no_image_no_project_and_nothing_of_s3(
    cloud: Cloud, running: Glance
) -> None:
    api = Api(running.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    text = api.request("GET", "/metrics").body.decode()
    assert hidden(cloud).found_in(text) == []
    for word in (image_id, "acme", "alice"):
        assert word not in text


def test_tenants_do_not_see_them(cloud: Cloud, running: Glance) -> None:
    proxied = Api(running.url, BOB)
    headers = {"X_Forwarded_For": "192.0.2.7"}
    assert proxied.request("GET", "/metrics", None, **headers).status == 404
    as_shipped = cloud.api(BOB, gateway=True)
    assert b"s3gateway_" not in as_shipped.request("GET", "/metrics").body


@pytest.mark.full
def test_they_are_shown_on_an_address_of_their_own(
    cloud: Cloud, running: Glance, tmp_path: pathlib.Path
) -> None:
    """Without an app in the paste file, and so far from all tenants."""
    image_id = Api(running.url, ALICE).create()
    assert Api(running.url, ALICE).upload(image_id, DATA).status == 204
    port = free_port()
    config = running.directory / "glance-api.conf"
    program = cloud.bin_dir / "s3gateway-manage"
    command: list[str | pathlib.Path] = [program, f"--config-file={config}", "metrics"]
    env = {"PROMETHEUS_MULTIPROC_DIR": str(running.directory / "metrics")}
    listen = f"--listen=127.0.0.1:{port}"
    log = tmp_path / "metrics.log"
    with Server("metrics", [*command, listen], log=log, env=env) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/metrics")
        answer = Api(f"http://127.0.0.1:{port}").request("GET", "/metrics")
    labels = '{operation="upload",outcome="ok",store="fast"}'
    assert scraped(answer)[f"s3gateway_transfer_seconds_count{labels}"] >= 1
    once = run(command, env=env).stdout
    assert f"s3gateway_transfer_seconds_count{labels}" in once
