# SPDX-License-Identifier: Apache-2.0
"""``copy`` and ``migrate``: images brought into another store, and out of one."""

from __future__ import annotations

import argparse
import collections
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3gateway.config.stores import MIB
from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.errors import UsageError
from s3gateway.glance.api import Image
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage import faces
from s3gateway.manage import selection
from s3gateway.manage import work
from s3gateway.manage.codes import code_of
from s3gateway.manage.context import Context
from s3gateway.manage.copier import Copier
from s3gateway.manage.copier import Unfit
from s3gateway.manage.copier import check
from s3gateway.manage.work import Work

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_COPY = """
Copy images' data into another S3 store, and add each copy to its image's locations. "-"
reads the ids from standard input: the first word of each line.

Within one S3 server the server copies; otherwise the data passes through this host. The
copy is read back and compared with the digest that Glance shows before the image
refers to it. Glance serves the image all the time.

  s3gateway-manage copy 6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11 --to fast
  openstack image list --public -f value -c ID | s3gateway-manage copy - --to fast
"""

_MIGRATE = """
Copy all images of a store into an S3 store, as "copy" does, and have Glance delete
each one in the old store once its copy is verified. You can stop the command and run it
again; it skips images already moved. If it was killed during a copy, that image can be
retried after [s3gateway] claim_grace seconds. Each moved image gets a new updated_at.
Images that cannot be moved, as those that are not active, are skipped; the result says
why. --limit does not count them.

  s3gateway-manage migrate --from file --to fast --dry-run
  s3gateway-manage migrate --from file --to fast --limit 10
  s3gateway-manage migrate --from file --to fast --concurrency 4 --bandwidth 200MiB
"""

_FROM = "the store to copy from, of any type: an identifier in enabled_backends"
_TO = "the S3 store to copy to: an identifier in enabled_backends"

_COLUMNS = ("image", "size_bytes", "state", "code", "detail")

DONE, PLANNED, SKIPPED, FAILED = STATES = ("done", "planned", "skipped", "failed")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an image.

    :ivar code: how it was done, or why it was not; it does not change
    """

    image: str
    size_bytes: int
    state: str
    code: str
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done.

    :ivar source: the store that images leave, empty if they only are copied
    :ivar images: that can be copied
    :ivar unfit: those that cannot
    :ivar left: how many are for another time
    """

    source: str
    to: str
    images: Sequence[Image]
    unfit: Sequence[Outcome]
    left: int = 0

    @property
    def size(self) -> int:
        """How many bytes the images are."""
        return sum(image.size or 0 for image in self.images)

    @property
    def moved(self) -> int:
        """How many bytes are moved for it: each is copied, and read back."""
        return 2 * self.size


def declare(commands: Commands) -> None:
    """Declare both commands."""
    summary = "Copy images to another store"
    one = arguments.add(commands, "copy", copy, summary=summary, text=_COPY)
    one.add_argument(
        "image_ids", nargs="+", metavar="IMAGE", help="the id of an image, or -"
    )
    _add_target(one)
    summary = "Move all images of a store to another store"
    many = arguments.add(commands, "migrate", migrate, summary=summary, text=_MIGRATE)
    many.add_argument(
        "--from", dest="source", metavar="STORE", required=True, help=_FROM
    )
    _add_target(many)
    selection.declare(many)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="STORE", required=True, help=_TO)
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would be done"
    )
    work.declare(parser)


def copy(context: Context) -> bool:
    """Copy images; return whether all are in the store, or would be."""
    words = context.words
    _check_target(context, words.to)
    images, missing = [], []
    for image_id in selection.ids(words.image_ids):
        try:
            images.append(context.glance.show(image_id))
        except Refused as refused:
            code = "gone" if refused.answer.code == 404 else code_of(refused)
            why = f"Glance says {refused}"
            missing.append(Outcome(image_id, 0, FAILED, code, why))
    plan = _plan(images, source="", to=words.to)
    plan = dataclasses.replace(plan, unfit=[*missing, *plan.unfit])
    counts = _run(context, plan)
    return not (counts[FAILED] or counts[SKIPPED] or counts["left"])


def migrate(context: Context) -> bool:
    """Move all images of a store; return whether that failed for none."""
    words = context.words
    _check_target(context, words.to)
    if words.source not in context.conf.enabled_backends or words.source == words.to:
        raise UsageError(
            f"--from: {words.source!r} is not in enabled_backends, or is the same as "
            "--to"
        )
    found = (i for i in selection.images(context) if _is_in(i, words.source))
    plan = _plan(found, words.source, words.to, words.limit)
    return not _run(context, plan)[FAILED]


def _check_target(context: Context, to: str) -> None:
    """Make sure that there is such a store, and that it is S3 itself."""
    context.need_locations()
    if not context.settings.multi_store:
        raise ConfigError(
            "DEFAULT", "enabled_backends", "not set; there is no other store"
        )
    selection.need_store("--to", to, context.settings.stores)
    faces.refuse(context.stores[to])


def _plan(
    found: Iterable[Image], source: str, to: str, limit: int | None = None
) -> Plan:
    images, unfit = [], []
    for image in found:
        try:
            check(image)
        except Unfit as why:
            unfit.append(_outcome(image, SKIPPED, why.code, str(why)))
        else:
            images.append(image)
    kept = images[:limit]
    return Plan(source, to, kept, unfit, len(images) - len(kept))


def _run(context: Context, plan: Plan) -> dict[str, int]:
    """Do what is planned; print and return what came of it."""
    if context.words.dry_run:
        done = [_outcome(image, PLANNED, PLANNED) for image in plan.images]
    else:
        done = _carry_out(context, plan)
    outcomes = [*plan.unfit, *done]
    counts = collections.Counter(outcome.state for outcome in outcomes)
    numbers = {state: counts[state] for state in STATES}
    numbers["left"] = plan.left + len(plan.images) - len(done)
    numbers["size_bytes"] = sum(outcome.size_bytes for outcome in done)
    rate = context.words.bandwidth
    if rate:
        numbers["estimated_seconds"] = plan.moved // rate
    rows = [dataclasses.asdict(outcome) for outcome in outcomes]
    context.output.result(rows, _COLUMNS, _summary(context, plan, numbers), numbers)
    return numbers


def _carry_out(context: Context, plan: Plan) -> list[Outcome]:
    words, output = context.words, context.output
    copier = Copier(context, plan.to)
    with output.bar(plan.moved, "bytes") as bar:
        working = Work.of(words, output, bar)

        def bring(image: Image) -> Iterator[Outcome]:
            yield _one(copier, image, plan.source, working)

        return working.each(bring, plan.images, _line)


def _one(copier: Copier, image: Image, source: str, working: Work) -> Outcome:
    """Copy or move one image."""
    try:
        done = copier.copy(image.id, working.moved)
        if source:
            copier.leave(image.id, source)
    except Unfit as unfit:  # it has become so meanwhile
        return _outcome(image, SKIPPED, unfit.code, str(unfit))
    except (GatewayError, Refused) as error:
        return _outcome(image, FAILED, code_of(error), str(error))
    return _outcome(image, DONE, done.code, done.how)


def _outcome(image: Image, state: str, code: str, detail: str = "") -> Outcome:
    return Outcome(image.id, image.size or 0, state, code, detail)


def _line(outcome: Outcome) -> str:
    size = f"{outcome.size_bytes / MIB:.1f} MiB"
    return f"{outcome.image} {outcome.state} ({size}): {outcome.detail}"


def _summary(context: Context, plan: Plan, counts: dict[str, int]) -> str:
    what = "moved" if plan.source else "copied"
    if context.words.dry_run:
        summary = f"{counts[PLANNED]} images would be {what} to {plan.to}"
    else:
        summary = f"{counts[DONE]} images {what} to {plan.to}"
    summary += f", {counts[SKIPPED]} skipped, {counts[FAILED]} failed"
    if counts["left"]:
        summary += f", {counts['left']} left"
    if context.words.dry_run:
        summary += f"; {plan.size / MIB:.1f} MiB, each copied and read back; "
        summary += work.time_needed(plan.moved, context.words.bandwidth)
    return summary


def _is_in(image: Image, store: str) -> bool:
    return any(location.metadata.get("store") == store for location in image.locations)
