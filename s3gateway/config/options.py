# SPDX-License-Identifier: Apache-2.0
"""The gateway's own configuration options, ``[s3gateway]``.

Only declarations live here.  ``settings.py`` reads and checks the values.
"""

from __future__ import annotations

from oslo_config import cfg

from s3gateway.config.health_options import HEALTH_OPTS

GROUP = "s3gateway"

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
        "glance_id",
        default="",
        sample_default="<computed from [database] connection>",
        help="""
Which Glance the objects that are written belong to.

Each object carries it as metadata, and ``s3gateway-manage gc`` deletes no object that
carries another or none. It must be the same for all gateways of a Glance and where
``s3gateway-manage`` runs, and another for each other Glance that may come to use the
bucket: the output of ``uuidgen`` is a good one. By default it is computed from host,
port and name of Glance's database in ``[database] connection``. A stand-alone gateway
does not know the database: set it there, and to the same in Glance's own configuration.
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
    cfg.BoolOpt(
        "fast_lanes",
        default=True,
        help="""
Whether uploads may go past the WSGI server's own buffers.

Under gunicorn a body is received from the socket directly, which costs less. Off,
everything comes as WSGI has it; nothing else changes.
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
        "upload_memory",
        default=512,
        min=0,
        help="""
Most memory all uploads of a process may fill with parts, in MiB.

When it is used up uploads wait for each other. Each has one part at least, or it
would never end.
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
How much of a refused request's body is read and thrown away, in MiB.

A client that is still sending when the connection is closed often sees a reset in
place of the refusal.  Up to this much is taken behind the answer so that the client
reads it. A client that is silent is not waited for, nor is one without a token.
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
    cfg.StrOpt(
        "registration",
        default="auto",
        choices=["auto", "api"],
        help="""
How a filter in Glance's pipeline makes an image active.

``auto``: by Glance's own code, in its process, where this Glance is one that is known;
otherwise as with ``api``. ``api``: by requests to Glance's API, which needs
``show_multiple_locations`` and the policy rule ``set_image_location`` for all. A
gateway of its own always uses the API.
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
        help="How long connecting to an address of S3 may take, in seconds.",
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=60.0,
        min=0.1,
        help="""
How long S3 may stay silent before or within an answer, in seconds.

While no byte of the image has moved, and the client can be told, an answer is waited
for at most 30 seconds, and at most 10 while another store has a copy.
""",
    ),
    cfg.FloatOpt(
        "retry_time",
        default=60.0,
        min=0.0,
        help="""
How long a failed request to S3 is tried again, in seconds.

It bounds the retries of one part of an upload, and the time a download waits
for the store of its last copy to come back in mid-image. While no byte has moved, a
store that cannot be reached is asked for 5 seconds at most, and one that answers and
refuses for 40, and the answer is 503.
""",
    ),
    *HEALTH_OPTS,
]
