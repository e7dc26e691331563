# SPDX-License-Identifier: Apache-2.0
"""What every command has to work with."""

from __future__ import annotations

import argparse
import dataclasses
import functools

from oslo_config import cfg

from s3gateway.config import remote as remote_glance
from s3gateway.config import settings as gateway_settings
from s3gateway.config.settings import Settings
from s3gateway.errors import ConfigError
from s3gateway.factory import s3_stores
from s3gateway.manage import arguments
from s3gateway.manage import operator
from s3gateway.manage.operator import Operator
from s3gateway.manage.output import Output
from s3gateway.s3.store import S3Store


@dataclasses.dataclass(frozen=True)
class Context:
    """The command line, the configuration behind it, and where results go.

    Each of the other things is made when it is first asked for.
    """

    conf: cfg.ConfigOpts
    output: Output
    words: argparse.Namespace = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", arguments.of_command(self.conf))

    @functools.cached_property
    def settings(self) -> Settings:
        """The configuration.

        :raises ConfigError: if it cannot be used
        """
        return gateway_settings.read(self.conf)

    @functools.cached_property
    def face(self) -> str:
        """The URL of the S3 face: ``--face``, or ``face_url``; empty if there is none.

        :raises ConfigError: if the configuration cannot be used
        """
        named: str | None = self.words.face
        return named or (self.settings.face.url if self.settings.face else "")

    @functools.cached_property
    def stores(self) -> dict[str, S3Store]:
        """The S3 stores.

        :raises ConfigError: if there is none: a command would look at nothing
        """
        if not self.settings.stores:
            raise ConfigError(
                "DEFAULT", "enabled_backends", "has no S3 store to look at"
            )
        return s3_stores(self.settings)

    @functools.cached_property
    def glance(self) -> Operator:
        """The way to Glance.

        :raises ConfigError: if there is none, or it cannot be asked as an admin
        :raises GlanceError: if it does not answer
        """
        return operator.of_configured_glance(self.conf)

    def need_locations(self) -> None:
        """Make sure that Glance shows which objects its images need.

        A Glance that is installed here is asked in this process, where it shows them.

        :raises ConfigError: if it does not
        """
        remote = remote_glance.read(self.conf)
        if remote is not None and not self.settings.show_multiple_locations:
            raise ConfigError(
                "DEFAULT",
                "show_multiple_locations",
                "not set; without it Glance does not show which objects are needed",
            )
