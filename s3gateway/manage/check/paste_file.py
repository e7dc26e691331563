# SPDX-License-Identifier: Apache-2.0
"""Whether the gateway stands where it should in Glance's paste file."""

from __future__ import annotations

import configparser
import pathlib
from collections.abc import Iterator

from oslo_config import cfg

from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

_OURS = ("egg:s3gateway#s3gateway", "s3gateway.factory:filter_factory")
_SUBJECT = "paste file"

_OPTS = [
    cfg.StrOpt("flavor", help="Which of Glance's pipelines is used."),
    cfg.StrOpt("config_file", help="Where they are."),
]


def check(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield what is found out about the pipeline that Glance runs with."""
    conf.register_opts(_OPTS, group="paste_deploy")
    named = conf.paste_deploy.config_file or "glance-api-paste.ini"
    found = conf.find_file(named)
    if not found:
        yield findings.error(
            _SUBJECT,
            f"no {named}",
            "Set [paste_deploy] config_file to Glance's paste file.",
        )
        return
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(pathlib.Path(found).read_text(encoding="utf-8"))
    except (OSError, configparser.Error, UnicodeDecodeError) as problem:
        what = type(problem).__name__
        yield findings.error(_SUBJECT, what, f"{found} cannot be read: mend it.")
        return
    yield _position(parser, found, conf.paste_deploy.flavor or "default")


def _position(parser: configparser.RawConfigParser, file: str, flavor: str) -> Finding:
    pipeline = parser.get("composite:api", flavor, fallback="").split()
    if not pipeline:
        return findings.error(
            _SUBJECT,
            f"no pipeline {flavor}",
            f"[composite:api] of {file} has none of that name: look at [paste_deploy] "
            "flavor.",
        )
    names = [name for name in pipeline if _is_ours(parser, name)]
    if not names:
        return findings.error(
            _SUBJECT,
            f"s3gateway is not in pipeline {flavor}",
            f"Put it before {pipeline[-1]} in {file}, add [filter:s3gateway] with "
            f"use = {_OURS[0]}, and restart Glance.",
        )
    if pipeline[-2:-1] != names:
        return findings.warning(
            _SUBJECT,
            f"s3gateway is not the last filter of pipeline {flavor}",
            f"Put it once, directly before {pipeline[-1]} in {file}: filters behind it "
            "see neither its uploads nor its downloads.",
        )
    return findings.ok(_SUBJECT, f"s3gateway stands last in pipeline {flavor}")


def _is_ours(parser: configparser.RawConfigParser, name: str) -> bool:
    section = f"filter:{name}"
    values = [
        parser.get(section, option, fallback="").strip()
        for option in ("use", "paste.filter_factory")
    ]
    return any(value in _OURS for value in values)
