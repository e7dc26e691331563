# SPDX-License-Identifier: Apache-2.0
"""A second parse sees the values that the host process sees."""

from __future__ import annotations

import pathlib

import pytest
from oslo_config import cfg

from s3gateway.config import settings
from s3gateway.config import sources
from s3gateway.manage import commands

_BUCKET = [cfg.StrOpt("s3_store_bucket")]


class Host:
    """A process that has read its options; each place names itself as the bucket."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.conf = cfg.ConfigOpts()
        self.directory = directory
        self.main = self._write("glance-api.conf")
        self.other = self._write("other.conf")
        self.dropin = self._write("glance-api.conf.d/stores.conf").parent
        self.named = self._write("named.d/stores.conf").parent

    def _write(self, name: str) -> pathlib.Path:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[fast]\ns3_store_bucket = {name}\n")
        return path

    def parse(self, *arguments: str) -> None:
        self.conf(
            [argument.format(vars(self)) for argument in arguments],
            project="glance",
            prog="glance-api",
            default_config_files=[str(self.main)],
            default_config_dirs=[str(self.dropin)],
        )


def bucket(conf: cfg.ConfigOpts) -> str:
    conf.register_opts(_BUCKET, group="fast")
    return str(conf.fast.s3_store_bucket)


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "wins"),
    [
        ((), "glance-api.conf.d/stores.conf"),
        (("--config-dir={0[named]}",), "named.d/stores.conf"),
        (("--config-file={0[other]}",), "other.conf"),
        (("--config-file={0[main]}",), "glance-api.conf"),
        (
            ("--config-file={0[other]}", "--config-dir={0[named]}"),
            "named.d/stores.conf",
        ),
    ],
)
def test_the_same_value_wins(host: Host, arguments: list[str], wins: str) -> None:
    host.parse(*arguments)
    again = settings.parse(sources.read_by(host.conf))
    assert bucket(again) == bucket(host.conf) == wins
    assert bucket(settings.parse(sources.read_by(again))) == wins


def test_the_filter_reads_what_glance_has_read(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cfg, "CONF", host.conf)
    host.parse()
    read = sources.of_host("")
    assert bucket(settings.parse(read)) == "glance-api.conf.d/stores.conf"


def test_the_filter_reads_the_file_that_it_is_given_and_no_other(host: Host) -> None:
    read = sources.of_host(str(host.other))
    assert bucket(settings.parse(read)) == "other.conf"


def of_glance_in(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("OS_GLANCE_CONFIG_DIR", raising=False)


@pytest.mark.parametrize("name", ["glance", "glance-api"])
def test_the_command_reads_glances_drop_ins(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_glance_in(tmp_path, monkeypatch)
    for place in (".glance", f".glance/{name}.conf.d"):
        (tmp_path / place).mkdir()
    (tmp_path / ".glance" / "glance-api.conf").touch()
    (tmp_path / ".glance" / f"{name}.conf.d" / "stores.conf").write_text(
        "[fast]\ns3_store_bucket = dropped\n"
    )
    assert bucket(commands.parse(["check"])) == "dropped"


def test_the_command_reads_both_files_of_a_directory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_GLANCE_CONFIG_DIR", f"{tmp_path} ")
    (tmp_path / "glance-api.conf").write_text("[fast]\ns3_store_bucket = main\n")
    assert bucket(commands.parse(["check"])) == "main"
    (tmp_path / "glance-image-import.conf").touch()
    read = list(commands.parse(["check"]).config_file)
    expected = ["glance-image-import.conf", "glance-api.conf"]
    assert [pathlib.Path(name).name for name in read] == expected


@pytest.mark.parametrize("place", ["s3gateway.conf", "s3gateway.conf.d/glance.conf"])
def test_the_command_reads_a_stand_alone_gateways_drop_ins(
    place: str, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "s3gateway.conf"
    file.write_text("[fast]\ns3_store_bucket = main\n")
    dropin = tmp_path / "s3gateway.conf.d"
    dropin.mkdir()
    (dropin / "stores.conf").write_text("[fast]\ns3_store_bucket = dropped\n")
    with (tmp_path / place).open("a") as written:
        written.write("[s3gateway]\nglance_url = http://127.0.0.1:9292\n")
    conf = commands.parse(["--config-file", str(file), "--json", "check"])
    assert bucket(conf) == "dropped"
    assert conf.json
