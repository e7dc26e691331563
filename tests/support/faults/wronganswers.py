# SPDX-License-Identifier: Apache-2.0
"""Faults that replace the server's answer; ``s3_faults.py`` has all faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from tests.support.faults.fault import Answered
from tests.support.faults.fault import Fault
from tests.support.faults.fault import Request
from tests.support.faults.wire import Head

_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
    "<Message>injected</Message><RequestId>0</RequestId></Error>"
)


class Answer(Fault):
    """The client is answered with an S3 error, or with whatever is given.

    ``Answer(200, "InternalError")`` is the 200 with an error in its body that S3
    answers to a CompleteMultipartUpload that failed.

    :param done: whether the server does the request nevertheless
    """

    def __init__(
        self,
        status: int,
        code: str = "",
        *,
        done: bool = False,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.status = status
        self.code = code
        self.done = done
        self._body = _ERROR.format(code=code).encode() if body is None else body
        self._headers = dict(headers or {})

    def before(self, request: Request) -> None:
        if not self.done:
            self._answer(request, passed_on=False)

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        drain()
        self._answer(request, passed_on=True)
        return head

    def _answer(self, request: Request, *, passed_on: bool) -> None:
        self.happens(request)
        body = b"" if request.method == "HEAD" else self._body
        lines = [f"HTTP/1.1 {self.status} Injected"]
        headers = {
            "Content-Type": "application/xml",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self._headers,
        }
        lines += [f"{name}: {value}" for name, value in headers.items()]
        raw = "\r\n".join([*lines, "", ""]).encode() + body
        raise Answered(raw, passed_on=passed_on)


class SlowDown(Answer):
    """S3 asks to be asked less often."""

    def __init__(self) -> None:
        super().__init__(503, "SlowDown")


class ChangedHead(Fault):
    """The head of an answer is another one.

    :param change: from the head as it came to the one that is passed on
    """

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._change = change

    def answered(
        self, request: Request, head: Head, drain: Callable[[], bytes]
    ) -> Head:
        self.happens(request)
        return Head(self._change(head.raw))


class WrongRange(ChangedHead):
    """A 206 says that it is one byte further on than what was asked for."""

    def __init__(self) -> None:
        super().__init__(lambda raw: re.sub(rb"(?i)(?<=bytes )\d+", _plus_one, raw))


class RangeIgnored(ChangedHead):
    """A range is answered with 200, and says nothing of a range."""

    def __init__(self) -> None:
        super().__init__(
            lambda raw: re.sub(
                rb"(?im)^content-range:.*\r\n", b"", raw.replace(b" 206 ", b" 200 ", 1)
            )
        )


def _plus_one(match: Any) -> bytes:
    return str(int(match.group()) + 1).encode()
