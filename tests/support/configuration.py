# SPDX-License-Identifier: Apache-2.0
"""Configurations that are read from files that a test has written."""

from __future__ import annotations

import pathlib

from oslo_config import cfg

from s3gateway.config import settings
from s3gateway.config.settings import Settings
from s3gateway.config.sources import Sources


def parse(*files: pathlib.Path) -> cfg.ConfigOpts:
    """Parse some files and nothing beside them."""
    return settings.parse(Sources([str(file) for file in files], ()))


def read(*files: pathlib.Path) -> Settings:
    """Return the settings in some files."""
    return settings.read(parse(*files))
