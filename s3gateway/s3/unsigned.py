# SPDX-License-Identifier: Apache-2.0
"""Unsigned payloads: whether a server refuses a body whose signed CRC32 is wrong.

Over plain http something has to vouch for the bytes.  That is the sha256 in the
signature, or, where ``s3_store_unsigned_payload`` is set, a CRC32 in a signed header
field, which costs less than half.  It is worth something only if the server looks at
it, for a PUT and for a part, and that is found out by sending a wrong one.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from collections.abc import Iterator

from oslo_log import log as logging

from s3gateway.errors import StoreError
from s3gateway.s3 import metadata
from s3gateway.s3 import seals
from s3gateway.s3.bucket import CLEANING_TIME
from s3gateway.s3.bucket import Bucket
from s3gateway.s3.seals import Seal
from s3gateway.s3.trials import PREFIX
from s3gateway.s3.trials import Trial
from s3gateway.s3.trials import clean_up

LOG = logging.getLogger(__name__)

#: What servers answer to a body that is not what its checksum says.
_REFUSALS = {"BadDigest", "XAmzContentChecksumMismatch"}

_DATA = (memoryview(b"What is sent here"),)
_OTHER = (memoryview(b"What was meant to"),)
_RIGHT = seals.by_crc32(_DATA)
_WRONG = Seal(_RIGHT.payload, metadata.checksum(_OTHER))


class UnsignedPayloads:
    """Whether the payloads of a bucket's uploads go unsigned."""

    def __init__(self, bucket: Bucket) -> None:
        self._wanted = wanted(bucket)
        self._trial = Trial(bucket, try_out, meanwhile=False)

    def allowed(self) -> bool:
        """Whether they do by now; an upload that may not be unsigned is signed."""
        try:
            return self._wanted and self._trial.outcome()
        except StoreError:  # another thread's trial was broken off
            return False


def wanted(bucket: Bucket) -> bool:
    """Whether it makes a difference here; over TLS no payload is signed anyway."""
    settings = bucket.settings
    return settings.unsigned_payload and settings.endpoint.startswith("http:")


def try_out(bucket: Bucket) -> bool | None:
    """Find out whether wrong bodies are refused, ``None`` if that is not certain."""
    key = PREFIX + secrets.token_hex(8)
    cleaning_time = CLEANING_TIME
    try:
        with _upload(bucket, key) as upload_id:
            found = _refuses(lambda seal: bucket.put(key, _DATA, seal=seal)) and (
                _refuses(
                    lambda seal: bucket.put_part(key, upload_id, 1, _DATA, seal=seal)
                )
            )
    except StoreError as error:
        cleaning_time = 0.0  # the image itself has not been sent yet
        LOG.info(
            "Store %s: payloads stay signed, whether a wrong CRC32 is refused was not "
            "found out: %s",
            bucket.name,
            error,
        )
        return None
    finally:
        clean_up(bucket, key, cleaning_time)
    if found:
        LOG.info(
            "Store %s: a wrong CRC32 is refused, payloads go unsigned", bucket.name
        )
    else:
        LOG.info("Store %s: a wrong CRC32 is taken, payloads stay signed", bucket.name)
    return found


def _refuses(send: Callable[[Seal], object]) -> bool:
    """Whether the wrong one is refused, and the right one is not.

    :raises StoreError: if the right one is refused, or the wrong one for a reason that
        may be another
    """
    send(_RIGHT)
    try:
        send(_WRONG)
    except StoreError as error:
        if error.code not in _REFUSALS:
            raise
        return True
    return False


@contextlib.contextmanager
def _upload(bucket: Bucket, key: str) -> Iterator[str]:
    """Begin an upload, and abort it in the end."""
    upload_id = bucket.begin(key, None, crc32=True)
    try:
        yield upload_id
    finally:
        bucket.ask("abort_multipart_upload", Key=key, UploadId=upload_id)
