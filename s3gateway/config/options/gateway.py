# SPDX-License-Identifier: Apache-2.0
"""Options of ``[s3gateway]``: locations, keys, registration, health check."""

from __future__ import annotations

from oslo_config import cfg

MAIN_OPTS = [
    cfg.StrOpt(
        "show_locations",
        default="masked",
        choices=[
            ("masked", "every user to whom Glance shows locations, as mask_format"),
            ("admin", "only users that the policy rule see_locations allows"),
            ("never", "no user"),
        ],
        help="""
Which users see S3 locations of images.

Nobody sees an S3 host, a bucket or a key. The gateway does not change locations of
other schemes: Nova and Cinder need them.
""",
    ),
    cfg.StrOpt(
        "mask_format",
        default="s3://{store}/{image_id}",
        help="""
URL that users see in place of an S3 location.

``{store}`` is replaced by the identifier of the store and ``{image_id}`` by the id of
the image. The URL must begin with ``s3://``. It must not look like one of Glance's
own, which has a host, a bucket and a key.
""",
    ),
    cfg.ListOpt(
        "pass_location_schemes",
        default=["rbd", "cinder"],
        help="""
Location schemes that the gateway does not restrict. Glance's own policy still
applies.

Nova and Cinder write ``rbd`` and ``cinder`` locations with the tokens of their users.
Locations of any other scheme need the policy rule ``manage_locations``, which by
default allows admins and services.
""",
    ),
    cfg.StrOpt(
        "s3_store_access_key_file",
        default="",
        help="""
File with the access key of a store. It replaces ``s3_store_access_key``.

``{store}`` in the path is replaced by the identifier of the store. The gateway reads
the file again when it changes and when S3 answers 403, so keys can be rotated without
a restart.
""",
    ),
    cfg.StrOpt(
        "s3_store_secret_key_file",
        default="",
        help="""
File with the secret key of a store. It replaces ``s3_store_secret_key``.

It works as ``s3_store_access_key_file`` does.
""",
    ),
    cfg.StrOpt(
        "glance_id",
        default="",
        sample_default="<computed from [database] connection>",
        help="""
Identifier of this Glance, stored with every object in S3.

``s3gateway-manage gc`` deletes only objects that carry this identifier. All gateways
of one Glance, and ``s3gateway-manage``, must have the same value. Two Glances that
may use the same bucket must have different values. The output of ``uuidgen`` is a
good value. By default the gateway computes it from the host, port and name of the
database in ``[database] connection``. A stand-alone gateway does not know the
database: set the option there, and to the same value in Glance's own configuration.
""",
    ),
    cfg.StrOpt(
        "policy_file",
        default="",
        help="""
File with the gateway's own policy rules.

By default the gateway looks for them in Glance's policy file.
""",
    ),
    cfg.StrOpt(
        "register_as",
        default="user",
        choices=[
            ("user", "the uploading user; set_image_location must allow all users"),
            ("service", "the gateway; set_image_location may be for admins only"),
        ],
        help="""
Identity that registers uploaded data in Glance's API.

Glance's policy rule ``upload_image`` decides in both cases who may upload.
""",
    ),
    cfg.StrOpt(
        "registration",
        default="auto",
        choices=[
            ("auto", "Glance's own code in this process if it fits, else as with api"),
            ("api", "requests to Glance's API"),
        ],
        help="""
How a filter in Glance's pipeline makes an image active.

Registration by the API needs ``show_multiple_locations``, and the policy rule
``set_image_location`` for all users. A stand-alone gateway always uses the API.
""",
    ),
    cfg.FloatOpt(
        "claim_grace",
        default=300.0,
        min=1.0,
        help="""
Time without progress after which an upload counts as dead, in seconds.

The next upload to the same image, or ``s3gateway-manage gc``, then takes over its
claim and deletes what it left. All gateways of one Glance must have the same value.
""",
    ),
    cfg.StrOpt(
        "ready_when",
        default="any",
        choices=[
            ("any", "one store; the gateway goes on serving the stores that are left"),
            ("all", "all stores; one dead store makes every gateway unready"),
        ],
        help="How many stores must answer for the health check to report ready.",
    ),
    cfg.FloatOpt(
        "health_interval",
        default=5.0,
        min=0.0,
        help="""
Time between two probes of the stores by one process, in seconds.

After the first health check each process probes the stores at this interval, and
answers health checks from memory. With 0 it probes the stores at every health check.
""",
    ),
    cfg.FloatOpt(
        "health_timeout",
        default=3.0,
        min=0.1,
        help="Longest time a store may take to answer a probe, in seconds.",
    ),
    cfg.IntOpt(
        "health_fall",
        default=3,
        min=1,
        help="Failed probes in a row after which a store counts as down.",
    ),
    cfg.IntOpt(
        "health_rise",
        default=2,
        min=1,
        help="Answered probes in a row after which a store counts as up again.",
    ),
]
