# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway for WSGI servers: ``s3gateway.standalone.app:application``.

``S3GATEWAY_CONFIG`` names its configuration file.
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_log import log as logging
from oslo_middleware import cors
from paste import deploy

from s3gateway.config import sources
from s3gateway.config.options.standalone import PASTE_OPTS
from s3gateway.errors import ConfigError
from s3gateway.standalone import files

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

DEFAULT_CONFIG = "/etc/s3gateway/s3gateway.conf"
_PASTE = "paste/s3gateway-paste.ini"


def load(config_file: str) -> WSGIApplication:
    """Read the configuration and build the pipeline of the paste file.

    :raises ConfigError: if an option cannot be used
    """
    conf = cfg.CONF
    logging.register_options(conf)
    conf.register_opts(PASTE_OPTS, group="paste_deploy")
    _set_defaults(conf)
    read = sources.of_files([config_file])
    try:
        conf(
            [],
            project="s3gateway",
            default_config_files=list(read.files),
            default_config_dirs=list(read.directories),
        )
    except cfg.Error as error:
        raise ConfigError("DEFAULT", "config_file", str(error)) from error
    logging.setup(conf, "s3gateway")
    app: WSGIApplication = deploy.loadapp(
        f"config:{_paste_file(conf)}",
        # oslo.middleware's own cors filter parses the file again, without drop-ins
        global_conf={"oslo_config_file": str(pathlib.Path(config_file).absolute())},
    )
    return app


def _set_defaults(conf: cfg.ConfigOpts) -> None:
    """Log to the server's log, and use Glance's defaults of CORS."""
    conf.set_default("use_stderr", True)
    cors.set_defaults(
        allow_headers=[
            "Content-MD5",
            "Range",
            "X-Image-Meta-Checksum",
            "X-Storage-Token",
            "Accept-Encoding",
            "X-Auth-Token",
            "X-Identity-Status",
            "X-Roles",
            "X-Service-Catalog",
            "X-User-Id",
            "X-Tenant-Id",
            "X-OpenStack-Request-ID",
        ],
        expose_headers=[
            "X-Image-Meta-Checksum",
            "X-Auth-Token",
            "X-Subject-Token",
            "X-Service-Token",
            "X-OpenStack-Request-ID",
        ],
        allow_methods=["GET", "PUT", "POST", "DELETE", "PATCH"],
    )


def _paste_file(conf: cfg.ConfigOpts) -> pathlib.Path:
    named = conf.paste_deploy.config_file
    found = pathlib.Path(named).absolute() if named else files.find(_PASTE)
    if found is None or not found.is_file():
        raise ConfigError("paste_deploy", "config_file", "no such file; name another")
    return found


application = load(os.environ.get("S3GATEWAY_CONFIG", DEFAULT_CONFIG))
