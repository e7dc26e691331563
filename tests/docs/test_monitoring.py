# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts ask for metrics and labels that the code has."""

from __future__ import annotations

import itertools
import json
import pathlib
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from s3gateway.monitoring import metrics
from tests.support import dashboard

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALERTS = ROOT / "etc" / "prometheus" / "s3gateway-alerts.yaml"
TESTS = ALERTS.with_name("s3gateway-alerts-test.yaml")
PAGE = ROOT / "docs" / "source" / "operations" / "metrics.rst"
PICTURE = runpy.run_path(str(ROOT / "docs" / "dashboard.py"))

#: Labels that Prometheus adds.
OF_PROMETHEUS = {"job", "instance"}
#: All values of labels; those of stores and reasons are no fixed set.
VALUES = {
    "operation": {"upload", "download", "face", "other"},
    "outcome": {"ok", "empty", "client", "store", "glance", "gateway"},
    "status": {"2xx", "3xx", "4xx", "5xx"},
}
_SELECTOR = re.compile(r"(?P<name>s3gateway_\w+)(?:\{(?P<labels>[^}]*)\})?")
_MATCHER = re.compile(r'(\w+)=~?"([^"]*)"')
_BY = re.compile(r"\bby \(([\w, ]+)\)")


def samples() -> dict[str, set[str]]:
    """Return the labels of all samples that the gateway can show."""
    found: dict[str, set[str]] = {}
    for family, metric in metrics.REGISTRY._collector_to_names.items():
        labels = set(family._labelnames)  # type: ignore[attr-defined]
        for name in metric:
            found[name] = labels | ({"le"} if name.endswith("_bucket") else set())
    return found


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def expressions() -> Iterator[tuple[str, str]]:
    for panel in dashboard.panels():
        for query in panel.queries:
            yield panel.title, query.expr
    for rule in alerts():
        yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("where", "expr"), list(expressions()))
def test_an_expression_asks_for_what_there_is(where: str, expr: str) -> None:
    there = samples()
    names = [found["name"] for found in _SELECTOR.finditer(expr)]
    assert names or expr.startswith("up{"), expr
    labels = OF_PROMETHEUS | {label for name in names for label in there[name]}
    for found in _SELECTOR.finditer(expr):
        for label, value in _MATCHER.findall(found["labels"] or ""):
            assert label in OF_PROMETHEUS | there[found["name"]], label
            if label in VALUES:
                assert set(value.split("|")) <= VALUES[label]
    for by in _BY.findall(expr):
        assert set(by.split(", ")) <= labels, by


@pytest.mark.parametrize(("where", "expr"), list(expressions()))
def test_brackets_are_closed(where: str, expr: str) -> None:
    """All else of the grammar is looked at by Prometheus itself, in the full tier."""
    open_ones = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for character in re.sub(r'"[^"]*"', "", expr):
        if character in pairs.values():
            open_ones.append(character)
        elif character in pairs:
            assert open_ones.pop() == pairs[character]
    assert open_ones == []


def test_all_metrics_are_on_the_dashboard() -> None:
    text = " ".join(
        query.expr for panel in dashboard.panels() for query in panel.queries
    )
    there = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in metrics.REGISTRY.collect()
    }
    assert {name for name in there if name not in text} == set()


def test_the_source_of_data_is_a_variable() -> None:
    board = dashboard.read()
    [source] = [
        each for each in board["templating"]["list"] if each["type"] == "datasource"
    ]
    assert source["query"] == "prometheus"
    ours = {"type": "prometheus", "uid": f"${{{source['name']}}}"}
    shown = [panel for panel in board["panels"] if panel["type"] != "row"]
    for panel in shown:
        assert [panel["datasource"], *(x["datasource"] for x in panel["targets"])] == [
            ours
        ] * (1 + len(panel["targets"]))
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))
    for variable in board["templating"]["list"]:
        assert variable.get("datasource", ours) == ours
    assert (board["id"], board["uid"]) == (None, "s3gateway")


def test_panels_have_a_number_and_a_place_of_their_own() -> None:
    board = dashboard.read()["panels"]
    numbers = [panel["id"] for panel in board]
    assert len(set(numbers)) == len(numbers)
    taken: list[tuple[int, int]] = []
    for panel in board:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken += itertools.product(
            range(place["x"], place["x"] + place["w"]),
            range(place["y"], place["y"] + place["h"]),
        )
    assert len(set(taken)) == len(taken)


def test_every_panel_says_what_it_shows() -> None:
    for panel in dashboard.panels():
        assert panel.description.endswith("."), panel.title
        assert panel.unit, panel.title
        assert panel.kind in ("timeseries", "stat")


def test_every_alert_says_what_to_do() -> None:
    page = PAGE.read_text()
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        notes = rule["annotations"]
        assert notes.keys() == {"summary", "description", "runbook_url"}
        assert notes["summary"].endswith(".")
        assert len(notes["description"]) > 100
        where, _, place = notes["runbook_url"].partition("#")
        assert where.endswith(str(PAGE.relative_to(ROOT)))
        assert f"\n{place.replace('-', ' ').capitalize()}\n===" in page
        assert f"``{rule['alert']}``" in page


def test_every_alert_is_tested_and_on_the_page() -> None:
    names = [rule["alert"] for rule in alerts()]
    tested = {
        each["alertname"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for each in test["alert_rule_test"]
        if each.get("exp_alerts")
    }
    assert tested == set(names)
    found = re.findall(r"``(S3Gateway\w+)``", PAGE.read_text())
    assert list(dict.fromkeys(found)) == names


def test_counters_of_stores_are_there_before_they_count() -> None:
    """The first failover of a store would raise no alert otherwise."""
    metrics.begin(["from the start"])
    for name in ("download_failovers", "store_retries", "aborted_uploads"):
        labels = {"store": "from the start"}
        assert metrics.REGISTRY.get_sample_value(f"s3gateway_{name}_total", labels) == 0


def test_the_picture_is_drawn_from_the_dashboard() -> None:
    run = json.loads(PICTURE["RUN"].read_text(encoding="utf-8"))
    assert run["panels"].keys() == {str(each.number) for each in dashboard.panels()}
    picture = PICTURE["PICTURE"].read_text(encoding="utf-8")
    assert picture == PICTURE["draw"](run), "run: python docs/dashboard.py"
