# SPDX-License-Identifier: Apache-2.0
"""``gc``: collects what uploads that died have left, and nothing else.

Never touched are: what is younger than the grace time, what an image refers to or may
refer to, and what does not say that it belongs to this Glance.  Nothing at all is
deleted if it would be so much that the database is rather the wrong one.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3gateway.errors import GatewayError
from s3gateway.errors import StoreError
from s3gateway.manage import arguments
from s3gateway.manage import selection
from s3gateway.manage import work
from s3gateway.manage.collector import Collector
from s3gateway.manage.context import Context
from s3gateway.manage.leftovers import Finder
from s3gateway.manage.needs import Needs
from s3gateway.manage.output import Row
from s3gateway.manage.output import iso
from s3gateway.manage.output import sized
from s3gateway.manage.reasons import DOUBTFUL
from s3gateway.manage.reasons import SPARED
from s3gateway.manage.reasons import UNREADABLE
from s3gateway.manage.remains import Leftover
from s3gateway.manage.work import Pace

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Find what uploads and copies that died have left: claims, multipart uploads and
objects. Nothing is deleted without --delete. Never deleted is what is younger than
[s3gateway] claim_grace, what an image refers to, what a running upload may need, and
what does not say that it belongs to this Glance ([s3gateway] glance_id).

A bucket belongs to exactly one Glance database. If the database is empty or older than
the bucket, it does not know the newer images, and their objects look like leftovers.
After you have restored Glance's database from a backup, do not run this with --delete
until you have made the newer images again with "restore", or given them up.
Two checks protect you: what is newer than the last change in the database, and what is
of images that the database has never had, stays. And nothing is deleted if the database
has no image, or if more than 100 objects or a tenth of all would go. --force turns
these checks off.

Exit code 1: something was found, or could not be deleted.

  s3gateway-manage gc
  s3gateway-manage gc --delete
  s3gateway-manage gc --delete --store fast --older-than 7d --limit 50 --rate 20
"""

_COLUMNS = ("code", "store", "key", "size_bytes", "age_seconds", "project", "state")

FOUND, COLLECTED, KEPT = STATES = ("found", "collected", "kept")

#: So many objects, or one of so many, do not go without --force.
_MANY = 100
_OF = 10

_ADVICE = "look at [database] connection; --force collects them all the same"


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Find and delete leftovers of failed uploads"
    parser = arguments.add(commands, "gc", run, summary=summary, text=_TEXT)
    parser.add_argument(
        "--delete", action="store_true", help="delete what is found, not only show it"
    )
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="look only in this store; may be repeated",
    )
    parser.add_argument(
        "--image",
        action="append",
        metavar="ID",
        default=[],
        help="only what is of this image; may be repeated",
    )
    parser.add_argument(
        "--older-than",
        type=arguments.age,
        metavar="AGE",
        default=0.0,
        help="leave alone what is younger: 90s, 30m, 12h or 7d",
    )
    parser.add_argument(
        "--limit", type=arguments.number, metavar="N", help="delete at most N"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="delete even if this seems to be the wrong database",
    )
    work.declare_rate(parser, "leftovers")


def run(context: Context) -> bool:
    """Print what is left; collect it if wanted.

    :return: whether nothing is left that should not be
    :raises GatewayError: if not all could be listed; what was is printed, or collected
    """
    context.need_locations()
    words, settings = context.words, context.settings
    names = selection.stores(context)
    needs = Needs(context.glance)
    finder = Finder(
        context.glance,
        context.stores,
        grace=settings.claim_grace,
        patience=words.older_than,
        delayed_delete=settings.delayed_delete,
        trusting=words.force,
        only=words.image,
        pace=Pace(words.rate),
        needs=needs,
    )
    seen = context.output.progress(finder.find(names), "leftovers")
    found = [_sized(context, leftover) for leftover in seen]
    for note in finder.notes:
        context.output.note(note)
    doubt = "" if words.force else _doubt(finder, found)
    states = dict.fromkeys(found, FOUND)
    if words.delete and not doubt:
        states |= _collect(context, found[: words.limit], needs)
    _report(context, finder, states, doubt)
    if not finder.complete:
        raise GatewayError("Not all stores could be looked through.")
    if any(finder.spared[reason] for reason in (*DOUBTFUL, UNREADABLE)):
        return False
    # What was found and is beyond the limit is for another time.
    bad = KEPT if words.delete and not doubt else FOUND
    return bad not in states.values()


def _sized(context: Context, leftover: Leftover) -> Leftover:
    """Return a leftover with its size, which no listing says of an upload."""
    attempt = leftover.attempt
    with contextlib.suppress(StoreError):
        if leftover.kind == "upload":
            store = context.stores[attempt.store]
            size = store.received(attempt.key, attempt.upload_id)
            return dataclasses.replace(leftover, size=size)
    return leftover


def _collect(
    context: Context, found: Sequence[Leftover], needs: Needs
) -> dict[Leftover, str]:
    """Collect leftovers; return what became of each, as far as it was done."""
    output = context.output
    pace = Pace(context.words.rate)
    collector = Collector(context.glance, context.stores, context.settings, needs, pace)
    states: dict[Leftover, str] = {}
    with output.interruptible(), output.bar(len(found), "leftovers") as bar:
        for leftover, is_gone in collector.collect(found):
            states[leftover] = COLLECTED if is_gone else KEPT
            attempt = leftover.attempt
            output.finished(
                f"{leftover.kind} {attempt.key} in {attempt.store} {states[leftover]}"
            )
            bar.moved(1)
    return states


def _doubt(finder: Finder, found: Sequence[Leftover]) -> str:
    """Return why the database is rather the wrong one, empty if it seems right."""
    going = sum(leftover.kind == "object" for leftover in found)
    there = finder.needed + going
    if finder.last_change is None and finder.spared:
        return f"Glance's database has no image: {_ADVICE}"
    if going > _MANY or going * _OF > there:
        return f"{going} of {there} objects would go: {_ADVICE}"
    return ""


def _report(
    context: Context, finder: Finder, states: Mapping[Leftover, str], doubt: str
) -> None:
    counts = collections.Counter(states.values())
    found, collected = len(states), counts[COLLECTED]
    size = sum(leftover.size or 0 for leftover in states)
    if doubt:
        summary = f"{found} found, 0 collected: {doubt}"
    elif context.words.delete:
        summary = f"{collected} collected, {found - collected} left"
    else:
        summary = f"{found} found" + ("; --delete collects them" if found else "")
    if size:
        summary += f"; {sized(size)} in all"
    for reason, count in sorted(finder.spared.items()):
        summary += f"; left alone: {count} {reason}"
    numbers = {state: counts[state] for state in STATES}
    numbers |= {"found": found, "size_bytes": size}
    for reason, code in SPARED.items():
        numbers[f"spared_{code}"] = finder.spared[reason]
    projects = finder.projects
    rows = [
        {**_row(leftover, state), "project": projects.get(leftover.image_id) or None}
        for leftover, state in states.items()
    ]
    context.output.result(rows, _COLUMNS, summary, numbers)


def _row(leftover: Leftover, state: str) -> Row:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "code": leftover.kind,
        "store": leftover.attempt.store,
        "key": leftover.attempt.key,
        "image": leftover.image_id,
        "size_bytes": leftover.size,
        "age_seconds": round(leftover.age),
        "modified_at": iso(now - datetime.timedelta(seconds=leftover.age)),
        "state": state,
    }
