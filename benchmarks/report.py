# SPDX-License-Identifier: Apache-2.0
"""Medians and ratios of what was measured, beside what they are to be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.cases import TARGETS
from benchmarks.cases import Target
from benchmarks.transfers import Sample

_MEASURES = ("speed", "cpu", "memory", "first")


def lines(samples: Sequence[Sample]) -> list[str]:
    """Return the table of medians and the list of targets."""
    return [*_medians(samples), "", *_reached(samples)]


def median(samples: Sequence[Sample], case: str, side: str, measure: str) -> float:
    """Return the median of a measure, not a number if there is no sample."""
    found = [
        float(getattr(sample, measure))
        for sample in samples
        if (sample.case, sample.side) == (case, side)
    ]
    return statistics.median(found) if found else float("nan")


def value(samples: Sequence[Sample], target: Target) -> float:
    """Return what is compared with a target: a ratio of medians, or a median."""
    ours = median(samples, target.case, "gateway", target.measure)
    if not target.against:
        return ours
    return ours / median(samples, target.case, target.against, target.measure)


def _medians(samples: Sequence[Sample]) -> list[str]:
    found = [
        "medians          side      runs  MiB/s  CPU s/GiB  peak MiB  first byte s"
    ]
    for case, side in dict.fromkeys((sample.case, sample.side) for sample in samples):
        runs = sum((sample.case, sample.side) == (case, side) for sample in samples)
        speed, cpu, memory, first = (
            median(samples, case, side, measure) for measure in _MEASURES
        )
        found.append(
            f"{case:16} {side:8} {runs:5} {speed:6.1f} {cpu:10.2f} {memory:9.1f} "
            f"{first:13.3f}"
        )
    return found


def _reached(samples: Sequence[Sample]) -> list[str]:
    cases = {sample.case for sample in samples}
    found = []
    for target in TARGETS:
        if target.case not in cases:
            continue
        ratio = value(samples, target)
        wanted = (
            f">= {target.least}" if target.least is not None else f"<= {target.most}"
        )
        found.append(
            f"{'reached' if target.is_met(ratio) else 'MISSED':8} {target.case} "
            f"{target.measure}, gateway / {target.against or '1'}: {ratio:.2f} "
            f"(to be {wanted})"
        )
    return found
