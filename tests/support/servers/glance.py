# SPDX-License-Identifier: Apache-2.0
"""A real, stock Glance, with or without the filter, under several servers."""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TypeAlias

from tests.support.s3.s3server import S3Server
from tests.support.servers.processes import Server
from tests.support.servers.processes import free_port
from tests.support.servers.processes import run

ROOT = pathlib.Path(__file__).resolve().parents[3]

Config = dict[str, dict[str, str]]
Serving: TypeAlias = "contextlib.AbstractContextManager[Glance]"

_IDENTITY = "paste.filter_factory = tests.support.servers.identity:filter_factory"
_FAULTS = (
    "\n[filter:faults]\n"
    "paste.filter_factory = tests.support.faults.glancefaults:filter_factory\n"
)
_UNGUARDED = "paste.filter_factory = tests.support.servers.unguarded:filter_factory"
_FILTER = "\n[filter:s3gateway]\nuse = egg:s3gateway#s3gateway\n"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GlanceSpec:
    """What kind of Glance.

    :ivar bin_dir: where its programs are
    :ivar gateway: whether the filter is in its pipelines
    :ivar wsgi: ``gunicorn``, ``uwsgi``, ``uwsgi-router`` (as Kolla-Ansible runs it) or
        ``eventlet``
    :ivar guarded: whether the filter judges what may write locations
    :ivar faults: whether registrations go wrong when a request asks for it
    :ivar flavor: a flavor of its paste file
    :ivar keystone: whether ``authtoken`` in it is the real one, not a stand-in
    :ivar workers: processes; of several of them the metrics are summed up
    :ivar apps: further apps of its paste file, by their path
    :ivar config: options by section, over those of ``base_config``
    :ivar env: further variables of its environment
    """

    bin_dir: pathlib.Path
    gateway: bool
    wsgi: str = "gunicorn"
    flavor: str = "keystone"
    keystone: bool = False
    threads: int = 8
    workers: int = 1
    apps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    faults: bool = False
    guarded: bool = True
    config: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    policy: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Glance:
    """A running Glance."""

    url: str
    server: Server
    directory: pathlib.Path
    spec: GlanceSpec

    @property
    def log(self) -> str:
        return self.server.log.read_text(errors="replace")


def s3_store(server: S3Server, bucket: str, **options: str) -> dict[str, str]:
    """Return the section of an S3 store as an operator would write it."""
    section = {
        "s3_store_host": server.endpoint,
        "s3_store_access_key": server.access_key,
        "s3_store_secret_key": server.secret_key,
        "s3_store_bucket": bucket,
        "s3_store_create_bucket_on_put": "true",
        "s3_store_bucket_url_format": "path",
        "s3_store_large_object_size": "8",
        "s3_store_large_object_chunk_size": "5",
    }
    if server.region:
        section["s3_store_region_name"] = server.region
    if server.cacert:
        section["s3_store_cacert"] = server.cacert
    return {**section, **options}


def two_s3_stores_and_a_file_store(
    server: S3Server, directory: pathlib.Path, prefix: str = ""
) -> Config:
    """Return the stores that most tests use: ``cheap``, ``fast`` and ``local``."""
    return {
        "DEFAULT": {"enabled_backends": "cheap:s3, fast:s3, local:file"},
        "glance_store": {"default_backend": "fast"},
        "cheap": s3_store(server, f"{prefix}cheap"),
        "fast": s3_store(server, f"{prefix}fast"),
        "local": {"filesystem_store_datadir": str(directory / "local")},
    }


def base_config(directory: pathlib.Path, spec: GlanceSpec, database: str) -> Config:
    """Return what every Glance here needs."""
    return {
        "DEFAULT": {
            "show_multiple_locations": "true",
            "show_image_direct_url": "true",
            "enabled_import_methods": "[glance-direct,web-download,copy-image]",
            "image_cache_dir": str(directory / "cache"),
            "node_staging_uri": f"file://{directory}/staging",
            "use_stderr": "true",
        },
        "database": {"connection": database},
        "paste_deploy": {
            "flavor": spec.flavor,
            "config_file": str(directory / "paste.ini"),
        },
        "oslo_policy": {"policy_file": str(directory / "policy.yaml")},
        "os_glance_staging_store": {"filesystem_store_datadir": f"{directory}/staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": f"{directory}/tasks"},
    }


@contextlib.contextmanager
def serving(
    spec: GlanceSpec, directory: pathlib.Path, stores: Config, database: str
) -> Iterator[Glance]:
    """Run a Glance; its database must be in place.

    :param directory: for its configuration, logs and file stores
    :param stores: the configuration of its stores
    :param database: the URL of its database
    """
    for name in ("cache", "staging", "tasks", "local"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    place = {
        "DEFAULT": {
            "worker_self_reference_url": f"http://127.0.0.1:{port}",
            "bind_host": "127.0.0.1",  # these three are for eventlet alone
            "bind_port": str(port),
            "workers": "0",
        }
    }
    config = merged(base_config(directory, spec, database), place, stores, spec.config)
    (directory / "glance-api.conf").write_text(ini(config))
    (directory / "policy.yaml").write_text(spec.policy or "{}\n")
    (directory / "paste.ini").write_text(_paste(spec))
    env = {
        "OS_GLANCE_CONFIG_DIR": str(directory),
        "PYTHONPATH": str(ROOT),
        **spec.env,
    }
    if spec.workers > 1:
        env["PROMETHEUS_MULTIPROC_DIR"] = str(directory / "metrics")
    with Server(
        f"glance-{spec.wsgi}",
        _command(spec, directory, port),
        log=directory / "glance.log",
        env=env,
        cwd=directory,
    ) as server:
        server.wait_for_url(f"http://127.0.0.1:{port}/")
        yield Glance(
            url=f"http://127.0.0.1:{port}",
            server=server,
            directory=directory,
            spec=spec,
        )


def create_database(
    bin_dir: pathlib.Path, directory: pathlib.Path, database: str
) -> None:
    """Create Glance's tables."""
    config = directory / "db-sync.conf"
    config.write_text(ini({"database": {"connection": database}}))
    run([bin_dir / "glance-manage", "--config-file", config, "db_sync"])


def merged(*configs: Mapping[str, Mapping[str, str]]) -> Config:
    """Return the options of several configurations, later ones first."""
    result: Config = {}
    for config in configs:
        for section, options in config.items():
            result.setdefault(section, {}).update(options)
    return result


def ini(config: Mapping[str, Mapping[str, str]]) -> str:
    """Return a configuration as the text of a file."""
    lines = []
    for section, options in config.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in options.items()]
        lines.append("")
    return "\n".join(lines)


def parsed(text: str) -> Config:
    """Return the options in the text of a file; paths may hold a percent sign."""
    parser = configparser.RawConfigParser(
        delimiters=("=", ": "), default_section="none of them: oslo inherits nothing"
    )
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _paste(spec: GlanceSpec) -> str:
    """Return Glance's own paste file, as this Glance needs it."""
    shipped = spec.bin_dir.parent / "etc" / "glance" / "glance-api-paste.ini"
    text = shipped.read_text()
    if not spec.keystone:
        text = with_stand_in_for_keystone(text)
    if spec.gateway:
        text = with_filter(text)
        if not spec.guarded:
            text = text.replace("use = egg:s3gateway#s3gateway", _UNGUARDED)
    if spec.faults:
        text = text.replace("s3gateway rootapp", "s3gateway faults rootapp") + _FAULTS
    for number, (path, app) in enumerate(spec.apps.items()):
        text = text.replace("/healthcheck:", f"{path}: more{number}\n/healthcheck:")
        text += f"\n[app:more{number}]\n{app}\n"
    return text


def with_stand_in_for_keystone(paste: str) -> str:
    """Put the stand-in for auth_token into a paste file."""
    return re.sub(
        r"(?<=\[filter:authtoken\]\n)paste.filter_factory = .*", _IDENTITY, paste
    )


def with_filter(paste: str) -> str:
    """Put the filter into every pipeline of a paste file, as the README says."""
    return (
        re.sub(r"(?<= )rootapp$", "s3gateway rootapp", paste, flags=re.MULTILINE)
        + _FILTER
    )


def _command(
    spec: GlanceSpec, directory: pathlib.Path, port: int
) -> list[str | pathlib.Path]:
    if spec.wsgi == "gunicorn":
        return [
            spec.bin_dir / "gunicorn",
            "--worker-class=gthread",
            f"--threads={spec.threads}",
            f"--workers={spec.workers}",
            f"--bind=127.0.0.1:{port}",
            "--timeout=600",
            "--graceful-timeout=5",
            "glance.wsgi.api:application",
        ]
    if spec.wsgi.startswith("uwsgi"):
        where = f"--http-socket=127.0.0.1:{port}"
        return [
            spec.bin_dir / "uwsgi",
            *(_router(port) if spec.wsgi == "uwsgi-router" else [where]),
            "--master",
            "--die-on-term",
            "--lazy-apps",
            "--enable-threads",
            f"--threads={spec.threads}",
            f"--processes={spec.workers}",
            "--buffer-size=65535",
            "--need-app",
            "--module=glance.wsgi.api:application",
        ]
    return [
        spec.bin_dir / "glance-api",
        f"--config-file={directory / 'glance-api.conf'}",
    ]


def _router(port: int) -> list[str]:
    """Return what Kolla-Ansible tells uWSGI of its HTTP router and of bodies."""
    return [
        f"--http=127.0.0.1:{port}",
        "--http-auto-chunked",
        "--http-chunked-input",
        "--http-raw-body",
        "--chunked-input-limit=67108864",
        "--add-header=Connection: close",
        "--socket-timeout=30",
        "--thunder-lock",
    ]
