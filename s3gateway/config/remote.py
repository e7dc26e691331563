# SPDX-License-Identifier: Apache-2.0
"""The Glance that a stand-alone gateway stands in front of: options and settings."""

from __future__ import annotations

import dataclasses
import pathlib
from urllib import parse

from oslo_config import cfg

from s3gateway.config.options import GROUP
from s3gateway.errors import ConfigError

REMOTE_OPTS = [
    cfg.StrOpt(
        "glance_url",
        default="",
        help="""
Where Glance is, for a gateway of its own in front of it.

The address of Glance itself, or of its load balancer: not the catalog's, which
names the gateway. May have a path. A filter in Glance's own pipeline needs none.
""",
    ),
    cfg.StrOpt(
        "glance_cacert",
        default="",
        help="""
File or directory with the CA certificates that Glance's is checked with.

By default those that come with the Python package ``certifi``.
""",
    ),
    cfg.BoolOpt(
        "glance_pass_host",
        default=True,
        help="""
Whether Glance sees the ``Host`` that the client asked for.

Glance makes the URLs under ``/`` and ``/versions`` from it, unless it has a
``public_endpoint``. Without, it sees the host of ``glance_url``, which a web server
that serves several names may need.
""",
    ),
    cfg.FloatOpt(
        "glance_connect_timeout",
        default=10.0,
        min=0.1,
        help="How long connecting to Glance may take, in seconds.",
    ),
    cfg.FloatOpt(
        "glance_read_timeout",
        default=300.0,
        min=0.1,
        help="""
How long Glance may stay silent, in seconds.

When it takes the data of another store it is silent until that has it all.
""",
    ),
    cfg.IntOpt(
        "glance_release",
        default=33,
        min=28,
        help="""
Major version of the Glance behind a gateway of its own: 33 for 2026.2.

It decides which form the location URIs have, and in a few rare cases whether an
image's content is what its ``disk_format`` says. A filter in Glance's own
pipeline sees for itself.
""",
    ),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteSettings:
    """Where Glance is and how it is spoken to.  Times are in seconds.

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
    """Return what the configuration says, ``None`` if it names no Glance.

    :raises ConfigError: naming the option that cannot be used
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
            GROUP, "glance_url", "not an http(s) URL without user, query or fragment"
        )
    return url.rstrip("/")
