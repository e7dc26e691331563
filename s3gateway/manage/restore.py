# SPDX-License-Identifier: Apache-2.0
"""``restore``: images made again of objects whose images Glance does not know."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3gateway.errors import ContentRefused
from s3gateway.errors import GatewayError
from s3gateway.errors import UsageError
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage import faces
from s3gateway.manage import selection
from s3gateway.manage import work
from s3gateway.manage.codes import code_of
from s3gateway.manage.context import Context
from s3gateway.manage.orphans import Orphan
from s3gateway.manage.orphans import Orphans
from s3gateway.manage.orphans import Wanted
from s3gateway.manage.output import sized
from s3gateway.manage.work import Work

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_TEXT = """
Make images again of objects in an S3 store that Glance's database has no image for, as
after it was restored from a backup. Each object stays where it is: it is read once for
its size, digests and format, and becomes the data of an image.

The image gets the id that the key of its object begins with, so that servers and
volumes find it again. If an image of this id waits for data, it gets the data and keeps
its properties. All other images lose theirs: they are private images of --project, and
you set the rest afterwards.

An object is skipped if an image needs or may need it, if it is empty, if it names
another Glance, or if an upload to its image is under way. If the database knows that
the image was deleted, only --deleted makes another image of it, with another id.

An object that names no Glance, as stock Glance writes them, is taken for one of this
Glance. If several share the bucket, name only keys that you know to be of this one: the
object goes with the image when that is deleted.

KEY is the key of an object, as gc shows it; "-" reads keys from standard input: the
first word of each line. gc --force lists what the database does not know.

  s3gateway-manage gc --force --store fast --format csv
  s3gateway-manage restore --store fast --project $PROJECT --dry-run $KEY
  s3gateway-manage gc --force --store fast --json | jq -r '.rows[] |
      select(.code == "object") | .key' |
      s3gateway-manage restore --store fast --project $PROJECT -
"""

_COLUMNS = ("key", "image", "size_bytes", "state", "code", "detail")

DONE, PLANNED, SKIPPED, FAILED = STATES = ("done", "planned", "skipped", "failed")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an object; ``code`` does not change."""

    key: str
    image: str
    size_bytes: int
    state: str
    code: str
    detail: str = ""


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Make images again of objects that have none"
    parser = arguments.add(commands, "restore", run, summary=summary, text=_TEXT)
    parser.add_argument(
        "keys", nargs="+", metavar="KEY", help="the key of an object, or -"
    )
    parser.add_argument(
        "--store", metavar="STORE", required=True, help="the S3 store that they are in"
    )
    parser.add_argument(
        "--project", metavar="ID", required=True, help="the owner of the images"
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        dest="image_name",  # oslo.config has the command's own as "name"
        default="",
        help="of the images; by default it has the id in it",
    )
    parser.add_argument(
        "--disk-format", metavar="FORMAT", default="", help="if not that of the data"
    )
    parser.add_argument(
        "--container-format",
        metavar="FORMAT",
        default="bare",
        help="bare by default; others need --disk-format",
    )
    parser.add_argument(
        "--deleted", action="store_true", help="also of images that were deleted"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would be done"
    )
    work.declare(parser)


def run(context: Context) -> bool:
    """Print what became of each object; return whether nothing failed.

    :raises UsageError: if there is no such store, or no format
    :raises GatewayError: if the store or Glance does not answer
    """
    context.need_locations()
    words = context.words
    selection.need_store("--store", words.store, context.stores)
    faces.refuse(context.stores[words.store])
    if words.container_format != "bare" and not words.disk_format:
        raise UsageError("--disk-format: needed for a container format but bare")
    orphans = Orphans(context, context.stores[words.store])
    keys = selection.ids(words.keys)
    found = list(
        context.output.progress(orphans.find(keys, deleted=words.deleted), "objects")
    )
    fit = [orphan for orphan in found if not orphan.objection[0]]
    left = [
        _outcome(orphan, FAILED if orphan.unreadable else SKIPPED, *orphan.objection)
        for orphan in found
        if orphan.objection[0]
    ]
    if words.dry_run:
        done = [_outcome(orphan, PLANNED, PLANNED) for orphan in fit]
    else:
        done = _carry_out(context, orphans, fit)
    return _report(context, [*left, *done], len(fit) - len(done))


def _carry_out(
    context: Context, orphans: Orphans, fit: Sequence[Orphan]
) -> list[Outcome]:
    words, output = context.words, context.output
    wanted = Wanted(
        name=words.image_name,
        project=words.project,
        disk_format=words.disk_format,
        container_format=words.container_format,
        deleted=words.deleted,
    )
    with output.bar(sum(orphan.size for orphan in fit), "bytes") as bar:
        working = Work.of(words, output, bar)

        def restore(orphan: Orphan) -> Iterator[Outcome]:
            yield _one(orphans, orphan, wanted, working)

        return working.each(restore, fit, _line)


def _one(orphans: Orphans, orphan: Orphan, wanted: Wanted, working: Work) -> Outcome:
    try:
        image_id = orphans.restore(orphan, wanted, working.moved)
    except ContentRefused as error:
        return _outcome(orphan, FAILED, "content", str(error))
    except Refused as refused:
        code = "conflict" if refused.answer.code == 409 else code_of(refused)
        return _outcome(orphan, FAILED, code, f"Glance says {refused}")
    except GatewayError as error:
        return _outcome(orphan, FAILED, code_of(error), str(error))
    done = _outcome(orphan, DONE, "restored")
    return dataclasses.replace(done, image=image_id)


def _outcome(orphan: Orphan, state: str, code: str, detail: str = "") -> Outcome:
    return Outcome(orphan.key, orphan.image_id, orphan.size, state, code, detail)


def _line(outcome: Outcome) -> str:
    return f"{outcome.key} {outcome.state} as {outcome.image}: {outcome.detail}"


def _report(context: Context, outcomes: Sequence[Outcome], left: int) -> bool:
    counts = collections.Counter(outcome.state for outcome in outcomes)
    numbers = {state: counts[state] for state in STATES}
    going = (DONE, PLANNED)
    size = sum(each.size_bytes for each in outcomes if each.state in going)
    numbers |= {"left": left, "size_bytes": size}
    made = PLANNED if context.words.dry_run else DONE
    would = "would be " if context.words.dry_run else ""
    summary = f"{counts[made]} images {would}restored, {counts[SKIPPED]} skipped, "
    summary += f"{counts[FAILED]} failed; {sized(size)} in all"
    rows = [dataclasses.asdict(outcome) for outcome in outcomes]
    context.output.result(rows, _COLUMNS, summary, numbers)
    return not counts[FAILED]
