# SPDX-License-Identifier: Apache-2.0
"""Whether the directory of hot images can be used, and has room on its disk."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from s3gateway.config.hot import HotImagesSettings
from s3gateway.download.hot import usable
from s3gateway.errors import ConfigError
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

_SUBJECT = "hot_images_dir"


def check(settings: HotImagesSettings) -> Iterator[Finding]:
    """Yield what is found out; nothing if there is no directory to be."""
    if not settings.size:
        return
    if not settings.directory.exists():
        yield findings.note(
            "hot_images_not_made",
            _SUBJECT,
            "is not there yet",
            "The gateway makes it when it starts, if its user may.",
        )
        return
    try:
        usable.look_at(settings.directory)
        usable.try_out(settings.directory)
    except ConfigError as error:
        yield findings.error(
            "hot_images_unusable",
            _SUBJECT,
            "cannot be used",
            f"{error}. The gateway does not start with it. Run this check as the "
            "gateway's user.",
        )
    except OSError as error:
        yield findings.warning(
            "hot_images_not_written",
            _SUBJECT,
            "cannot be written",
            f"{error.strerror}. The gateway starts, and keeps nothing in it.",
        )
    else:
        yield _room(settings)


def _room(settings: HotImagesSettings) -> Finding:
    """Compare the size with what is free, and what the directory has already."""
    there = shutil.disk_usage(settings.directory).free + _used(settings.directory)
    if there < settings.size:
        return findings.warning(
            "hot_images_disk_small",
            _SUBJECT,
            "has not enough room",
            "Its disk fills up before hot_images is reached: lower that, or use "
            "another disk.",
        )
    return findings.ok("hot_images_usable", _SUBJECT, "can be used")


def _used(directory: pathlib.Path) -> int:
    used = 0
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # a gateway may be at work
            used += path.lstat().st_size
    return used
