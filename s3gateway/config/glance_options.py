# SPDX-License-Identifier: Apache-2.0
"""Glance's own options that the gateway reads, and those of a store's section.

Only declarations live here.  ``settings.py`` reads and checks the values.

The ``s3_store_*`` options and the groups they are looked up in follow
glance_store 5.7 (``glance_store/_drivers/s3.py``, ``driver.py`` and
``backend.py``): a block that Glance accepts has the same meaning here.
"""

from __future__ import annotations

from oslo_config import cfg

BACKEND_DEFAULTS = "backend_defaults"

GLANCE_OPTS = [
    cfg.DictOpt("enabled_backends", help="Store identifiers and their types."),
    cfg.StrOpt(
        "default_backend",
        help="Where the first multi-store specification put the option; "
        "[glance_store] default_backend comes first.",
    ),
    cfg.IntOpt(
        "image_size_cap",
        default=1024**4,
        min=1,
        help="Largest image a user may upload, in bytes.",
    ),
    cfg.StrOpt(
        "hashing_algorithm",
        default="sha512",
        help="Algorithm of os_hash_value, a name that hashlib knows.",
    ),
    cfg.BoolOpt(
        "show_multiple_locations",
        default=False,
        help="The gateway needs it: it sees and registers locations.",
    ),
    cfg.StrOpt(
        "default_publisher_id",
        default="image.localhost",
        help="Who sends the notifications.",
    ),
    cfg.ListOpt(
        "disabled_notifications",
        default=[],
        help="Notifications and groups of them that are not sent.",
    ),
    cfg.BoolOpt(
        "delayed_delete",
        default=False,
        help="Whether deleted images keep their data for glance-scrubber.",
    ),
    cfg.BoolOpt(
        "use_keystone_limits",
        default=False,
        help="Whether uploads are bounded by unified limits.",
    ),
]

GLANCE_STORE_OPTS = [
    cfg.StrOpt("default_backend", help="Store of uploads that name none."),
    cfg.ListOpt("stores", default=["file", "http"], help="Single-store form."),
    cfg.StrOpt("default_store", default="file", help="Single-store form."),
]

IMAGE_FORMAT_OPTS = [
    cfg.BoolOpt(
        "require_image_format_match",
        default=True,
        help="Refuse data that is not of the image's disk_format.",
    ),
    cfg.ListOpt(
        "gpt_safety_checks_nonfatal",
        default=[],
        help="Names of GPT safety checks that only log.",
    ),
]

#: The options of an ``s3`` store section.  Defaults are glance_store's.
STORE_OPTS = [
    cfg.StrOpt("s3_store_host", help="S3 endpoint, with or without scheme."),
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
    # Those that follow are the gateway's own; Glance does not look at them.
    cfg.StrOpt(
        "s3_store_server_side_encryption",
        default="",
        choices=["", "AES256", "aws:kms"],
        help="How S3 encrypts what is written: by its own key or one of KMS.",
    ),
    cfg.StrOpt(
        "s3_store_kms_key_id",
        default="",
        help="The KMS key; S3 has a default one.",
    ),
    cfg.StrOpt(
        "s3_store_storage_class",
        default="",
        help="The storage class of the images.",
    ),
    cfg.BoolOpt(
        "s3_store_equal_parts",
        default=False,
        help="Whether the server wants all parts of an upload to have one size.",
    ),
    cfg.BoolOpt(
        "s3_store_unsigned_payload",
        default=False,
        help="Whether over plain http a CRC32 vouches for images, not a sha256.",
    ),
    cfg.BoolOpt(
        "s3_store_object_metadata",
        default=False,
        help="Whether objects carry the image's id, and its hash where it is known.",
    ),
]
