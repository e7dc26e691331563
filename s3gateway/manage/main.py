# SPDX-License-Identifier: Apache-2.0
"""The program: what its exit codes mean."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from collections.abc import Sequence

from oslo_config import cfg

from s3gateway.errors import ConfigError
from s3gateway.errors import UsageError
from s3gateway.manage import arguments
from s3gateway.manage import commands
from s3gateway.manage import trouble
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output

#: No problems; problems found; usage or configuration error, as argparse has it; the
#: check is incomplete; ended by Ctrl-C, as a shell has it.
OK, FOUND, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130

_USAGE = (ConfigError, UsageError, cfg.Error, *trouble.UNREADABLE)


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    words = sys.argv[1:] if words is None else list(words)
    common = arguments.common(words)
    output = Output(common.form)
    with _stoppable(), trouble.logged(debug=common.debug):
        try:
            code = _run(words, output, debug=common.debug)
            output.finish()
            sys.stdout.flush()
        except BrokenPipeError:  # who reads the results has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
    return INTERRUPTED if output.interrupted else code


def _run(words: Sequence[str], output: Output, *, debug: bool) -> int:
    """Run a command; its results and its errors are the output's afterwards."""
    try:
        context = Context(commands.parse(words), output)
        output.command = context.words.title
        return OK if context.words.run(context) else FOUND
    except KeyboardInterrupt:
        output.interrupted = True
        output.failure("interrupted; run it again to go on")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  the outermost edge: 1 means "found"
        if debug:
            traceback.print_exc()
        output.failure(trouble.told(error))
        return USAGE if isinstance(error, _USAGE) else FAILED


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Have a service manager's stop do the same as Ctrl-C: undo what is half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
