# SPDX-License-Identifier: Apache-2.0
"""Whether the gateway stands where it should in each pipeline of a paste file."""

from __future__ import annotations

import configparser
import dataclasses
import pathlib
from collections.abc import Iterator
from collections.abc import Sequence

from oslo_config import cfg

from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

_OURS = ("egg:s3gateway#s3gateway", "s3gateway.factory:filter_factory")
_SUBJECT = "paste file"
#: Which section has the pipelines by flavor; older files have a section for each.
_COMPOSITE, _PIPELINE = "composite:api", "pipeline:glance-api"
_DEFAULT = "default"

#: Where Glance looks beside the directories of its configuration files.
_DIRECTORIES = ("~/.glance", "~", "/etc/glance", "/etc")
_NAMES = "glance*paste*.ini"

_OPTS = [
    cfg.StrOpt("flavor", help="Which of Glance's pipelines is used."),
    cfg.StrOpt("config_file", help="Where they are."),
]


@dataclasses.dataclass(frozen=True)
class _Pipeline:
    """A pipeline.

    :ivar names: of its filters, and of the app behind them
    :ivar ours: which of them are the gateway
    """

    flavor: str
    names: Sequence[str]
    ours: Sequence[str]

    @property
    def problem(self) -> str:
        """What is wrong with where the gateway stands, empty if nothing is."""
        if not self.ours:
            return "s3gateway is not in"
        if self.names[-2:-1] != self.ours:
            return "s3gateway is not the last filter of"
        return ""


def check(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield what is found out about the pipelines that Glance may run with."""
    conf.register_opts(_OPTS, group="paste_deploy")
    named = conf.paste_deploy.config_file or "glance-api-paste.ini"
    found = conf.find_file(named)
    if not found:
        yield findings.error(
            "paste_file_missing",
            _SUBJECT,
            f"no {named}",
            "Set [paste_deploy] config_file to Glance's paste file.",
        )
        return
    try:
        pipelines = _pipelines(pathlib.Path(found))
    except (OSError, configparser.Error, UnicodeDecodeError) as problem:
        what = type(problem).__name__
        yield findings.error(
            "paste_file_unreadable", _SUBJECT, what, f"{found} cannot be read: mend it."
        )
        return
    flavor = conf.paste_deploy.flavor or _DEFAULT
    yield _used(pipelines, found, flavor)
    for pipeline in pipelines.values():
        if pipeline.flavor != flavor:
            yield _unused(pipeline, found)
    for other in _others(conf, pathlib.Path(found)):
        yield _second(other, found)


def _pipelines(file: pathlib.Path) -> dict[str, _Pipeline]:
    """Return the pipelines of a file by their flavors."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(file.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    if parser.has_section(_COMPOSITE):
        options = dict(parser.items(_COMPOSITE))
        found = {
            name: words
            for name, words in options.items()
            if name not in parser.defaults()
            and not name.startswith("paste.")
            and name != "use"
        }
    for section in parser.sections():
        if section == _PIPELINE or section.startswith(f"{_PIPELINE}-"):
            flavor = section.removeprefix(_PIPELINE).removeprefix("-") or _DEFAULT
            found[flavor] = parser.get(section, "pipeline", fallback="")
    return {
        flavor: _Pipeline(
            flavor,
            words.split(),
            [name for name in words.split() if _is_ours(parser, name)],
        )
        for flavor, words in found.items()
    }


def _used(pipelines: dict[str, _Pipeline], file: str, flavor: str) -> Finding:
    pipeline = pipelines.get(flavor)
    if pipeline is None or not pipeline.names:
        return findings.error(
            "pipeline_missing",
            _SUBJECT,
            f"no pipeline {flavor}",
            f"[composite:api] of {file} has none of that name: look at [paste_deploy] "
            "flavor.",
        )
    if not pipeline.ours:
        return findings.error(
            "pipeline_without_gateway",
            _SUBJECT,
            f"{pipeline.problem} pipeline {flavor}, which is used",
            f"Put it before {pipeline.names[-1]} in {file}, add [filter:s3gateway] "
            f"with use = {_OURS[0]}, and restart Glance.",
        )
    if pipeline.problem:
        return findings.warning(
            "gateway_not_last_in_pipeline",
            _SUBJECT,
            f"{pipeline.problem} pipeline {flavor}, which is used",
            f"Put it once, directly before {pipeline.names[-1]} in {file}: filters "
            "behind it see neither its uploads nor its downloads.",
        )
    found = f"s3gateway stands last in pipeline {flavor}, which is used"
    return findings.ok("gateway_last_in_pipeline", _SUBJECT, found)


def _unused(pipeline: _Pipeline, file: str) -> Finding:
    if not pipeline.problem:
        found = f"s3gateway stands last in pipeline {pipeline.flavor}"
        return findings.ok("gateway_last_in_unused_pipeline", _SUBJECT, found)
    return findings.note(
        "gateway_not_last_in_unused_pipeline",
        _SUBJECT,
        f"{pipeline.problem} pipeline {pipeline.flavor}",
        f"It is not used. A Glance whose [paste_deploy] flavor names it shows hosts, "
        f"buckets and keys, if locations are shown: put the filter there as well in "
        f"{file}.",
    )


def _others(conf: cfg.ConfigOpts, used: pathlib.Path) -> list[pathlib.Path]:
    """Return the other paste files in the directories that Glance looks into."""
    beside = [pathlib.Path(name).parent for name in conf.config_file]
    named = [pathlib.Path(name) for name in (*conf.config_dirs, *_DIRECTORIES)]
    found = {
        path.resolve()
        for directory in (*beside, *named)
        for path in directory.expanduser().glob(_NAMES)
    }
    return sorted(found - {used.resolve()})


def _second(path: pathlib.Path, used: str) -> Finding:
    try:
        pipelines = _pipelines(path).values()
        words = "every" if all(p.ours for p in pipelines) else "not every"
        what = f"{words} pipeline of it has s3gateway"
    except (OSError, configparser.Error, UnicodeDecodeError):
        what = "it cannot be read"
    return findings.warning(
        "paste_file_twice",
        _SUBJECT,
        f"a second one: {what}",
        f"A Glance that is started with other configuration files may read {path} in "
        f"place of {used}: remove the one that is not used, or set [paste_deploy] "
        "config_file.",
    )


def _is_ours(parser: configparser.RawConfigParser, name: str) -> bool:
    section = f"filter:{name}"
    values = [
        parser.get(section, option, fallback="").strip()
        for option in ("use", "paste.filter_factory")
    ]
    return any(value in _OURS for value in values)
