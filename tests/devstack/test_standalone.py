# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway in front of DevStack's Glance."""

from __future__ import annotations

import pathlib
import stat

from tests.devstack.stack import UNTIL_GLANCE_STARTS
from tests.devstack.stack import Stack
from tests.devstack.stack import parsed
from tests.support.servers import environments


def test_standalone(external: Stack) -> None:
    external.settings["S3GATEWAY_MODE"] = "standalone"
    stock = environments.bin_dir("glance-33").parent / "etc" / "glance"

    output = external.succeed(*UNTIL_GLANCE_STARTS, "call eval echo at: $GLANCE_URL")

    assert "at: http://127.0.0.1/s3gateway" in output.splitlines()
    assert external.paste.read_text() == (stock / external.paste.name).read_text()
    assert external.config()["DEFAULT"]["show_multiple_locations"] == "True"
    assert external.config()["keystone_authtoken"]["service_token_roles"] == "service"
    config = parsed(external.gateway_conf)
    port = external.settings["GLANCE_PORT"]
    assert config["s3gateway"] == {
        "glance_url": f"http://127.0.0.1:{port}",
        "glance_release": "33",
    }
    paste = pathlib.Path(config["paste_deploy"]["config_file"])
    assert paste.parent == external.gateway_conf.parent
    assert config["service_user"]["username"] == "glance"
    assert config["DEFAULT"]["enabled_backends"] == "cheap:s3,fast:s3"
    assert config["fast"] == external.config()["fast"]
    assert not stat.S_IMODE(external.gateway_conf.stat().st_mode) & stat.S_IRWXO
    assert "two  blanks" not in output
    site = (external.here / "etc" / "apache2" / "s3gateway.conf").read_text()
    assert '"/s3gateway" "http://127.0.0.1:19293"' in site
    uwsgi = parsed(external.here / "etc" / "s3gateway" / "s3gateway-uwsgi.ini")
    assert uwsgi["uwsgi"]["http-socket"] == "127.0.0.1:19293"  # and not Glance's
    assert uwsgi["uwsgi"]["chunked-input-limit"] == "16777216"
    assert "disable_apache_site glance-api" in external.calls
    assert "systemctl start devstack@s3gateway.service" in external.calls

    external.succeed("unstack")
    external.succeed("clean")

    assert "systemctl stop devstack@s3gateway.service" in external.calls
    assert not external.gateway_conf.exists()
    assert not (external.here / "etc" / "apache2" / "s3gateway.conf").exists()
