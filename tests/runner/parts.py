# SPDX-License-Identifier: Apache-2.0
"""The parts of the two tiers.  Each starts its own servers, and stops them."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = sys.executable
TOX = str(ROOT / ".venv" / "bin" / "tox")
BARE = str(ROOT / "tests" / "bare" / "run.sh")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a tier, which runs in its own process.

    :ivar name: a part ``faults-random`` is one of ``faults``
    :ivar tests: what pytest is told to run
    :ivar program: what is run in place of pytest
    :ivar hostile: whether the machine's configuration is made wrong for it
    :ivar alone: whether nothing may run beside it, because it measures, or because it
        runs as much at once as the machine bears
    :ivar limit: minutes until it is broken off
    """

    name: str
    tests: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    hostile: bool = False
    alone: bool = False
    limit: int = 60

    def command(self) -> list[str]:
        """Return what is run, with a look at what it leaves."""
        words = [PYTHON, "-m", "tests.support.leftovers"]
        if self.hostile:
            words += [PYTHON, "-m", "tests.hostile"]
        return words + list(self.program or (PYTHON, "-m", "pytest", *self.tests))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tier:
    """The parts of a tier, those first that take longest, and how many run at once."""

    parts: tuple[Part, ...]
    at_once: int
    environment: dict[str, str] = dataclasses.field(default_factory=dict)

    def named(self, names: Sequence[str]) -> list[Part]:
        """Return the parts with these names, or all.

        :raises LookupError: if no part has one of the names
        """
        found = []
        for name in names:
            matching = [
                part
                for part in self.parts
                if part.name == name or part.name.startswith(f"{name}-")
            ]
            if not matching:
                raise LookupError(name)
            found += matching
        return [part for part in self.parts if part in found or not names]


DEFAULT = Tier(
    at_once=5,
    parts=(
        Part(name="system", tests=("tests/system",)),
        Part(name="faults", tests=("tests/faults", "tests/manage")),
        Part(name="parity", tests=("tests/parity", "tests/clients")),
        Part(
            name="leaks",
            tests=(
                "tests/leaks",
                "tests/contract",
                "tests/devstack",
                "tests/bare",
                "tests/soak",
            ),
        ),
        Part(
            name="hostile",
            tests=("tests/system/test_main_way.py", "tests/clients", "tests/contract"),
            hostile=True,
        ),
    ),
)

_WAYS = ("main_way", "download", "upload", "writing", "fast_lane", "uwsgi_router")


def _system(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/system/test_{name}.py" for name in names)


def _but(directory: str, *left_out: tuple[str, ...]) -> tuple[str, ...]:
    return (directory, *(f"--ignore={path}" for paths in left_out for path in paths))


_TOX = (TOX, "run", "--skip-missing-interpreters=true")
_MEASURING = _system("load", "memory", "slow_downloads")
_RANDOM = ("tests/faults/test_random.py",)
_KILLED = (
    "tests/faults/test_killed_servers.py",
    "tests/faults/test_names_and_disks.py",
)
_TEMPEST = ("tests/clients/test_tempest.py",)


def _documents() -> Iterator[Part]:
    """Yield a part for each document: they measure, and are run apart."""
    for path in sorted((ROOT / "tests" / "documents").glob("test_*.py")):
        name = path.stem.removeprefix("test_").replace("_", "-")
        tests = (str(path.relative_to(ROOT)),)
        yield Part(name=f"documents-{name}", tests=tests, alone=True)


# All tests, those of the default tier too.
FULL = Tier(
    at_once=3,
    environment={"S3GATEWAY_FULL": "1"},
    parts=(
        Part(name="faults-random", tests=_RANDOM, limit=90),
        Part(name="tempest", tests=_TEMPEST),
        Part(name="faults", tests=_but("tests/faults", _RANDOM, _KILLED)),
        Part(name="parity", tests=("tests/parity",), limit=90),
        Part(
            name="system",
            tests=_but("tests/system", _system(*_WAYS), _MEASURING),
        ),
        # One after another: two toxes at once build the package in one place.
        Part(name="tox", program=(*_TOX, "-e", "pep8,docs,py310,py311,py312,py313")),
        Part(name="faults-killed", tests=_KILLED),
        Part(name="leaks", tests=("tests/leaks",)),
        Part(name="system-ways", tests=_system(*_WAYS)),
        Part(name="clients", tests=_but("tests/clients", _TEMPEST)),
        Part(name="manage", tests=("tests/manage",)),
        Part(name="contract", tests=("tests/contract",)),
        *(
            Part(name=f"demo-{mode}", program=(PYTHON, "-m", "tests.demo", f"--{mode}"))
            for mode in ("standalone", "sealed")
        ),
        Part(name="devstack", tests=("tests/devstack",)),
        Part(name="unit", tests=("tests/unit", "tests/docs", "tests/packaging")),
        Part(name="packages", tests=("tests/bare",), limit=90),
        Part(name="load", tests=_MEASURING, alone=True),
        # 10 minutes, or as many as S3GATEWAY_SOAK says.
        Part(name="soak", tests=("tests/soak",), alone=True, limit=600),
        *_documents(),
        Part(
            name="hostile",
            program=(
                *("env", "--unset=S3GATEWAY_FULL"),
                *(PYTHON, "-m", "tests.hostile"),
                *(PYTHON, "-m", "tests.runner", "default"),
            ),
            alone=True,
        ),
        Part(
            name="bare-trixie",
            program=(BARE, "--suite", "trixie"),
            alone=True,
            limit=90,
        ),
    ),
)
