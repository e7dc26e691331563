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
from s3gateway.manage import commands
from s3gateway.manage.context import Context
from s3gateway.manage.output import Output

#: Everything is as it should be; something is not; the command line or the
#: configuration is wrong, as argparse has it; it could not be found out.
OK, FOUND, USAGE, FAILED = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    output = Output(as_json="--json" in words)
    try:
        context = Context(commands.parse(words), output)
        return OK if context.conf.command.run(context) else FOUND
    except (ConfigError, cfg.Error) as error:
        output.failure(str(error))
        return USAGE
    except (GatewayError, Refused) as error:
        output.failure(str(error))
        return FAILED
    except KeyboardInterrupt:
        output.failure("stopped; run it again to go on")
        return FAILED
    except Exception as error:  # noqa: BLE001  the outermost edge: 1 means "found"
        traceback.print_exc()
        output.failure(f"unexpected {type(error).__name__}, see above")
        return FAILED
