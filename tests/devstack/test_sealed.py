# SPDX-License-Identifier: Apache-2.0
"""The sealed gateway before and behind DevStack's Glance."""

from __future__ import annotations

import stat

from tests.devstack.conftest import SECRET
from tests.devstack.stack import UNTIL_GLANCE_STARTS
from tests.devstack.stack import Stack
from tests.devstack.stack import parsed

FACE = "http://127.0.0.1:19294"


def test_glance_has_a_key_of_the_face_and_none_of_s3(external: Stack) -> None:
    external.settings["S3GATEWAY_MODE"] = "sealed"
    external.record()

    output = external.succeed(*UNTIL_GLANCE_STARTS)

    config = parsed(external.gateway_conf)
    keys = external.gateway_conf.parent / "face-keys"
    assert config["s3gateway"]["face_url"] == FACE
    assert config["s3gateway"]["face_keys"] == str(keys)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    access_key, secret_key, *_ = keys.read_text().split()
    for name in ("fast", "cheap"):
        assert external.config()[name] == {
            "s3_store_host": FACE,
            "s3_store_access_key": access_key,
            "s3_store_secret_key": secret_key,
            "s3_store_bucket": f"glance-{name}",
            "s3_store_create_bucket_on_put": "True",
            "s3_store_bucket_url_format": "path",
        }
        assert config[name]["s3_store_secret_key"] == SECRET.replace("$", "$$")
    assert "EXTERNALKEY" not in external.conf.read_text()
    for text in (output, external.arguments, "\n".join(external.calls)):
        assert "two  blanks" not in text
        assert secret_key not in text


def test_gunicorn_serves_both_ports(external: Stack) -> None:
    external.settings.update(
        S3GATEWAY_MODE="sealed",
        S3GATEWAY_SERVICE_PORT_INT="19393",
        S3GATEWAY_FACE_PORT="19394",
    )

    external.succeed(*UNTIL_GLANCE_STARTS)

    units = external.here / "etc" / "systemd"
    unit = (units / "devstack@s3gateway.service").read_text()
    assert f"--config-file {external.gateway_conf} " in unit
    assert "--bind 127.0.0.1:19393 --bind 127.0.0.1:19394\n" in unit
    assert "uwsgi" not in unit
    assert "pip_install gunicorn" in external.calls
    paste = parsed(external.gateway_conf.parent / "s3gateway-paste.ini")
    routes = paste["composite:main"]
    assert (routes["19393"], routes["19394"]) == ("images", "face")
    site = (external.here / "etc" / "apache2" / "s3gateway.conf").read_text()
    assert '"/s3gateway" "http://127.0.0.1:19393"' in site


def test_nothing_of_it_is_left(external: Stack) -> None:
    external.settings["S3GATEWAY_MODE"] = "sealed"
    external.succeed(*UNTIL_GLANCE_STARTS)
    keys = external.gateway_conf.parent / "face-keys"
    access_key = keys.read_text().split()[0]

    external.succeed("unstack")

    assert access_key not in external.conf.read_text()
    assert "systemctl stop devstack@s3gateway.service" in external.calls

    external.succeed("clean")

    assert not keys.parent.exists()
