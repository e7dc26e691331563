# SPDX-License-Identifier: Apache-2.0
"""What every store does with multipart uploads that several processes share."""

from __future__ import annotations

import math

import pytest

from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreError
from tests.contract.conftest import Subject
from tests.contract.objects import PART
from tests.contract.objects import PARTS
from tests.contract.objects import content
from tests.contract.objects import slabs


def test_others_send_the_parts_and_complete(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    upload_id = store.begin(key, shared=True).upload_id
    etags = [
        store.resume(key, upload_id).send(number, slabs(part))
        for number, part in enumerate(PARTS, start=1)
    ]
    etag = store.resume(key, upload_id).commit(list(enumerate(etags, start=1)))
    found = store.stat(key)
    assert found.etag.strip('"') == etag.strip('"')
    whole = b"".join(PARTS)
    assert content(store, key, len(whole)) == whole
    store.delete(key)


def test_a_completion_may_leave_parts_out(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    upload_id = store.begin(key, shared=True).upload_id
    one = store.resume(key, upload_id).send(1, slabs(PARTS[0]))
    store.resume(key, upload_id).send(2, slabs(PARTS[1]))
    store.resume(key, upload_id).commit([(1, one)])
    assert content(store, key, PART) == PARTS[0]
    store.delete(key)


def test_a_completion_that_is_sent_again_finds_the_object(offered: Subject) -> None:
    """The answer to the first one was lost between Glance and the gateway."""
    store, key = offered.store, offered.key()
    upload_id = store.begin(key, shared=True).upload_id
    parts = [(1, store.resume(key, upload_id).send(1, slabs(PARTS[0])))]
    first = store.resume(key, upload_id).commit(parts)
    assert store.resume(key, upload_id).commit(parts) == first
    store.delete(key)


def test_a_part_with_another_etag_is_refused(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    upload_id = store.begin(key, shared=True).upload_id
    store.resume(key, upload_id).send(1, slabs(PARTS[0]))
    for parts in ([(1, f'"{"0" * 32}"')], [(2, f'"{"0" * 32}"')]):
        with pytest.raises(StoreError) as refused:
            store.resume(key, upload_id).commit(parts)
        assert refused.value.code == "InvalidPart"
    store.abandon(key, upload_id)


def test_an_upload_says_when_its_last_part_came(subject: Subject) -> None:
    store, key = subject.store, subject.key()
    upload_id = store.begin(key, shared=True).upload_id
    assert store.untouched(key, upload_id) == math.inf
    store.resume(key, upload_id).send(1, slabs(PARTS[0]))
    # The store's Date has whole seconds, and the time of a part may have more.
    assert -1 <= store.untouched(key, upload_id) < 60
    store.abandon(key, upload_id)
    with pytest.raises(ObjectNotFound):
        store.untouched(key, upload_id)


def test_an_upload_that_is_gone_takes_no_part(offered: Subject) -> None:
    store, key = offered.store, offered.key()
    upload_id = store.begin(key, shared=True).upload_id
    store.abandon(key, upload_id)
    with pytest.raises(ObjectNotFound) as refused:
        store.resume(key, upload_id).send(1, slabs(PARTS[0]))
    assert refused.value.code == "NoSuchUpload"
    with pytest.raises(ObjectNotFound):
        store.resume(key, upload_id).commit([(1, f'"{"0" * 32}"')])
