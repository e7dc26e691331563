# SPDX-License-Identifier: Apache-2.0
"""The Zuul jobs of this repository and of those they build on."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / ".zuul.yaml"

# Trees of openstack/devstack and openstack/tempest, or nothing.
TREES = [os.environ.get(name, "") for name in ("DEVSTACK_DIR", "TEMPEST_DIR")]

Job = dict[str, Any]


def items(path: pathlib.Path) -> list[tuple[str, Job]]:
    """Return what a file defines: the kind and the attributes of each item.

    :raises ValueError: an item is not a mapping with one kind
    """
    found = []
    for item in yaml.safe_load(path.read_text()):
        ((kind, attributes),) = item.items()
        found.append((kind, attributes))
    return found


def jobs(*paths: pathlib.Path) -> dict[str, Job]:
    """Return the jobs in files by name."""
    return {
        attributes["name"]: attributes
        for path in paths
        for kind, attributes in items(path)
        if kind == "job"
    }


def ancestry(known: dict[str, Job], name: str) -> Iterable[Job]:
    """Return a job and those it inherits from, the oldest known one first."""
    line: list[Job] = []
    while name in known:
        line.insert(0, known[name])
        name = known[name]["parent"]
    return line


def variables(known: dict[str, Job], name: str) -> Job:
    """Return the variables of a job with those it inherits.

    Zuul merges mappings at any depth; anything else replaces what was there.
    """
    merged: Job = {}
    for job in ancestry(known, name):
        merged = _merged(merged, job.get("vars", {}))
    return merged


def projects(known: dict[str, Job], name: str) -> set[str]:
    """Return the last parts of the names of the projects that a job checks out."""
    return {
        (project if isinstance(project, str) else project["name"]).rpartition("/")[2]
        for job in ancestry(known, name)
        for project in job.get("required-projects", [])
    }


def _merged(old: Job, new: Job) -> Job:
    both = {
        name: _merged(old[name], new[name])
        for name in old.keys() & new.keys()
        if isinstance(old[name], dict) and isinstance(new[name], dict)
    }
    return {**old, **new, **both}
