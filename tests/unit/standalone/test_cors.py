# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pathlib

import pytest
import webob
from oslo_config import cfg
from paste.deploy import loadfilter

from s3gateway.config import sources

_PASTE = pathlib.Path(__file__).parents[3] / "etc" / "paste" / "s3gateway-paste.ini"


def test_it_knows_what_a_drop_in_says(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s3gateway.conf"
    file.touch()
    (tmp_path / "s3gateway.conf.d").mkdir()
    (tmp_path / "s3gateway.conf.d" / "browsers.conf").write_text(
        "[cors]\nallowed_origin = https://dashboard.example\n"
    )
    monkeypatch.setattr(cfg, "CONF", cfg.ConfigOpts())
    read = sources.of_files([str(file)])
    directories = list(read.directories)
    cfg.CONF([], default_config_files=[str(file)], default_config_dirs=directories)
    cors = loadfilter(f"config:{_PASTE}", name="cors")
    request = webob.Request.blank("/", headers={"Origin": "https://dashboard.example"})
    answer = request.get_response(cors(webob.Response("hello")))
    origin = answer.headers["Access-Control-Allow-Origin"]
    assert origin == "https://dashboard.example"
