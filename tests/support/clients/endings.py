# SPDX-License-Identifier: Apache-2.0
"""How an upload may end: each client ends it in its own way."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable

from tests.support.clients.api import Api
from tests.support.clients.api import in_chunks
from tests.support.clients.puts import Put
from tests.support.clients.puts import Workers
from tests.support.clients.puts import length
from tests.support.people import ALICE
from tests.support.people import BOB

MIB = 1024**2
CAP = 8 * MIB  # what image_size_cap must be


Step = Callable[[Workers, random.Random], "tuple[int, bytes]"]
GONE = (0, b"")
CHUNKED = "Transfer-Encoding: chunked"


def vanishes_in_the_head(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB))
    put.send(put.head[: chance.randrange(1, len(put.head))])
    put.vanish(reset=chance.random() < 0.5)
    return GONE


def vanishes_before_the_body(
    workers: Workers, chance: random.Random
) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), chance.choice([length(MIB), CHUNKED]))
    put.send(put.head)
    time.sleep(chance.random())
    put.vanish(reset=chance.random() < 0.5)
    return GONE


def vanishes_in_the_body(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    chunked = chance.random() < 0.5
    framing = CHUNKED if chunked else length(7 * MIB)
    put = Put(workers, workers.image(), framing)
    put.send(put.head)
    for _ in range(chance.randrange(1, 7)):
        data = bytes(MIB - chance.randrange(MIB // 2))
        put.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        time.sleep(chance.choice([0, 0, 0.3]))
    put.vanish(reset=chance.random() < 0.5)
    return GONE


def is_silent_for_long(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB))
    put.send(put.head + bytes(1000))
    time.sleep(3)
    put.vanish(reset=True)
    return GONE


def sends_no_chunk(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), CHUNKED)
    put.send(put.head + b"10000\r\n" + bytes(0x10000) + b"\r\nno number\r\n")
    return put.answer()


def sends_all(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    data = bytes(chance.choice([1000, MIB, 6 * MIB]))
    put = Put(workers, workers.image(), length(len(data)))
    put.send(put.head + data)
    return put.answer()


def sends_all_in_chunks(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    api, image_id = Api(workers.url, ALICE), workers.image()
    answer = api.upload(image_id, in_chunks(bytes(6 * MIB)))
    return answer.status, answer.body


def sends_to_no_image(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    image_id = chance.choice([str(uuid.uuid4()), workers.image(BOB)])
    put = Put(workers, image_id, length(MIB))
    put.send(put.head + bytes(chance.choice([0, MIB])))
    return put.answer()


def sends_twice(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    image_id = workers.image()
    for _ in range(2):
        put = Put(workers, image_id, length(1000))
        put.send(put.head + bytes(1000))
        answer = put.answer()
    return answer


def sends_too_much(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(CAP + 1))
    put.send(put.head + bytes(MIB))
    return put.answer()


def sends_too_many_chunks(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), CHUNKED)
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    put.send(put.head + chunk * (CAP // MIB + 1) + b"0\r\n\r\n")
    return put.answer()


def sends_another_size(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    framing = chance.choice([length(1000), CHUNKED])
    put = Put(workers, workers.image(), framing, "X-OpenStack-Image-Size: 999")
    body = (
        bytes(1000) if framing != CHUNKED else b"3e8\r\n%b\r\n0\r\n\r\n" % bytes(1000)
    )
    put.send(put.head + body)
    return put.answer()


def sends_text(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB), kind="text/plain")
    put.send(put.head + bytes(MIB))
    return put.answer()


def sends_to_another_store(
    workers: Workers, chance: random.Random
) -> tuple[int, bytes]:
    store = chance.choice(["local", "local", "unknown"])
    data = bytes(chance.choice([1000, MIB]))
    fields = length(len(data)), f"X-Image-Meta-Store: {store}"
    put = Put(workers, workers.image(), *fields)
    put.send(put.head + data[: chance.choice([500, len(data)])])
    if chance.random() < 0.5:
        put.send(data[500:])
        put.vanish(reset=True)
        return GONE
    put.send(data[500:])
    return put.answer()


def sends_nothing(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), chance.choice([length(0), CHUNKED]))
    put.send(put.head + b"0\r\n\r\n")
    return put.answer()


def stages(workers: Workers, chance: random.Random) -> tuple[int, bytes]:
    put = Put(workers, workers.image(), length(MIB), what="stage")
    put.send(put.head + bytes(MIB // 2))
    if chance.random() < 0.5:
        put.vanish(reset=chance.random() < 0.5)
        return GONE
    put.send(bytes(MIB // 2))
    return put.answer()


KINDS: list[Step] = [
    vanishes_in_the_head,
    vanishes_before_the_body,
    vanishes_in_the_body,
    vanishes_in_the_body,
    is_silent_for_long,
    sends_no_chunk,
    sends_all,
    sends_all,
    sends_all_in_chunks,
    sends_to_no_image,
    sends_twice,
    sends_too_much,
    sends_too_many_chunks,
    sends_another_size,
    sends_text,
    sends_to_another_store,
    sends_nothing,
    stages,
]
