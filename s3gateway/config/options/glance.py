# SPDX-License-Identifier: Apache-2.0
"""Glance's own options that the gateway reads too, but for those of its stores."""

from __future__ import annotations

from oslo_config import cfg

GLANCE_OPTS = [
    cfg.DictOpt("enabled_backends", help="Store identifiers and their types."),
    cfg.StrOpt(
        "default_backend",
        help="The option's place in the first multi-store releases; "
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
        help="Needed to see and register locations through Glance's API.",
    ),
    cfg.StrOpt(
        "default_publisher_id",
        default="image.localhost",
        help="Publisher of the notifications.",
    ),
    cfg.ListOpt(
        "disabled_notifications",
        default=[],
        help="Notifications, or groups of them, that Glance does not send.",
    ),
    cfg.BoolOpt(
        "delayed_delete",
        default=False,
        help="Keep the data of deleted images for glance-scrubber.",
    ),
    cfg.BoolOpt(
        "use_keystone_limits",
        default=False,
        help="Bound uploads by Keystone's unified limits.",
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
        help="GPT safety checks that only log a failure.",
    ),
]

DATABASE_OPTS = [
    cfg.StrOpt("connection", default="", secret=True, help="Glance's database.")
]
