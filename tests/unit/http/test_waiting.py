# SPDX-License-Identifier: Apache-2.0
"""The kernel asks whether a silent client is still there."""

from __future__ import annotations

import socket

from s3gateway.http import waiting

LONGEST = 300  # seconds


def test_a_client_that_went_without_a_word_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        waiting.probe(server)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = (
            server.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
            )
        )
    assert idle + interval * count <= LONGEST
    waiting.probe(server)  # it is closed by now


def test_what_is_no_tcp_connection_is_left_alone() -> None:
    here, there = socket.socketpair()
    with here, there:
        waiting.probe(here)
        here.sendall(b"data")
        assert there.recv(4) == b"data"
    waiting.probe(None)
