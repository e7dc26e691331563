# SPDX-License-Identifier: Apache-2.0
"""Measures stock Glance and the gateway side by side; ``make bench`` runs it."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import tempfile
from collections.abc import Generator
from collections.abc import Iterator
from typing import TypeAlias

from benchmarks import ceilings
from benchmarks import field
from benchmarks import growth
from benchmarks import plots
from benchmarks import report
from benchmarks import small
from benchmarks import tls
from benchmarks.cases import cases
from benchmarks.field import Ground
from benchmarks.growth import Growth
from benchmarks.report import Results
from benchmarks.small import Rate
from benchmarks.small import Requests
from benchmarks.transfers import Case
from benchmarks.transfers import Course
from benchmarks.transfers import Sample
from tests.support import isolation
from tests.support.s3 import rgw
from tests.support.servers import glance
from tests.support.servers import mariadb

SMALL = "small"
GROWTH = "growth"

Measured: TypeAlias = "Sample | Rate | Requests | Growth"

_MIB = 1024**2
_GIB = 1024**3
_STORE = 10 * _GIB  # the memory of the S3 server
_SHARED_MEMORY = pathlib.Path("/dev/shm")  # noqa: S108  the disk is not measured


@contextlib.contextmanager
def ground(how: Setting) -> Iterator[Ground]:
    """Start the S3 server and the database."""
    with contextlib.ExitStack() as stack:
        home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3_serving = tls.serving if how.tls else rgw.serving
        s3 = stack.enter_context(s3_serving(home / "rgw", memory=_STORE))
        s3.client().create_bucket(Bucket=field.BUCKET)
        database = stack.enter_context(mariadb.serving(home / "mariadb"))
        url = database.create("glance")

        def sql(statement: str) -> str:
            return database.execute(f"USE glance; {statement}")

        found = Ground(s3, url, sql, home, wsgi=how.wsgi, config=how.config)
        glance.create_database(found.bin_dir, home, found.database)
        yield found


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all sides of a run have in common.

    :ivar wsgi: ``gunicorn`` or ``uwsgi``
    :ivar tls: whether S3 is asked by https
    :ivar hashing_algorithm: Glance's option, empty for its default
    """

    wsgi: str = "gunicorn"
    tls: bool = False
    hashing_algorithm: str = ""

    @property
    def config(self) -> glance.Config:
        """Options of each Glance."""
        if not self.hashing_algorithm:
            return {}
        return {"DEFAULT": {"hashing_algorithm": self.hashing_algorithm}}


@contextlib.contextmanager
def source(size: int) -> Iterator[pathlib.Path]:
    """Make a file of random bytes in memory."""
    with tempfile.NamedTemporaryFile(dir=_SHARED_MEMORY) as file:
        for _ in range(size):
            file.write(os.urandom(_MIB))
        file.flush()
        yield pathlib.Path(file.name)


def measure(
    how: Setting, chosen: list[Case], pairs: int, size: int, others: set[str]
) -> Generator[Measured, None, None]:
    """Yield the samples of all chosen cases, line by line.

    :param others: ``SMALL`` and ``GROWTH``, if they are chosen
    """
    with ground(how) as found, source(size) as file:
        if SMALL in others:
            if not how.tls:  # which hides what is asked
                yield from small.requests(found, file)
            with field.laid_out(found, "near") as laid_out:
                yield from small.rates(laid_out, file, pairs)
        for line, cases_of_line in itertools.groupby(chosen, lambda case: case.line):
            group = list(cases_of_line)
            sides = {side for case in group for side in case.sides}
            with field.laid_out(found, line, more=sides) as laid_out:
                course = Course(laid_out, file)
                for case in group:
                    yield from course.run(case, pairs)
        if GROWTH in others:
            yield from growth.measure(found, file, size, pairs)


def collected(found: Generator[Measured, None, None]) -> Results:
    """Print each sample as it comes; return all that there were until an interrupt."""
    results = Results()
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(found):
        for sample in found:
            print(sample, flush=True)
            if isinstance(sample, Sample):
                results.samples.append(sample)
            elif isinstance(sample, Rate):
                results.rates.append(sample)
            elif isinstance(sample, Growth):
                results.growth.append(sample)
            else:
                results.requests.append(sample)
    results.digests.update(ceilings.digests())
    return results


def write(results: Results, directory: pathlib.Path) -> None:
    """Write tables as Markdown and CSV, and the plots."""
    directory.mkdir(parents=True, exist_ok=True)
    found = report.tables(results)
    text = "\n".join(table.markdown() for table in found)
    (directory / "benchmarks.md").write_text(f"# Measured\n\n{text}")
    for table in (*found, *report.raw(results)):
        table.write(directory)
    if results.growth:
        runs = [dataclasses.asdict(run) for run in results.growth]
        (directory / "growth.json").write_text(f"{json.dumps(runs, indent=1)}\n")
    plots.draw(results, directory)


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="MiB of a large image")
    parser.add_argument(
        "--only", nargs="*", default=[], help=f"names of cases, {SMALL} or {GROWTH}"
    )
    parser.add_argument(
        "--output", type=pathlib.Path, help="directory for tables and plots"
    )
    parser.add_argument("--wsgi", choices=["gunicorn", "uwsgi"], default="gunicorn")
    parser.add_argument("--tls", action="store_true", help="ask S3 by https")
    parser.add_argument(
        "--hashing-algorithm", default="", help="Glance's option of that name"
    )
    options = parser.parse_args()
    isolation.apply()
    chosen = [
        case
        for case in cases(options.size, boto3=not options.tls)
        if not options.only or case.name in options.only
    ]
    how = Setting(options.wsgi, options.tls, options.hashing_algorithm)
    others = {SMALL, GROWTH} & set(options.only or (SMALL, GROWTH))
    results = collected(measure(how, chosen, options.pairs, options.size, others))
    for table in report.tables(results):
        print("", table.text(), sep="\n")
    if options.output:
        write(results, options.output)


if __name__ == "__main__":
    main()
