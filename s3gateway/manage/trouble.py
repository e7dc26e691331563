# SPDX-License-Identifier: Apache-2.0
"""Errors that are not ours, told without a traceback: what they say and what to do."""

from __future__ import annotations

import contextlib
import copy
import logging
import re
import sys
from collections.abc import Iterator
from types import TracebackType

from oslo_config import cfg

from s3gateway.errors import GatewayError
from s3gateway.errors import GlanceError
from s3gateway.glance.api import Refused

#: Files that the configuration names and that cannot be read.
UNREADABLE = (
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)

_OURS = (GatewayError, Refused, cfg.Error)

_DATABASE = (
    "Check that the database runs and that this host reaches it: [database] connection."
)
_GLANCE = (
    "Look at what Glance has logged. Most often it does not reach its database: "
    "[database] connection."
)
_PATH = "Check this path, and what in the configuration names it."
#: What to do, by the name of an error's class; the first cause that has one counts.
#: They are libraries' that Glance may bring along, or not.
_ADVICE = {
    "ModuleNotFoundError": "Install the module, or run the command in the environment "
    "that Glance is installed in.",
    "DBConnectionError": _DATABASE,
    "OperationalError": _DATABASE,
    "NoSuchModuleError": "Install the driver that [database] connection names.",
    "ArgumentError": "Set [database] connection to a database URL.",
    "ProgrammingError": "Check that [database] connection is Glance's database, and "
    "that it was created by glance-manage db sync.",
    "FileNotFoundError": _PATH,
    "IsADirectoryError": _PATH,
    "NotADirectoryError": _PATH,
    "PermissionError": "Run the command as a user who may read it, such as glance.",
    "ConfigFilesPermissionDeniedError": "Run the command as a user who may read them, "
    "such as glance.",
    "BadStoreConfiguration": "Check the section of this store in Glance's "
    "configuration.",
}
_OTHERWISE = "Run the command again with --debug to see the traceback."

#: User and password in a URL; a password may hold an @ or a /, as those of AWS do, and
#: half of it be taken for a part of the host.
_SECRETS = re.compile(r"""(?<=://)[^\s'"]*@|(?<=['"])[^\s'"]+@""")


def told(error: BaseException) -> str:
    """Return what is wrong and what to do.

    Of our own errors it is what they say; of others their kind and what they say.
    """
    is_ours = isinstance(error, _OURS)
    what_to_do = advice(error) or ("" if is_ours else _OTHERWISE)
    text = f"Glance answered {error}" if isinstance(error, Refused) else str(error)
    said = [text if is_ours else brief(error), _reason(error), what_to_do]
    first, *more = filter(None, said)
    return " ".join([f"{first.rstrip('.')}.", *more]) if more else first


def brief(error: BaseException) -> str:
    """Return an error's kind and message, without a secret, on one line."""
    message = masked(str(error)).partition("[SQL:")[0]
    return f"{type(error).__name__}: {' '.join(message.split())}".rstrip(": ")


def masked(text: str) -> str:
    """Return a text without the users and passwords in its URLs."""
    return _SECRETS.sub("***@", text)


def advice(error: BaseException) -> str:
    """Return what to do about an error, in a sentence; empty if that is not known."""
    if isinstance(error, Refused) and error.answer.code >= 500:
        return _GLANCE
    names = [kind.__name__ for one in _causes(error) for kind in type(one).__mro__]
    return next((_ADVICE[name] for name in names if name in _ADVICE), "")


def _reason(error: BaseException) -> str:
    """Return what of others our error was raised from, empty if it may not be shown.

    What is said of an option's value may hold the value, which may be a secret.
    """
    others = [one for one in _causes(error) if not isinstance(one, _OURS)]
    if not others or others[0] is error:
        return ""
    is_shown = isinstance(error, GlanceError) or isinstance(others[0], ImportError)
    return f"{brief(others[0])}." if is_shown else ""


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error, what it was raised from, and so on."""
    found = [error]
    while (cause := found[-1].__cause__) is not None and cause not in found:
        found.append(cause)
    return found


class _Formatter(logging.Formatter):
    """Shows of an exception what it says; its traceback only if that is wanted."""

    def __init__(self, *, with_tracebacks: bool) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._with_tracebacks = with_tracebacks

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.exc_text = None  # another handler's, with a traceback
        return masked(super().format(record))

    def formatException(  # noqa: N802  logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        if self._with_tracebacks:
            return super().formatException(ei)
        return brief(ei[1]) if ei[1] else ""


@contextlib.contextmanager
def logged(*, debug: bool) -> Iterator[None]:
    """Have warnings and errors on standard error, with tracebacks only in debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Formatter(with_tracebacks=debug))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
