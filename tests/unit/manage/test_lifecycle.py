# SPDX-License-Identifier: Apache-2.0
"""Which lifecycle rules can hit an image, and what they do to it then."""

from __future__ import annotations

from typing import Any

import pytest

from s3gateway.manage.check.findings import Severity
from s3gateway.manage.check.lifecycle import judged

EXPIRES = {"Expiration": {"Days": 30}}
ABORTS = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
UUID = "6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11"


def rule(what: dict[str, Any], **where: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "Filter": {"Prefix": ""}, **what, **where}


def moved(storage_class: str) -> dict[str, Any]:
    return {"Transitions": [{"Days": 30, "StorageClass": storage_class}]}


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"Filter": {}},
        {"Filter": {"Prefix": "6f2"}},
        {"Filter": {"Prefix": UUID}},
        {"Filter": {"Prefix": UUID.upper() + ".0123"}},
        {"Filter": {"ObjectSizeGreaterThan": 1000}},
        {"Filter": {"And": {"Prefix": "a", "ObjectSizeLessThan": 10**12}}},
        {"Filter": None, "Prefix": ""},
        {"Filter": None, "Prefix": "0"},
    ],
)
@pytest.mark.parametrize(
    ("what", "found"),
    [
        (EXPIRES, "expires objects"),
        ({"Expiration": {"Date": "2027-01-01"}}, "expires objects"),
        (moved("GLACIER"), "archives objects"),
        (moved("DEEP_ARCHIVE"), "archives objects"),
        ({"Transition": {"Days": 1, "StorageClass": "GLACIER"}}, "archives objects"),
    ],
)
def test_rules_that_destroy_images(
    what: dict[str, Any], where: dict[str, Any], found: str
) -> None:
    finding = judged([rule(what, **where)])
    assert (finding.severity, finding.found) == (Severity.ERROR, found)


@pytest.mark.parametrize(
    "where",
    [
        {"Filter": {"Prefix": "backups/"}},
        {"Filter": {"Prefix": ".s3gateway/"}},
        {"Filter": {"Prefix": UUID + "/"}},
        {"Filter": {"Prefix": UUID + ".0123456789abcdef0"}},
        {"Filter": {"Tag": {"Key": "temporary", "Value": "yes"}}},
        {"Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}}},
        {"Filter": None, "Prefix": "logs"},
        {"Status": "Disabled"},
    ],
)
@pytest.mark.parametrize("what", [EXPIRES, moved("GLACIER"), ABORTS])
def test_rules_that_hit_no_image(what: dict[str, Any], where: dict[str, Any]) -> None:
    finding = judged([rule(what, **where)])
    assert (finding.severity, finding.found) == (Severity.NOTE, "none")


@pytest.mark.parametrize(
    "what",
    [
        moved("STANDARD_IA"),
        moved("GLACIER_IR"),
        moved("INTELLIGENT_TIERING"),
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    ],
)
def test_rules_that_do_images_no_harm(what: dict[str, Any]) -> None:
    assert judged([rule(what)]).severity is Severity.NOTE


def test_uploads_are_aborted() -> None:
    assert judged([rule(ABORTS)]).found == "aborts incomplete uploads"
    both = [rule(ABORTS), rule(EXPIRES)]
    assert judged(both).found == judged(both[::-1]).found == "expires objects"
    assert judged([]).found == "none"


@pytest.mark.parametrize(
    "where",
    [
        {"Filter": {"Prefix": "6f2"}},
        {"Filter": None, "Prefix": "0"},
        {"Filter": {"ObjectSizeGreaterThan": 1000}},
        {"Filter": {"And": {"Prefix": "", "ObjectSizeLessThan": 1000}}},
    ],
)
def test_a_rule_that_aborts_the_uploads_of_some_images(where: dict[str, Any]) -> None:
    """What is left of the others is still for gc to collect."""
    finding = judged([rule(ABORTS, **where)])
    assert (finding.severity, finding.found) == (Severity.NOTE, "none")
