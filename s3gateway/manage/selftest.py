# SPDX-License-Identifier: Apache-2.0
"""``selftest``: POST, PUT, GET and DELETE of an image through the running API.

It is what a user of the cloud does, with a user's token, over HTTP.  Whatever goes
wrong, the image is deleted in the end.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Generator
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from s3gateway.config.stores import MIB
from s3gateway.errors import StoreError
from s3gateway.manage import arguments
from s3gateway.manage import user_api
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output
from s3gateway.manage.sample import Sample
from s3gateway.manage.trial import Failed
from s3gateway.manage.trial import Trial
from s3gateway.s3.store import S3Store

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

Row = dict[str, Any]

_COLUMNS = ("step", "state", "seconds", "detail")
_SIZE = 4  # MiB

_TEXT = """
It does what a user does: creates an image, uploads random data, shows the image,
downloads the data whole and in part, compares it, deletes the image, and looks whether
it is gone. It says whether the gateway took part, and whether an answer showed
something of S3 that users must not see. The image is deleted whatever happens.

The user is that of --os-cloud, of the variables OS_*, of [check_user] or of
[service_user], whichever is there first. A plain member sees what users see. The
address is that of the catalog, or --url.

Data of more than s3_store_large_object_chunk_size, 10 MiB by default, is sent to S3 in
parts.

  s3gateway-manage selftest --os-cloud mycloud
  s3gateway-manage selftest --os-cloud mycloud --size 64 --store fast
  s3gateway-manage selftest --url http://192.0.2.21:9292
"""


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Upload and download an image through the running API"
    parser = arguments.add(commands, "selftest", run, summary=summary, text=_TEXT)
    user_api.declare(parser)
    parser.add_argument(
        "--size",
        type=arguments.number,
        metavar="MIB",
        default=_SIZE,
        help=f"of the image, in MiB; {_SIZE} by default",
    )
    parser.add_argument(
        "--store", metavar="NAME", default="", help="where to; Glance's default if not"
    )


def run(context: Context) -> bool:
    """Print what came of each step; return whether all is well.

    :raises UsageError: if there are no credentials
    :raises GlanceError: if there is no token or no address
    """
    words = context.words
    api = user_api.of_command(context.conf, words)
    context.output.note(f"{api.who} at {api.url}")
    trial = Trial(
        api,
        Sample(words.size * MIB),
        _stores(context),
        words.store,
        scrubbed=context.settings.delayed_delete,
    )
    rows = _done(_Walk(trial, context.output.note), context.output)
    errors = sum(row["state"] == "error" for row in rows)
    summary = f"{len(rows)} steps, {errors} errors"
    context.output.result(rows, _COLUMNS, summary)
    return not errors


def _done(walk: _Walk, output: Output) -> list[Row]:
    """Return the rows of the steps that were done, as many as before Ctrl-C."""
    rows = []
    with output.interruptible(), contextlib.closing(walk.rows()) as steps:
        for row in steps:
            rows.append(row)
            output.finished(_line(row))
    return rows


def _stores(context: Context) -> dict[str, S3Store]:
    """Return the stores to look into for the object; none if none is configured."""
    return context.stores if context.settings.stores else {}


class _Step(NamedTuple):
    """A step, and the one without which it makes no sense."""

    name: str
    needs: str
    run: Callable[[], str]


class _Walk:
    """Goes through the steps of a trial.

    :param note: says what is not a result
    """

    def __init__(self, trial: Trial, note: Callable[[str], None]) -> None:
        self._trial = trial
        self._note = note
        self._done = {""}
        self._steps = [
            _Step("create", "", trial.create),
            _Step("upload", "create", trial.upload),
            _Step("show", "upload", trial.show),
            _Step("download", "upload", trial.download),
            _Step("range", "upload", trial.download_range),
            _Step("gateway", "upload", trial.look_for_gateway),
            _Step("masks", "create", trial.look_for_leaks),
            _Step("delete", "create", trial.delete),
            _Step("gone", "delete", trial.look_for_rest),
        ]

    def rows(self) -> Generator[Row, None, None]:
        """Do all that makes sense; yield a row for each step."""
        try:
            for step in self._steps:
                yield self._row(step)
        finally:
            left = self._trial.clean()
            if left:
                self._note(f"Image {left} could not be deleted: delete it.")

    def _row(self, step: _Step) -> Row:
        if step.needs not in self._done:
            return _row(step, "skipped", 0.0, f"it needs {step.needs}")
        began = time.monotonic()
        try:
            state, detail = "ok", step.run()
            self._done.add(step.name)
        except Failed as failed:
            state, detail = "error", str(failed)
        except StoreError as error:
            state, detail = "error", str(error)
        except user_api.NO_ANSWER as error:
            state, detail = "error", f"no whole answer: {type(error).__name__}"
        return _row(step, state, time.monotonic() - began, detail)


def _line(row: Row) -> str:
    return f"{row['step']}: {row['state']}, {row['detail']}".rstrip(", ")


def _row(step: _Step, state: str, seconds: float, detail: str) -> Row:
    values = (step.name, state, round(seconds, 3), detail)
    return dict(zip(_COLUMNS, values, strict=True))
