# SPDX-License-Identifier: Apache-2.0
"""Which credentials botocore's chain has for a store; their values are not shown."""

from __future__ import annotations

from collections.abc import Iterator

from s3gateway.config.stores import StoreSettings
from s3gateway.errors import StoreError
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding
from s3gateway.s3.credentials import Chained


def check(chained: Chained, store: StoreSettings) -> Iterator[Finding]:
    """Yield what signs the requests to a store, and what Glance's own driver lacks."""
    subject = f"store {store.name}"
    try:
        chained.get_frozen_credentials()
        yield _kind(subject, chained)
    except StoreError:  # the finding about access says why
        return
    if not store.location_keys.access_key:
        yield findings.note(
            "no_keys_for_glance",
            subject,
            "no keys for Glance's own driver",
            "Uploads and downloads are the gateway's and work. Where Glance runs it "
            "needs s3_store_access_key and s3_store_secret_key: without them imports, "
            "copies and web-download fail, and deletes leave the data in S3.",
        )


def _kind(subject: str, chained: Chained) -> Finding:
    found = f"credentials: {chained.kind}"
    if chained.lasting:
        return findings.ok("credentials_found", subject, found)
    return findings.warning(
        "credentials_not_renewed",
        subject,
        found,
        "They have a session token and nothing renews them: when it has expired, all "
        "requests fail until the source has another.",
    )
