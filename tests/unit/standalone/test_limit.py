# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import webob

from s3gateway.errors import ConfigError
from s3gateway.http.wsgi import Answer
from s3gateway.http.wsgi import call
from s3gateway.standalone.limit import Limit
from s3gateway.standalone.limit import filter_factory


class App:
    """An app whose answers are closed when they are closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.fails = False

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self.fails:
            raise RuntimeError("failed")
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Any:
        return iter([b"some", b"data"])

    def close(self) -> None:
        self.closed += 1


def ask(limit: Limit) -> Answer:
    return call(limit, dict(webob.Request.blank("/v2/images").environ))


def test_so_many_at_once() -> None:
    app = App()
    limit = filter_factory({}, most="2")(app)
    one, two = ask(limit), ask(limit)
    refused = ask(limit)
    assert (refused.code, refused.header("Retry-After")) == (503, "1")
    assert b"try again" in refused.read()
    assert one.read() == b"somedata"
    three = ask(limit)
    assert three.code == 200
    assert ask(limit).code == 503
    for answer in (one, two, three):
        answer.close()
    assert app.closed == 4  # each as often as the server closes it
    assert [ask(limit).code for _ in range(3)] == [200, 200, 503]


@pytest.mark.parametrize("most", ["", "0", "-1", "abc", "4.5"])
def test_another_number_is_an_error_at_the_start(most: str) -> None:
    """None at all would refuse every request."""
    with pytest.raises(ConfigError, match=r"\[filter:limit\] most: .* above 0"):
        filter_factory({}, most=most)


def test_a_request_that_fails_is_over() -> None:
    app = App()
    limit = Limit(app, 1)
    app.fails = True
    for _ in range(3):
        with pytest.raises(RuntimeError):
            ask(limit)
    app.fails = False
    assert ask(limit).code == 200
