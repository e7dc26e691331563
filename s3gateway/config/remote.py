# SPDX-License-Identifier: Apache-2.0
"""Settings of a stand-alone gateway: the URL of Glance, and how to talk to it."""

from __future__ import annotations

import dataclasses
import pathlib
from urllib import parse

from oslo_config import cfg

from s3gateway.config.options import GROUP
from s3gateway.config.options.standalone import REMOTE_OPTS
from s3gateway.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteSettings:
    """Where Glance is and how to talk to it.  Times are in seconds.

    :ivar url: without a trailing slash
    :ivar cacert: a file or directory, empty for the usual CAs
    :ivar pass_host: whether Glance sees the client's ``Host``
    """

    url: str
    cacert: str
    pass_host: bool
    connect_timeout: float
    read_timeout: float
    release: int

    @property
    def host(self) -> str:
        """The host of the URL, with its port if it names one."""
        return parse.urlsplit(self.url).netloc


def read(conf: cfg.ConfigOpts) -> RemoteSettings | None:
    """Return the settings, ``None`` if ``glance_url`` is not set.

    :raises ConfigError: if an option cannot be used; the text names it
    """
    conf.register_opts(REMOTE_OPTS, group=GROUP)
    ours = conf[GROUP]
    if not ours.glance_url:
        return None
    if ours.glance_cacert and not pathlib.Path(ours.glance_cacert).exists():
        raise ConfigError(GROUP, "glance_cacert", "no such file or directory")
    return RemoteSettings(
        url=_checked(ours.glance_url),
        cacert=ours.glance_cacert,
        pass_host=ours.glance_pass_host,
        connect_timeout=ours.glance_connect_timeout,
        read_timeout=ours.glance_read_timeout,
        release=ours.glance_release,
    )


def _checked(url: str) -> str:
    parts = parse.urlsplit(url)
    usable = parts.scheme in ("http", "https") and parts.hostname
    if not usable or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            GROUP,
            "glance_url",
            "must be an http(s) URL without user, query or fragment",
        )
    return url.rstrip("/")
