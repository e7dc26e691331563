# SPDX-License-Identifier: Apache-2.0
"""Notifications that cannot be sent: no transfer fails for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from s3gateway.glance.api import Image
from s3gateway.glance.notifications import Notifications
from tests.support.servers.inprocess import Notifier

IMAGE = Image("an-id", "active", 42, "", "", "", (), {})

SENDING: list[Callable[[Notifications], None]] = [
    lambda sent: sent.prepare(IMAGE, "fast"),
    lambda sent: sent.uploaded(IMAGE, 0),
    lambda sent: sent.upload_failed("it did"),
    lambda sent: sent.sent(IMAGE, ("project", "user"), 42, 42),
]


@pytest.mark.parametrize("send", SENDING)
def test_a_notifier_that_raises(
    send: Callable[[Notifications], None], caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[str] = []

    def before(event: str) -> None:
        tried.append(event)
        raise ConnectionError("no route to the broker")

    notifier = Notifier()
    notifier.before = before
    send(Notifications(notifier))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(tried) > 0
    assert all(line.startswith("Notification image.") for line in said)


@pytest.mark.parametrize("send", SENDING)
def test_a_worker_that_is_aborted_is(send: Callable[[Notifications], None]) -> None:
    def before(event: str) -> None:
        raise SystemExit(1)

    notifier = Notifier()
    notifier.before = before
    with pytest.raises(SystemExit):
        send(Notifications(notifier))
