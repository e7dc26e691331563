# SPDX-License-Identifier: Apache-2.0
"""Measures stock Glance and the gateway side by side; ``make bench`` runs it."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterator

from benchmarks import field
from benchmarks import report
from benchmarks.cases import cases
from benchmarks.field import Ground
from benchmarks.transfers import Case
from benchmarks.transfers import Course
from benchmarks.transfers import Sample
from tests.support import glance
from tests.support import mariadb
from tests.support import rgw

_MIB = 1024**2
_GIB = 1024**3
_STORE = 10 * _GIB  # the memory of the S3 server
_SHARED_MEMORY = pathlib.Path("/dev/shm")  # noqa: S108  the disk is not measured


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Start the S3 server and the database."""
    with contextlib.ExitStack() as stack:
        home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3 = stack.enter_context(rgw.serving(home / "rgw", memory=_STORE))
        s3.client().create_bucket(Bucket=field.BUCKET)
        database = stack.enter_context(mariadb.serving(home / "mariadb"))
        found = Ground(s3, database.create("glance"), home)
        glance.create_database(found.bin_dir, home, found.database)
        yield found


@contextlib.contextmanager
def source(size: int) -> Iterator[pathlib.Path]:
    """Make a file of random bytes in memory."""
    with tempfile.NamedTemporaryFile(dir=_SHARED_MEMORY) as file:
        for _ in range(size):
            file.write(os.urandom(_MIB))
        file.flush()
        yield pathlib.Path(file.name)


def measure(chosen: list[Case], pairs: int, size: int) -> Iterator[Sample]:
    """Yield the samples of all chosen cases, line by line."""
    with ground() as found, source(size) as file:
        for line, group in itertools.groupby(chosen, lambda case: case.line):
            with field.laid_out(found, line) as laid_out:
                course = Course(laid_out, file)
                for case in group:
                    yield from course.run(case, pairs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="MiB of a large image")
    parser.add_argument("--only", nargs="*", default=[], help="names of cases")
    options = parser.parse_args()
    chosen = [
        case
        for case in cases(options.size)
        if not options.only or case.name in options.only
    ]
    samples = []
    for sample in measure(chosen, options.pairs, options.size):
        samples.append(sample)
        print(
            f"{sample.case:16} {sample.side:8} {sample.seconds:8.2f} s "
            f"{sample.speed:7.1f} MiB/s {sample.cpu:6.2f} CPU s/GiB "
            f"{sample.memory:7.1f} MiB {sample.first:7.3f} s",
            flush=True,
        )
    print("", *report.lines(samples), sep="\n")


if __name__ == "__main__":
    main()
