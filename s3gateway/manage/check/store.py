# SPDX-License-Identifier: Apache-2.0
"""All there is to find out about a store, for the operator."""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Iterator

from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import MIB
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.locations import redaction
from s3gateway.manage.check import chain
from s3gateway.manage.check import findings
from s3gateway.manage.check import probes
from s3gateway.manage.check import reach
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Severity
from s3gateway.s3 import trials
from s3gateway.s3 import unsigned
from s3gateway.s3.store import S3Store
from s3gateway.upload.parts import MAX_PARTS

_ACCESS = "access"
_CONNECT_TIMEOUT = 5.0  # seconds
_READ_TIMEOUT = 20.0
_RETRY_TIME = 2.0
_MEBIBYTE = memoryview(bytes(MIB))

#: Where a URI in a text ends.
_ODD = re.compile(r"""[<>'"\\\s]""")


def check(
    store: StoreSettings, transfer: TransferSettings, *, write: bool = True
) -> Iterator[Finding]:
    """Yield what is found out about a store, for the report.

    :param write: whether objects may be written to it
    """
    subject = f"store {store.name}"
    impatient = dataclasses.replace(
        transfer,
        connect_timeout=min(transfer.connect_timeout, _CONNECT_TIMEOUT),
        read_timeout=min(transfer.read_timeout, _READ_TIMEOUT),
        retry_time=_RETRY_TIME,
    )
    tried = S3Store(store, impatient)
    found = examine(tried) if write else look_at(tried)
    if tried.bucket.chained is not None:
        yield from chain.check(tried.bucket.chained, store)
    for each in found:
        yield each.of(subject)
    if write and len(found) > 1 and unsigned.wanted(tried.bucket):
        yield _unsigned(subject, tried)
    yield from _of_configuration(subject, store)


def _unsigned(subject: str, store: S3Store) -> Finding:
    """Say what comes of ``s3_store_unsigned_payload``."""
    refused = unsigned.try_out(store.bucket)
    if refused:
        return findings.ok(
            "payloads_unsigned",
            subject,
            "a wrong CRC32 is refused, payloads go unsigned",
        )
    return findings.warning(
        "payloads_signed_nevertheless",
        subject,
        "payloads stay signed",
        "A body with a wrong CRC32 is "
        f"{'not certainly refused' if refused is None else 'taken'}: "
        "s3_store_unsigned_payload has no effect here, leave it out.",
    )


def _of_configuration(subject: str, store: StoreSettings) -> Iterator[Finding]:
    """Yield what no server has to be asked for."""
    if not store.endpoint.startswith("https:"):
        yield findings.note(
            "store_without_tls",
            subject,
            "without TLS",
            "Anybody on the way to it can read the images: use https if that is not "
            "a network of your own.",
        )
    if store.equal_parts:
        yield findings.note(
            "size_limited_without_length",
            subject,
            f"{store.part_size // MIB * MAX_PARTS} MiB without a size",
            "An image may be so large unless its size is announced: raise "
            "s3_store_large_object_chunk_size for larger ones.",
        )
    secret_key = store.keys.current().secret_key
    if not secret_key:  # with a chain there need be none
        return
    if len(secret_key) < redaction.MIN_LENGTH:
        yield findings.warning(
            "secret_key_short",
            subject,
            f"secret key of fewer than {redaction.MIN_LENGTH} characters",
            "It is masked in location URIs, but texts that leave are not searched for "
            "it, because so short a word may occur anywhere: use a longer key.",
        )
    if _ODD.search(secret_key):
        yield findings.warning(
            "secret_key_with_odd_characters",
            subject,
            "secret key with odd characters",
            "A location URI in a text, as in an error of Glance's, seems to end at a "
            "blank or one of < > ' \" \\ in the key: use a key without them.",
        )


def examine(store: S3Store) -> list[Finding]:
    """Find out all that a store's server says; takes seconds and leaves nothing.

    The first finding is ``access``.  If it is an error the store cannot be used at
    all, and it is the only one.  Never raises a ``StoreError``.
    """
    access = _access(store)
    if not _usable(access):
        return [access]
    key = trials.PREFIX + secrets.token_hex(8)
    try:
        failure = _written(store, key)
        probed = [] if failure else [_probe(store, each, key) for each in probes.ALL]
    finally:
        left = _deleted(store, key)  # a write that failed may have been done
    if problem := failure or left:
        return [problem]
    return [access, *probed]


def look_at(store: S3Store) -> list[Finding]:
    """Find out what can be known without a write.  Never raises a ``StoreError``."""
    access = _access(store)
    if not _usable(access):
        return [access]
    untried = findings.note(
        "writing_not_tried",
        "writing",
        "not tried",
        "--no-write: all that needs an object is not known.",
    )
    return [access, untried, *(_probe(store, each, "") for each in probes.READING)]


def _usable(access: Finding) -> bool:
    """Whether there is a bucket that can be asked more."""
    is_there = access.code != "bucket_not_yet_there"
    return is_there and access.severity is not Severity.ERROR


def _access(store: S3Store) -> Finding:
    """Find out whether a store can be read and written, and if not why."""
    bucket = store.bucket
    timeout = bucket.transfer.connect_timeout
    try:
        connection = bucket.connection
    except StoreError as error:  # a chain has no credentials
        return findings.of_error(_ACCESS, store.name, error)
    if failure := reach.unreachable(store.settings, connection.cacert, timeout):
        return failure
    region = connection.region
    try:
        bucket.ask("list_objects_v2", MaxKeys=1)
    except ObjectNotFound as error:
        return _no_bucket(store, error)
    except StoreError as error:
        if error.code != "AccessDenied":  # writing may be allowed nevertheless
            return findings.of_error(_ACCESS, store.name, error)
    if bucket.connection.region != region:
        return _moved(store)
    return findings.ok("store_accessible", _ACCESS, "yes")


def _written(store: S3Store, key: str) -> Finding | None:
    """Write the object of all probes; return what is wrong if that is not possible."""
    try:
        store.bucket.put(key, probes.VIEWS)
    except StoreError as error:
        if error.code != "AccessDenied":
            return findings.of_error(_ACCESS, store.name, error)
        return findings.error(
            "no_right_to_write",
            _ACCESS,
            "no write right",
            "The keys may read the bucket but not write to it; give their user "
            "s3:PutObject and s3:DeleteObject. If the bucket's policy demands "
            f"encryption, set s3_store_server_side_encryption ({error}).",
        )
    return _written_large(store, key)


def _written_large(store: S3Store, key: str) -> Finding | None:
    """Write as much as a part has in place of the object, which then is as before."""
    size = store.settings.part_size
    try:
        store.bucket.put(key, [_MEBIBYTE] * (size // MIB))
        store.bucket.put(key, probes.VIEWS)
    except StoreError as error:
        return findings.error(
            "no_body_of_a_part",
            _ACCESS,
            "no body of a part's size",
            f"A few bytes can be written, and {size // MIB} MiB cannot, which is a "
            f"part: {error}. Raise the limit on bodies of the proxy before the server "
            "(nginx: client_max_body_size), or its time-outs.",
        )
    return None


def _deleted(store: S3Store, key: str) -> Finding | None:
    """Delete the object again; return what is wrong if that is not possible."""
    try:
        store.delete(key)
    except StoreDenied as error:
        return findings.error(
            "no_right_to_delete",
            _ACCESS,
            "no right to delete",
            "Failed uploads and deleted images would stay for ever; give the user "
            f"of the keys s3:DeleteObject ({error}).",
        )
    except StoreError as error:
        return findings.of_error(_ACCESS, store.name, error)
    return None


def _no_bucket(store: S3Store, error: StoreError) -> Finding:
    if not store.settings.create_bucket:
        return findings.of_error(_ACCESS, store.name, error)
    return findings.note(
        "bucket_not_yet_there",
        _ACCESS,
        "no bucket",
        "The bucket does not exist; the first upload creates it. Check again then.",
    )


def _moved(store: S3Store) -> Finding:
    return findings.warning(
        "region_not_configured",
        _ACCESS,
        "wrong region",
        "The bucket is in another region, which the gateway finds out anew in every "
        f"process; set s3_store_region_name = {store.bucket.connection.region} in "
        f"[{store.name}].",
    )


def _probe(store: S3Store, probe: probes.Probe, key: str) -> Finding:
    subject, rights = probes.ALL[probe]
    try:
        return probe(store, key)
    except StoreDenied as error:
        advice = f"{error}: give the user of the keys {rights}."
        return findings.warning("probe_no_right", subject, "no right", advice)
    except StoreError as error:
        return findings.warning("probe_failed", subject, "unknown", f"{error}.")
