# SPDX-License-Identifier: Apache-2.0
"""Keeps credentials and signed URLs out of what botocore logs."""

from __future__ import annotations

import logging


class _Nameless(logging.Filter):
    """Takes the texts of errors out of botocore's log of failed renewals.

    They may hold what a credential process printed.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0]:
            kind = record.exc_info[0].__name__
            record.msg, record.args = f"{record.getMessage()} ({kind})", None
            record.exc_info = record.exc_text = None
        return True


_NAMELESS = _Nameless()


def keep_secrets_out() -> None:
    """Disable botocore's debug log: it shows signed URLs and what STS answers.

    oslo.log quiets ``boto`` but not ``botocore``, so a Glance with ``debug`` would show
    them.  Glance's own S3 driver shares the logger.
    """
    logger = logging.getLogger("botocore")
    logger.setLevel(max(logger.level, logging.INFO))
    logging.getLogger("botocore.credentials").addFilter(_NAMELESS)
