# SPDX-License-Identifier: Apache-2.0
"""The configuration options: Glance's own that we read, and ``[s3gateway]``.

Only declarations live here.  ``settings.py`` reads and checks the values.

The ``s3_store_*`` options and the groups they are looked up in follow
glance_store 5.7 (``glance_store/_drivers/s3.py``, ``driver.py`` and
``backend.py``): a block that Glance accepts has the same meaning here.
"""

from __future__ import annotations

from oslo_config import cfg

from s3gateway.health_options import HEALTH_OPTS

GROUP = "s3gateway"
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
        help="Use the two checksum options below.",
    ),
    cfg.StrOpt(
        "s3_store_request_checksum_calculation",
        default="when_required",
        choices=["when_required", "when_supported"],
        help="When boto3 adds checksums to requests.",
    ),
    cfg.StrOpt(
        "s3_store_response_checksum_validation",
        default="when_required",
        choices=["when_required", "when_supported"],
        help="When boto3 checks the checksums of answers.",
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
        "s3_store_object_metadata",
        default=False,
        help="Whether objects carry the image's id, and its hash where it is known.",
    ),
]

GATEWAY_OPTS = [
    cfg.StrOpt(
        "show_locations",
        default="masked",
        choices=["masked", "admin", "never"],
        help="""
Who sees that an image has locations in S3.

``masked``: whoever Glance shows locations to, in the form of ``mask_format``;
``admin``: of those, the ones that the policy rule ``see_locations`` names;
``never``: nobody. Nobody ever sees a host, a bucket or a key. Locations of other
schemes are not touched: Nova and Cinder need them.
""",
    ),
    cfg.StrOpt(
        "mask_format",
        default="s3://{store}/{image_id}",
        help="""
What users see in place of an S3 location URI.

``{store}`` becomes the identifier of the store and ``{image_id}`` the id of the
image. It begins with ``s3://`` and must not look like a URI of Glance's own, which
has a host, a bucket and a key.
""",
    ),
    cfg.ListOpt(
        "pass_location_schemes",
        default=["rbd", "cinder"],
        help="""
Schemes of locations that may be written by whoever Glance lets.

Nova and Cinder write ``rbd`` and ``cinder`` locations with the tokens of their
users. Locations of any other scheme may be written by whom the policy rule
``manage_locations`` names, by default admins and services.
""",
    ),
    cfg.StrOpt(
        "s3_store_access_key_file",
        default="",
        help="""
File with the access key of a store, in place of ``s3_store_access_key``.

``{store}`` in it becomes the identifier of the store. The file is read again when
it changes and when S3 answers 403, so that keys can be rotated without a restart.
""",
    ),
    cfg.StrOpt(
        "s3_store_secret_key_file",
        default="",
        help="""
File with the secret key of a store, in place of ``s3_store_secret_key``.

As ``s3_store_access_key_file``.
""",
    ),
    cfg.StrOpt(
        "policy_file",
        default="",
        help="""
File of the gateway's own policy rules.

By default they are looked for in Glance's policy file.
""",
    ),
    cfg.IntOpt(
        "upload_buffer",
        default=64,
        min=10,
        help="""
Most memory one upload may fill with parts on their way to S3, in MiB.

The number of parts in flight is this divided by the part size
(``s3_store_large_object_chunk_size``), at most ``s3_store_thread_pools`` and
at least two: more memory means more parts at once, which helps where each
connection to S3 is slow.
""",
    ),
    cfg.IntOpt(
        "download_piece",
        default=8,
        min=1,
        help="""
Size of the pieces that are read ahead of a client, in MiB.
""",
    ),
    cfg.IntOpt(
        "download_window",
        default=12,
        min=1,
        help="""
Most pieces of one download that are under way or in memory at once.

A download begins with one connection. More are opened while that one is what the
client waits for, as it is with an S3 that is far away; 1 never opens another.
""",
    ),
    cfg.IntOpt(
        "download_memory",
        default=512,
        min=0,
        help="""
Most memory for pieces of all downloads of a process, in MiB.

When it is used up further downloads go on with one connection.
""",
    ),
    cfg.BoolOpt(
        "verify_downloads",
        default=False,
        help="""
Whether the digest of an image is checked while it is downloaded.

The connection is broken before the last byte if it is not the one that Glance
shows. Ranges are not checked.
""",
    ),
    cfg.IntOpt(
        "drain_limit",
        default=64,
        min=0,
        help="""
How much of a refused upload's body is read and thrown away, in MiB.

A client that is still sending when the refusal arrives often sees a broken
connection in its place.  Up to this much is taken so that it reads the answer.
""",
    ),
    cfg.StrOpt(
        "register_as",
        default="user",
        choices=["user", "service"],
        help="""
Who tells Glance where uploaded data is.

``user``: the one who uploads, which Glance's policy rule ``set_image_location``
must allow; ``service``: the gateway itself, for a Glance whose policy gives that
rule to admins only. Who may upload is Glance's rule ``upload_image`` either way.
""",
    ),
    cfg.FloatOpt(
        "claim_grace",
        default=300.0,
        min=1.0,
        help="""
How long an upload may make no progress before it counts as dead, in seconds.

The next upload to the same image, or ``s3gateway-manage gc``, then takes its claim
over and collects what it has left. It is the same for all gateways of a Glance.
""",
    ),
    cfg.FloatOpt(
        "connect_timeout",
        default=10.0,
        min=0.1,
        help="How long connecting to S3 may take, in seconds.",
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=60.0,
        min=0.1,
        help="How long S3 may stay silent within an answer, in seconds.",
    ),
    cfg.FloatOpt(
        "retry_time",
        default=60.0,
        min=0.0,
        help="""
How long a failed request to S3 is tried again, in seconds.

It bounds the retries of one part of an upload, and the time a download waits
for its store to come back in mid-image.
""",
    ),
    *HEALTH_OPTS,
]
