# SPDX-License-Identifier: Apache-2.0
"""What ``check`` says of a store without asking its server."""

from __future__ import annotations

import dataclasses

import pytest

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.store import check
from tests.support.s3.memory import store_settings
from tests.support.s3.stores import TRANSFER
from tests.support.servers.processes import free_port

SHORT = "secret key of fewer than 16 characters"
ODD = "secret key with odd characters"


@pytest.mark.parametrize(
    ("secret_key", "expected"),
    [
        ("wJalrXUtnFEMI/K7MDENG+bPxR=", []),
        ("0123456789abcdef", []),
        ("0123456789abcde", [SHORT]),
        ("openstack", [SHORT]),
        *((f"0123456789{odd}abcdef", [ODD]) for odd in "<>'\"\\ \t"),
        ("q< 7", [SHORT, ODD]),
    ],
)
def test_secret_keys_that_may_leave(secret_key: str, expected: list[str]) -> None:
    settings = store_settings(
        endpoint=f"http://127.0.0.1:{free_port()}",
        keys=Keys(KeyPair("ACCESSKEY", secret_key)),
    )
    transfer = dataclasses.replace(TRANSFER, connect_timeout=1.0)
    found = list(check(settings, transfer))
    assert {each.subject for each in found} == {"store fast"}
    warnings = [each for each in found if each.severity is Severity.WARNING]
    assert [each.found for each in warnings] == expected
    assert all(each.advice for each in warnings)
    assert secret_key not in str([each.row() for each in found])
