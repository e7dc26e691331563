# SPDX-License-Identifier: Apache-2.0
"""What a bucket's lifecycle rules do to images: pure functions of the rules.

A rule counts if it can hit the key of an image, ``<uuid>`` or ``<uuid>.<nonce>``, which
has no tags.  https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding

SUBJECT = "lifecycle"

#: An image's key, ``h`` for a hexadecimal digit.
_KEY = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh.hhhhhhhhhhhhhhhh"
_SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")
#: What is in these has to be restored before it can be read.
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def judged(rules: Sequence[Mapping[str, Any]]) -> Finding:
    """Return what the rules of a bucket mean."""
    ours = [rule for rule in rules if _hits_images(rule)]
    if any({"Days", "Date"} & set(rule.get("Expiration", {})) for rule in ours):
        return findings.error(
            "lifecycle_expires_images",
            SUBJECT,
            "expires objects",
            "A rule of the bucket deletes the data of images that Glance still has; "
            "remove it.",
        )
    if any(_archives(rule) for rule in ours):
        return findings.error(
            "lifecycle_archives_images",
            SUBJECT,
            "archives objects",
            "A rule of the bucket moves images into a class in which they cannot be "
            "read; remove it, or move them to GLACIER_IR.",
        )
    if any(
        "AbortIncompleteMultipartUpload" in rule for rule in ours if _hits_all(rule)
    ):
        return findings.ok(
            "lifecycle_aborts_uploads", SUBJECT, "aborts incomplete uploads"
        )
    return findings.note(
        "lifecycle_aborts_nothing",
        SUBJECT,
        "none",
        "What killed uploads leave is for gc alone to collect.",
    )


def _hits_images(rule: Mapping[str, Any]) -> bool:
    """Whether a rule can hit an image, of whichever size."""
    if rule.get("Status") != "Enabled":
        return False
    found = _filter(rule)
    if "Tag" in found or found.get("Tags"):
        return False
    return _may_begin_a_key(_prefix(rule))


def _hits_all(rule: Mapping[str, Any]) -> bool:
    """Whether a rule that can hit an image hits them all."""
    return not _prefix(rule) and not any(size in _filter(rule) for size in _SIZES)


def _filter(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = rule.get("Filter") or {}
    return found.get("And") or found


def _prefix(rule: Mapping[str, Any]) -> str:
    return _filter(rule).get("Prefix") or rule.get("Prefix") or ""


def _may_begin_a_key(prefix: str) -> bool:
    if len(prefix) > len(_KEY):
        return False
    form = _KEY[: len(prefix)].replace(".", r"\.").replace("h", "[0-9a-fA-F]")
    return re.fullmatch(form, prefix) is not None


def _archives(rule: Mapping[str, Any]) -> bool:
    moves = [*rule.get("Transitions", []), rule.get("Transition", {})]
    return any(move.get("StorageClass") in _ARCHIVES for move in moves)
