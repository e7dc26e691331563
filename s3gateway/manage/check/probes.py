# SPDX-License-Identifier: Apache-2.0
"""What a server can do, each found out by trying it on an object of no image.

A probe is handed a store and the key of an object that is there.  It may replace the
object, and leaves no upload; should it be killed, ``gc`` collects what it left.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from collections.abc import Iterator

from s3gateway.errors import ObjectExists
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.http.ranges import Span
from s3gateway.manage.check import findings
from s3gateway.manage.check import lifecycle as rules
from s3gateway.manage.check.findings import Finding
from s3gateway.s3 import conditional
from s3gateway.s3 import dates
from s3gateway.s3.conditional import ConditionalPut
from s3gateway.s3.seals import Seal
from s3gateway.s3.store import S3Store

DATA = b"0123456789"
VIEWS = (memoryview(DATA),)
_WRONG_HASH = "0" * 64
_MOST_PARTS = 10_000
_SKEW = 60.0  # seconds that nobody minds

_UPLOADS_RACE = (
    "Two uploads to one image may both run; the gateway looks again before it "
    "registers one, and the image decides which of them counts."
)

Probe = Callable[[S3Store, str], Finding]


def conditional_put(store: S3Store, key: str) -> Finding:
    """If-None-Match on a PUT, by which a claim keeps other uploads out."""
    found = conditional.try_out(store.bucket)
    if found is None:
        return findings.warning(
            "conditional_put_uncertain",
            "conditional PUT",
            "not certain",
            "The server answered differently each time: run this again.",
        )
    if found is ConditionalPut.DECIDES:
        return findings.ok("conditional_put_decides", "conditional PUT", found.value)
    return findings.note(
        "conditional_put_does_not_decide", "conditional PUT", found.value, _UPLOADS_RACE
    )


def conditional_complete(store: S3Store, key: str) -> Finding:
    """If-None-Match on a CompleteMultipartUpload; nothing depends on it."""
    subject = "conditional Complete"
    with _upload(store, key) as upload_id:
        parts = [store.bucket.put_part(key, upload_id, 1, VIEWS)]
        try:
            store.bucket.ask(
                "complete_multipart_upload",
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
        except ObjectExists:
            return findings.ok("conditional_complete_checks", subject, "checks")
    remark = "Not needed: every upload has a key of its own."
    return findings.ok("conditional_complete_ignored", subject, "ignored", remark)


def versions(store: S3Store, key: str) -> Finding:
    """If-Match on a GET, by which a download that goes on stays in one version."""
    try:
        store.bucket.get(key, {"If-Match": '"another"'}).close()
    except ObjectExists:
        return findings.ok("if_match_checks", "If-Match", "checks")
    remark = "The gateway compares the etag of every answer."
    return findings.ok("if_match_ignored", "If-Match", "ignored", remark)


def ranges(store: S3Store, key: str) -> Finding:
    """Range on a GET."""
    reader = store.read(key, Span(2, 5), size=len(DATA))
    reader.close()
    if reader.ranged:
        return findings.ok("ranges_answered", "ranges", "yes")
    return findings.warning(
        "ranges_ignored",
        "ranges",
        "ignored",
        "Downloads use one connection; a part of an image, and a download that was "
        "broken off, cost all that lies before them.",
    )


def checksums(store: S3Store, key: str) -> Finding:
    """Whether a body is refused that is not what was signed."""
    if store.bucket.connection.secure:
        return findings.ok("checksums_of_tls", "checksums", "TLS")
    try:
        store.bucket.put(key, VIEWS, seal=Seal(_WRONG_HASH))
    except StoreError:
        return findings.ok("checksums_enforced", "checksums", "enforced")
    return findings.warning(
        "checksums_ignored",
        "checksums",
        "ignored",
        "A byte that is damaged on its way is stored as it is, and found by a "
        "download with verify_downloads only; use https.",
    )


def part_numbers(store: S3Store, key: str) -> Finding:
    """How many parts an upload may have."""
    with _upload(store, key) as upload_id:
        for number in (_MOST_PARTS, 1000):
            with contextlib.suppress(StoreError):
                store.bucket.put_part(key, upload_id, number, VIEWS)
                break
        else:
            return findings.warning(
                "parts_unknown",
                "parts",
                "unknown",
                "The server took neither part 10,000 nor part 1,000.",
            )
    if number == _MOST_PARTS:
        return findings.ok("parts_enough", "parts", f"{number:,}")
    return findings.warning(
        "parts_few",
        "parts",
        f"fewer than {_MOST_PARTS:,}",
        f"Images of more than {number:,} parts of s3_store_large_object_chunk_size "
        "cannot be uploaded; raise that option, or the server's limit.",
    )


def list_uploads(store: S3Store, key: str) -> Finding:
    """Whether uploads that were not completed can be found."""
    all_keys, by_key = set(), set()
    with _upload(store, key):
        try:
            all_keys = {found.key for found in store.uploads()}
            page = store.bucket.ask("list_multipart_uploads", Prefix=key)
            by_key = {upload["Key"] for upload in page.get("Uploads", [])}
        except (StoreDenied, StoreUnavailable):
            raise
        except StoreError:
            pass  # it has no such list
    if key in all_keys:
        return findings.ok("uploads_listed", "list of uploads", "all")
    return findings.note(
        "uploads_not_listed",
        "list of uploads",
        "by whole key" if key in by_key else "none",
        "gc finds the uploads that claims name, and no others; let a lifecycle rule "
        "abort incomplete uploads.",
    )


def clock(store: S3Store, key: str) -> Finding:
    """How far the server's clock is from this host's, and whether it shows dates."""
    page = store.bucket.ask("list_objects_v2", Prefix=key, MaxKeys=1)
    entries = page.get("Contents", [])
    written = [dates.known(entry.get("LastModified")) for entry in entries]
    with contextlib.closing(store.bucket.get(key)) as answer:
        written.append(dates.parsed(answer.headers.get("Last-Modified")))
    if None in written:
        return findings.warning(
            "clock_without_last_modified",
            "clock",
            "no Last-Modified",
            "All in the bucket seems to be new: gc collects nothing, and what a killed "
            "upload leaves keeps its image busy. Look for a proxy in front of the "
            "server that drops headers.",
        )
    shown = dates.of_answer(page)
    if shown is None:
        return findings.note(
            "clock_without_date",
            "clock",
            "no Date",
            "The age of claims is reckoned by the clocks of the gateways' hosts: let "
            "NTP set them.",
        )
    skew = (shown - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    state = f"{skew:+.0f} s"
    if abs(skew) < _SKEW:
        return findings.ok("clock_right", "clock", state)
    return findings.warning(
        "clock_skewed",
        "clock",
        state,
        "S3 refuses requests when the clocks are 15 minutes apart; let NTP set both.",
    )


def versioning(store: S3Store, key: str) -> Finding:
    """Whether what is deleted stays as a version, with a marker before it."""
    try:
        status = store.bucket.ask("get_bucket_versioning").get("Status", "")
    except StoreError as error:
        return _not_told("versioning", error, "s3:GetBucketVersioning")
    if status != "Enabled":
        return findings.ok("versioning_off", "versioning", "off")
    return findings.note(
        "versioning_on",
        "versioning",
        "on",
        "Deleted images cost as much as before, and each claim and each check leaves "
        "versions and a marker: let a lifecycle rule expire noncurrent versions and "
        "expired delete markers.",
    )


def lifecycle(store: S3Store, key: str) -> Finding:
    """What rules of the bucket do to images and to incomplete uploads."""
    try:
        answer = store.bucket.ask("get_bucket_lifecycle_configuration")
    except ObjectNotFound:
        return rules.judged([])
    except StoreError as error:
        return _not_told(rules.SUBJECT, error, "s3:GetLifecycleConfiguration")
    return rules.judged(answer.get("Rules", []))


def _not_told(subject: str, error: StoreError, right: str) -> Finding:
    """Return the finding that something of the bucket is not shown to us."""
    if isinstance(error, StoreDenied):
        advice = f"{error}: give the user of the keys {right} to have it looked at."
        return findings.note("bucket_setting_no_right", subject, "no right", advice)
    return findings.note("bucket_setting_unknown", subject, "unknown", f"{error}.")


#: In the order of the report: what each looks at, and the rights that it needs.
ALL: dict[Probe, tuple[str, str]] = {
    conditional_put: ("conditional PUT", "s3:PutObject and s3:DeleteObject"),
    conditional_complete: (
        "conditional Complete",
        "s3:PutObject and s3:AbortMultipartUpload",
    ),
    versions: ("If-Match", "s3:GetObject"),
    ranges: ("ranges", "s3:GetObject"),
    checksums: ("checksums", "s3:PutObject"),
    part_numbers: ("parts", "s3:PutObject and s3:AbortMultipartUpload"),
    list_uploads: ("list of uploads", "s3:ListBucketMultipartUploads"),
    clock: ("clock", "s3:ListBucket"),
    versioning: ("versioning", "s3:GetBucketVersioning"),
    lifecycle: (rules.SUBJECT, "s3:GetLifecycleConfiguration"),
}


#: Those that need no object.
READING: tuple[Probe, ...] = (versioning, lifecycle)


@contextlib.contextmanager
def _upload(store: S3Store, key: str) -> Iterator[str]:
    """Begin an upload, and abort it in the end."""
    upload_id = store.begin(key).upload_id
    try:
        yield upload_id
    finally:
        store.abandon(key, upload_id)
