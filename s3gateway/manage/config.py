# SPDX-License-Identifier: Apache-2.0
"""``config``: the settings that count, and where each was read.

A secret is never printed, nor is what stands before an ``@`` in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from oslo_config import cfg

from s3gateway.config import glance_id
from s3gateway.config import options
from s3gateway.config import remote
from s3gateway.config import settings
from s3gateway.config.options import glance as glance_options
from s3gateway.config.options.standalone import REMOTE_OPTS
from s3gateway.config.options.stores import STORE_OPTS
from s3gateway.config.settings import SINGLE_STORE
from s3gateway.errors import ConfigError
from s3gateway.manage import arguments
from s3gateway.manage.context import Context

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

_COLUMNS = ("section", "option", "value", "source", "detail")

_TEXT = """
It lists each option of [s3gateway] and of each S3 store, and the options of Glance's
that the gateway reads. Secrets are shown as ***, and so is what stands before the @ of
a URL. Exit code 2: a setting cannot be used, and the last line says which.

  s3gateway-manage config
  s3gateway-manage config --json | jq '.rows[] | select(.source != "default")'
"""

_DEFAULT = "DEFAULT"
_HIDDEN = "***"
_USER = re.compile(r"(?<=://)\S*@")

_SOURCES = {
    cfg.Locations.user: "file",
    cfg.Locations.command_line: "command_line",
    cfg.Locations.environment: "environment",
}

Row = dict[str, Any]


def declare(commands: Commands) -> None:
    """Declare the command."""
    summary = "Show the effective settings and where they were read"
    arguments.add(commands, "config", run, summary=summary, text=_TEXT)


def run(context: Context) -> bool:
    """Print the settings.

    :raises ConfigError: if one of them cannot be used; they are printed nevertheless
    """
    rows = list(_all(context.conf))
    found = sum(row["source"] != "default" for row in rows)
    counts = {"options": len(rows), "set": found}
    summary = f"{len(rows)} options, {found} of them set"
    context.output.result(rows, _COLUMNS, summary, counts)
    _ = context.settings
    remote.read(context.conf)
    return True


def _all(conf: cfg.ConfigOpts) -> Iterator[Row]:
    ours = [*options.GATEWAY_OPTS, *REMOTE_OPTS]
    for section, opts in (
        (_DEFAULT, glance_options.GLANCE_OPTS),
        ("glance_store", glance_options.GLANCE_STORE_OPTS),
        ("image_format", glance_options.IMAGE_FORMAT_OPTS),
        (options.GROUP, ours),
    ):
        conf.register_opts(opts, group=None if section == _DEFAULT else section)
        for opt in opts:
            row = _row(conf, opt, [section])
            yield _with_computed(conf, row) if opt.dest == "glance_id" else row
    for groups in _stores(conf):
        for opt in STORE_OPTS:
            yield _row(conf, opt, groups)


def _stores(conf: cfg.ConfigOpts) -> Iterator[list[str]]:
    """Yield the sections of each S3 store's options, the one that counts first."""
    try:
        backends, kinds = conf.enabled_backends, conf.glance_store.stores
    except ValueError:  # then nobody knows the stores; the row says why
        return
    if not backends and SINGLE_STORE in kinds:
        conf.register_opts(STORE_OPTS, group="glance_store")
        yield ["glance_store"]
    defaults = options.BACKEND_DEFAULTS
    conf.register_opts(STORE_OPTS, group=defaults)
    for name, kind in (backends or {}).items():
        if kind == "s3":
            settings.backend_section(conf, name)
            yield [name, defaults]


def _row(conf: cfg.ConfigOpts, opt: cfg.Opt, groups: Sequence[str]) -> Row:
    """Return the row of an option: its value in the first section that has one."""
    row = {"section": groups[0], "option": opt.name, "value": None}
    for group in groups:
        place = None if group == _DEFAULT else group
        try:
            where = conf.get_location(opt.dest, place)
            value = (conf if place is None else conf[place])[opt.dest]
        except ValueError as error:
            return {**row, "source": "file", "detail": f"not usable: {error}"}
        source = _SOURCES.get(where.location, "default") if where else "default"
        if value is not None or source != "default":
            break
    elsewhere = f"[{group}] " if group != groups[0] and source != "default" else ""
    detail = where.detail if where and source != "default" else ""
    return {
        **row,
        "value": _shown(opt, value),
        "source": source,
        "detail": f"{elsewhere}{detail}",
    }


def _shown(opt: cfg.Opt, value: Any) -> Any:
    if opt.secret and value:
        return _HIDDEN
    return _USER.sub(f"{_HIDDEN}@", value) if isinstance(value, str) else value


def _with_computed(conf: cfg.ConfigOpts, row: Row) -> Row:
    """Return the row of ``glance_id`` with the one that is used if none is set."""
    try:
        computed = "" if row["value"] else glance_id.read(conf)
    except ConfigError:
        return row
    if not computed:
        return row
    origin = {"source": "computed", "detail": "from [database] connection"}
    return {**row, "value": computed, **origin}
