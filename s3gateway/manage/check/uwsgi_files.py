# SPDX-License-Identifier: Apache-2.0
"""Whether uWSGI takes the chunks that clients send, by its files beside Glance's."""

from __future__ import annotations

import configparser
import pathlib
from collections.abc import Iterator

from oslo_config import cfg

from s3gateway.http import servers
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

_SUBJECT = "uWSGI"
#: Where OpenStack-Ansible has them; others have them beside Glance's configuration.
_ELSEWHERE = (pathlib.Path("/etc/uwsgi"), "*glance*.ini")


def check(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield what is found out; nothing where no such file is found."""
    # A tool may write drop-in directories and no file.
    read = [*conf.config_file, *conf.config_dirs, *conf.default_config_dirs]
    beside = {pathlib.Path(name).resolve().parent for name in read}
    places = [(directory, "*uwsgi*.ini") for directory in sorted(beside)]
    for directory, pattern in [*places, _ELSEWHERE]:
        for path in sorted(directory.glob(pattern)):
            yield _judged(path)


def _judged(path: pathlib.Path) -> Finding:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        named = parser.get("uwsgi", servers.CHUNK_OPTION, fallback=None)
        limit = int(named or servers.UWSGI_CHUNK)
    except (OSError, configparser.Error, ValueError) as problem:
        what = type(problem).__name__
        return findings.note(
            "uwsgi_file_unreadable", _SUBJECT, what, f"{path} cannot be read."
        )
    if limit >= servers.ENOUGH:
        return findings.ok("uwsgi_takes_chunks", _SUBJECT, "large chunks are taken")
    return findings.warning(
        "uwsgi_refuses_chunks",
        _SUBJECT,
        f"chunks of {limit} bytes and more are refused",
        f"Uploads in such chunks fail: set {servers.CHUNK_OPTION} = {servers.ENOUGH} "
        f"in [uwsgi] of {path}, and restart it.",
    )
