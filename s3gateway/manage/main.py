# SPDX-License-Identifier: Apache-2.0
"""The program: what its exit codes mean."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from oslo_config import cfg

from s3gateway.errors import ConfigError
from s3gateway.errors import GatewayError
from s3gateway.glance.api import Refused
from s3gateway.manage import arguments
from s3gateway.manage import commands
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output

#: No problems; problems found; usage or configuration error, as argparse has it; the
#: check is incomplete; ended by Ctrl-C, as a shell has it.
OK, FOUND, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    words = sys.argv[1:] if words is None else list(words)
    output = Output(arguments.common(words).form)
    code = _run(words, output)
    output.finish()
    return INTERRUPTED if output.interrupted else code


def _run(words: Sequence[str], output: Output) -> int:
    """Run a command; its results and its errors are the output's afterwards."""
    try:
        context = Context(commands.parse(words), output)
        output.command = context.conf.command.title
        return OK if context.conf.command.run(context) else FOUND
    except (ConfigError, cfg.Error) as error:
        output.failure(str(error))
        return USAGE
    except (GatewayError, Refused) as error:
        output.failure(str(error))
        return FAILED
    except KeyboardInterrupt:
        output.interrupted = True
        output.failure("stopped; run it again to go on")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  the outermost edge: 1 means "found"
        traceback.print_exc()
        output.failure(f"unexpected {type(error).__name__}, see above")
        return FAILED
