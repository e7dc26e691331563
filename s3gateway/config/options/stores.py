# SPDX-License-Identifier: Apache-2.0
"""Options of a store's section: glance_store's, and the gateway's own.

Names, defaults and sections follow glance_store 5.7 (``glance_store/_drivers/s3.py``,
``driver.py`` and ``backend.py``): a block that Glance accepts means the same here.
"""

from __future__ import annotations

from oslo_config import cfg

#: The gateway's own; Glance ignores them.
OWN_STORE_OPTS = [
    cfg.StrOpt(
        "s3_store_server_side_encryption",
        default="",
        choices=[
            ("", "the default of the bucket"),
            ("AES256", "a key of S3's own"),
            ("aws:kms", "a key of KMS"),
        ],
        help="How S3 encrypts new objects.",
    ),
    cfg.StrOpt(
        "s3_store_kms_key_id",
        default="",
        help="Id of the KMS key for ``aws:kms``; empty for S3's default key.",
    ),
    cfg.StrOpt(
        "s3_store_storage_class",
        default="",
        help="Storage class of images; empty for S3's default class.",
    ),
    cfg.BoolOpt(
        "s3_store_equal_parts",
        default=False,
        help="Send parts of one size, for servers that demand it.",
    ),
    cfg.BoolOpt(
        "s3_store_unsigned_payload",
        default=False,
        help="Protect images by a signed CRC32 over plain http, instead of a sha256.",
    ),
    cfg.StrOpt(
        "s3_store_credentials",
        default="static",
        choices=[
            ("static", "the configured keys or key files"),
            ("chain", "what botocore finds on this host"),
        ],
        help="""
Where the gateway gets the credentials that sign its requests.

``chain`` takes environment variables, a web identity, a profile, a credential process,
container credentials or an instance role, in the order of botocore, and renews them.
They are never written into a location. Glance itself still needs keys of its own.
""",
    ),
    cfg.StrOpt(
        "s3_store_profile",
        default="",
        help="Profile of the AWS files, for ``s3_store_credentials = chain``.",
    ),
    cfg.BoolOpt(
        "s3_store_object_metadata",
        default=False,
        help="""
Store the id of the image as object metadata.

An image that is uploaded in a single request also gets its hash.
""",
    ),
]

STORE_OPTS = [
    cfg.StrOpt("s3_store_host", help="URL of the S3 server."),
    cfg.StrOpt("s3_store_region_name", default="", help="S3 region."),
    cfg.StrOpt("s3_store_access_key", secret=True, help="S3 access key."),
    cfg.StrOpt("s3_store_secret_key", secret=True, help="S3 secret key."),
    cfg.StrOpt("s3_store_bucket", help="Bucket of the images."),
    cfg.BoolOpt(
        "s3_store_create_bucket_on_put",
        default=False,
        help="Create the bucket when it is missing.",
    ),
    cfg.StrOpt(
        "s3_store_bucket_url_format",
        default="auto",
        help="Addressing style: auto, virtual or path.",
    ),
    cfg.IntOpt(
        "s3_store_large_object_size",
        default=100,
        min=0,
        help="Images from this size on, in MiB, are multipart uploads.",
    ),
    cfg.IntOpt(
        "s3_store_large_object_chunk_size",
        default=10,
        help="Part size of a multipart upload, in MiB.",
    ),
    cfg.IntOpt(
        "s3_store_thread_pools",
        default=10,
        help="Most parts of one upload in flight.",
    ),
    cfg.StrOpt("s3_store_cacert", default="", help="CA bundle for https."),
    cfg.BoolOpt(
        "s3_store_enable_data_integrity_protection",
        default=False,
        help="Use the checksum option below.",
    ),
    cfg.StrOpt(
        "s3_store_request_checksum_calculation",
        default="when_required",
        choices=["when_required", "when_supported"],
        help="When boto3 adds checksums to requests.",
    ),
    *OWN_STORE_OPTS,
]
