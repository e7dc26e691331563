# SPDX-License-Identifier: Apache-2.0
"""Settings that cannot work stop the run before anything is installed."""

from __future__ import annotations

import pytest

from tests.devstack.conftest import MakeStack

EXTERNAL = {
    "S3GATEWAY_S3_SERVER": "external",
    "S3GATEWAY_S3_HOST": "https://s3.example.org",
    "S3GATEWAY_S3_ACCESS_KEY": "EXTERNALKEY",
    "S3GATEWAY_S3_SECRET_KEY": "externalsecret",
}

WRONG = [
    ({"S3GATEWAY_MODE": "sidecar"}, "S3GATEWAY_MODE = sidecar"),
    ({"S3GATEWAY_S3_SERVER": "ceph"}, "S3GATEWAY_S3_SERVER = ceph"),
    ({"S3GATEWAY_S3_URL_FORMAT": "dns"}, "S3GATEWAY_S3_URL_FORMAT = dns"),
    ({"S3GATEWAY_S3_CACERT": "/no/such"}, "S3GATEWAY_S3_CACERT = /no/such"),
    ({"S3GATEWAY_BACKENDS": " "}, "names no backend"),
    ({"S3GATEWAY_BACKENDS": "Fast"}, "Fast is no name"),
    ({"S3GATEWAY_BACKENDS": "fast fa*"}, "fa* is no name"),
    ({"S3GATEWAY_BACKENDS": "fast cheap fast"}, "names fast twice"),
    ({"S3GATEWAY_BACKENDS": "database"}, "[database] is another section"),
    ({"S3GATEWAY_BACKENDS": "fast faster"}, "bucket of faster begins with"),
    ({"S3GATEWAY_DEFAULT_BACKEND": "slow"}, "S3GATEWAY_DEFAULT_BACKEND = slow"),
    *(
        (
            {"S3GATEWAY_MODE": mode, "GLANCE_SHOW_MULTIPLE_LOCATIONS": "False"},
            "GLANCE_SHOW_MULTIPLE_LOCATIONS",
        )
        for mode in ("standalone", "sealed")
    ),
    (
        {"GLANCE_ENABLE_MULTIPLE_STORES": "False", "S3GATEWAY_BACKENDS": "fast cheap"},
        "GLANCE_ENABLE_MULTIPLE_STORES is not True",
    ),
    ({"S3GATEWAY_S3_SERVER": "swift", "DISABLED_SERVICES": "s-proxy"}, "s-proxy"),
    ({"S3GATEWAY_S3_SERVER": "swift", "DISABLED_SERVICES": "s3api"}, "s3api"),
    ({"S3GATEWAY_S3_SERVER": "minio"}, "S3GATEWAY_MINIO_BIN"),
    (
        {"S3GATEWAY_S3_SERVER": "minio", "S3GATEWAY_MINIO_BIN": "/etc/passwd"},
        "S3GATEWAY_MINIO_BIN",
    ),
    ({"S3GATEWAY_S3_HOST": ""}, "external needs S3GATEWAY_S3_HOST"),
    ({"S3GATEWAY_S3_ACCESS_KEY": ""}, "external needs S3GATEWAY_S3_ACCESS_KEY"),
    ({"S3GATEWAY_S3_SECRET_KEY": ""}, "external needs S3GATEWAY_S3_SECRET_KEY"),
    ({"S3GATEWAY_S3_HOST": "https://key:secret@s3.example.org"}, "S3GATEWAY_S3_HOST"),
    ({"S3GATEWAY_S3_HOST": "ftp://s3.example.org"}, "S3GATEWAY_S3_HOST"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=lambda value: str(value)[:50])
def test_wrong_setting(stack: MakeStack, wrong: dict[str, str], message: str) -> None:
    there = stack(**{**EXTERNAL, **wrong})

    error = there.die("stack pre-install", "stack install")

    assert message in error
    assert "secret" not in error
    assert not there.calls


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"S3GATEWAY_MODE": "standalone"},
        {"S3GATEWAY_MODE": "sealed"},
        {"S3GATEWAY_BACKENDS": "gold,silver_2"},
        {"S3GATEWAY_BACKENDS": "gold silver", "S3GATEWAY_DEFAULT_BACKEND": "silver"},
        {"GLANCE_ENABLE_MULTIPLE_STORES": "False"},
        {"S3GATEWAY_S3_SERVER": "swift"},
        {"S3GATEWAY_S3_SERVER": "minio", "S3GATEWAY_MINIO_BIN": "/bin/true"},
        {"S3GATEWAY_S3_SERVER": "rgw"},
        {"S3GATEWAY_S3_HOST": "10.0.0.1:9000"},
    ],
    ids=str,
)
def test_right_setting(stack: MakeStack, right: dict[str, str]) -> None:
    stack(**{**EXTERNAL, **right}).succeed("stack pre-install")


def test_wrong_settings_do_not_keep_unstack_and_clean(stack: MakeStack) -> None:
    there = stack(S3GATEWAY_S3_SERVER="ceph", S3GATEWAY_BACKENDS="")

    there.succeed("unstack")
    there.succeed("clean")


def test_nothing_is_done_without_g_api(stack: MakeStack) -> None:
    there = stack(ENABLED_SERVICES="key,mysql", S3GATEWAY_MODE="nonsense")
    before = sorted(path for path in there.here.rglob("*"))

    there.succeed(
        "stack pre-install",
        "stack install",
        "stack post-config",
        "stack extra",
        "stack test-config",
        "call eval echo enabled: $ENABLED_SERVICES",
    )
    there.succeed("unstack")
    output = there.succeed("clean", "call eval echo enabled: $ENABLED_SERVICES")

    assert "enabled: key,mysql" in output.splitlines()
    assert not there.calls
    left = {path.name for path in there.here.rglob("*") if path not in before}
    assert left <= {"localrc", "arguments"}
