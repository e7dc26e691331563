# SPDX-License-Identifier: Apache-2.0
"""Whether ``AWS_DATA_PATH`` was made from the botocore that is installed."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

from s3gateway.manage import botocore_data
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

_SUBJECT = "AWS_DATA_PATH"


def check() -> Iterator[Finding]:
    """Yield what is found out; nothing of directories that we did not make."""
    installed = botocore_data.version()
    for name in filter(None, os.environ.get(_SUBJECT, "").split(os.pathsep)):
        directory = pathlib.Path(os.path.expandvars(name)).expanduser()
        made_from = botocore_data.made_from(directory)
        if made_from == installed:
            yield findings.ok(
                "botocore_data_current", _SUBJECT, f"made from botocore {installed}"
            )
        elif made_from:
            yield findings.warning(
                "botocore_data_outdated",
                _SUBJECT,
                f"made from botocore {made_from}, and {installed} is installed",
                f"Run s3gateway-manage botocore-data {directory} and restart Glance.",
            )
        elif not directory.is_dir():
            yield findings.warning(
                "botocore_data_missing",
                _SUBJECT,
                "no directory",
                f"botocore passes over {directory}: make it with s3gateway-manage "
                "botocore-data, or leave it out of AWS_DATA_PATH.",
            )
