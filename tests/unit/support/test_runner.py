# SPDX-License-Identifier: Apache-2.0
"""The parts of a tier are run, followed, and told of in a table."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.runner import __main__ as runner
from tests.runner.outcome import CANNOT
from tests.runner.outcome import Outcome
from tests.runner.outcome import table
from tests.runner.parts import DEFAULT
from tests.runner.parts import FULL
from tests.runner.parts import Part
from tests.runner.parts import Tier

TESTS = pathlib.Path(__file__).resolve().parents[2]

LINES = """\
SKIPPED [2] tests/contract/conftest.py:41: minio was not run: no Go toolchain
SKIPPED [1] tests/a.py: no reason
FAILED tests/a.py::test_b - assert 1 == 2
ERROR tests/a.py::test_c - tests.support.ServerFailed
54 tests of the full tier were left out: make test-full runs them
== 1 failed, 64 passed, 3 skipped, 54 deselected, 1 error in 258.51s (0:04:18) ==
LEFT running: 77 sleep
py310: skipped because could not find python interpreter with spec(s): cpython3.10
"""


def outcome(text: str, code: int | None, **what: object) -> Outcome:
    found = Outcome("part", code=code, **what)  # type: ignore[arg-type]
    for line in text.splitlines():
        found.read(line)
    return found


def test_what_the_last_lines_say() -> None:
    found = outcome(LINES, 1)
    assert found.counts == {"passed": 64, "failed": 1, "skipped": 3, "error": 1}
    assert [line.split()[0] for line in found.failures] == ["FAILED", "ERROR", "LEFT"]
    assert found.left_out == {
        "minio was not run: no Go toolchain": 2,
        "no reason": 1,
        "they are of the full tier": 54,
        "py310: could not find python interpreter with spec(s): cpython3.10": 1,
    }


@pytest.mark.parametrize(
    ("last", "passed"),
    [
        ("===== 657 passed, 6 deselected in 22.52s =====", 657),
        ("1 passed in 0.01s", 1),
        ("=== 3 passed, 2 warnings in 61.00s (0:01:01) ===", 3),
        ("  12 passed in the night", 0),
    ],
)
def test_how_many_have_passed(last: str, passed: int) -> None:
    assert outcome(last, 0).counts["passed"] == passed


def test_what_the_demo_says() -> None:
    found = outcome("19 checks, 2 failed\nleft out: an image in a format: no tool", 1)
    assert found.counts == {"passed": 17, "failed": 2}
    assert found.left_out == {"an image in a format: no tool": 1}


def test_what_the_parts_of_a_part_say() -> None:
    """As on the bare Debian, where make test prints its own names."""
    text = "\n".join(f" parity | {line}" for line in LINES.splitlines())
    assert outcome(text, 1) == outcome(LINES, 1)


@pytest.mark.parametrize(
    ("ended", "result", "bad"),
    [
        (outcome("", 0), "passed", False),
        (outcome("", 2), "failed (2)", True),
        (outcome("", 1, broken_off=True), "broken off", True),
        (outcome("no root\n", CANNOT), "not run", False),
        (outcome("", None), "not begun", True),
    ],
)
def test_results(ended: Outcome, result: str, bad: bool) -> None:
    assert (ended.result, ended.is_bad) == (result, bad)
    assert any(result in line for line in table([ended]))


def test_the_table_says_why() -> None:
    text = "\n".join(table([outcome(LINES, 1), outcome("only root can\n", CANNOT)]))
    assert "part: 2 left out: minio was not run: no Go toolchain" in text
    assert "part was not run: only root can" in text
    assert "part: LEFT running: 77 sleep" in text


def part(name: str, code: str, **how: object) -> Part:
    program = (sys.executable, "-c", code)
    return Part(name=name, program=program, **how)  # type: ignore[arg-type]


def test_parts_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    tier = Tier(
        at_once=2,
        environment={"S3GATEWAY_FULL": "yes"},
        parts=(
            part("good", "import os; print(os.environ['S3GATEWAY_FULL'])"),
            part("bad", "raise SystemExit('FAILED tests/a.py')"),
            part("endless", "import time; time.sleep(600)", limit=0),
            part("measuring", "print('alone')", alone=True),
        ),
    )
    found = runner.run(tier, tier.parts, runner.Running(tier.environment))
    assert [each.result for each in found] == [
        "passed",
        "failed (1)",
        "broken off",
        "passed",
    ]
    assert found[1].failures == ["FAILED tests/a.py"]
    lines = capsys.readouterr().out.splitlines()
    assert "    good | yes" in lines
    assert lines[-1] == "measuring | alone"


# A tier of which the second part ends only when it is broken off.
ENDLESS = """\
import sys
from tests.runner import __main__ as runner
from tests.runner.parts import Part, Tier
runner.TIERS["full"] = Tier(at_once=1, parts=(
    Part(name="quick", program=("true",)),
    Part(name="endless", program=("sh", "-c", "echo $$; while sleep 1; do echo; done")),
    Part(name="late", program=("true",)),
    Part(name="measuring", program=("true",), alone=True),
))
sys.argv[1:] = ["full"]
sys.exit(runner.main())
"""


@contextlib.contextmanager
def endless() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a runner, and the process of a part that has begun."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        cwd=TESTS.parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(" endless | ")
        yield process, int(line.split()[-1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_broken_off(number: signal.Signals) -> None:
    """The table says what has become of each part; nothing runs on."""
    with endless() as (process, part):
        process.send_signal(number)
        process.send_signal(number)  # as its parent does
        text, _ = process.communicate(timeout=120)
    rows = [line.split()[:3] for line in text.splitlines()]
    assert ["quick", "passed", "0"] in rows
    assert ["endless", "broken", "off"] in rows
    assert ["late", "not", "begun"] in rows
    assert ["measuring", "not", "begun"] in rows
    assert process.returncode == 1
    assert not psutil.pid_exists(part)


def test_nobody_reads_what_it_prints() -> None:
    """What has started it was killed: it does not run on for hours."""
    with endless() as (process, part):
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=120) != 0
    assert not psutil.pid_exists(part)


def test_parts_by_name() -> None:
    faults = [part.name for part in FULL.named(["faults"])]
    assert "faults" in faults
    assert "faults-random" in faults
    assert "manage" not in faults
    assert FULL.named([]) == list(FULL.parts)
    with pytest.raises(LookupError):
        FULL.named(["no-such-part"])


def takes(part: Part, module: pathlib.Path) -> bool:
    """Whether pytest runs a test module when it is told of a part's tests."""
    path = module.relative_to(TESTS.parent)
    if f"--ignore={path}" in part.tests:
        return False
    return any(path.is_relative_to(word) for word in part.tests)


@pytest.mark.parametrize("tier", [DEFAULT, FULL], ids=["default", "full"])
def test_no_test_is_in_no_part_or_in_two(tier: Tier) -> None:
    """``make test`` runs those without servers separately, and follows no document."""
    parts = [part for part in tier.parts if not part.hostile]
    for module in TESTS.rglob("test_*.py"):
        folder = module.relative_to(TESTS).parts[0]
        separate = ("unit", "docs", "packaging", "documents")
        without = tier is DEFAULT and folder in separate
        by = [part.name for part in parts if takes(part, module)]
        assert len(by) == (0 if without else 1), (module, by)
