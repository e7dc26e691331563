# SPDX-License-Identifier: Apache-2.0
"""Reads and checks the options of the directory of hot images."""

from __future__ import annotations

import dataclasses
import pathlib

from oslo_utils import strutils

from s3gateway.config import options
from s3gateway.config.stores import MIB
from s3gateway.config.stores import Section
from s3gateway.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class HotImagesSettings:
    """The directory of hot images.

    :param size: in bytes, 0 for no directory
    :param age: how long data stays after it was read from S3, in seconds
    """

    size: int = 0
    directory: pathlib.Path = pathlib.Path("/nonexistent")
    age: float = 0.0


OFF = HotImagesSettings()


def read(ours: Section) -> HotImagesSettings:
    """Read the options.

    :param ours: the section ``[s3gateway]``
    :raises ConfigError: if one cannot be used
    """
    size = _size(ours["hot_images"])
    if 0 < size < 2 * ours["download_piece"] * MIB:
        raise ConfigError(
            options.GROUP,
            "hot_images",
            "too small; set the size of two pieces (download_piece) or more, or 0",
        )
    directory = pathlib.Path(ours["hot_images_dir"])
    if not directory.is_absolute():
        raise ConfigError(
            options.GROUP, "hot_images_dir", "not an absolute path; set one"
        )
    return HotImagesSettings(size=size, directory=directory, age=ours["hot_images_age"])


def _size(text: str) -> int:
    try:
        text = f"{text}B" if text.isdecimal() else text
        size: int = strutils.string_to_bytes(text, return_int=True)
        if size < 0:
            raise ValueError
    except ValueError as error:
        raise ConfigError(
            options.GROUP, "hot_images", "not a size; set one like 20GiB, or 0"
        ) from error
    return size
