# SPDX-License-Identifier: Apache-2.0
"""Options of a stand-alone gateway: its Glance, its service user, its paste file."""

from __future__ import annotations

from oslo_config import cfg

REMOTE_OPTS = [
    cfg.StrOpt(
        "glance_url",
        default="",
        help="""
URL of the Glance behind a stand-alone gateway; may have a path.

It is the URL of Glance itself or of its load balancer. It is not the URL in the
catalog, which names the gateway. A filter in Glance's own pipeline needs none.
""",
    ),
    cfg.StrOpt(
        "glance_cacert",
        default="",
        help="""
File or directory of CA certificates to verify Glance's certificate with.

By default those of the Python package ``certifi``.
""",
    ),
    cfg.BoolOpt(
        "glance_pass_host",
        default=True,
        help="""
Send Glance the ``Host`` header of the client.

Glance makes the URLs under ``/`` and ``/versions`` from it, unless
``public_endpoint`` is set. If false, the gateway sends the host of ``glance_url``. A
web server that serves several names may need that.
""",
    ),
    cfg.FloatOpt(
        "glance_connect_timeout",
        default=10.0,
        min=0.1,
        help="Longest time to connect to Glance, in seconds.",
    ),
    cfg.FloatOpt(
        "glance_read_timeout",
        default=300.0,
        min=0.1,
        help="""
Longest time Glance may be silent, in seconds.

While Glance writes an upload to a store that is not S3, it is silent until the end.
""",
    ),
    cfg.IntOpt(
        "glance_release",
        default=33,
        min=28,
        help="""
Major version of the Glance behind a stand-alone gateway: 33 for 2026.2.

It decides the form of location URIs: before 33 they hold the keys of S3, or those of
the face. From 33 on the gateway sends Glance no keys. In a few rare cases it also
decides whether the content of an image is what its ``disk_format`` says. While hosts
of several releases run, it is the oldest. A filter in Glance's own pipeline finds the
version itself.
""",
    ),
]

SERVICE_USER_OPTS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "send_service_user_token",
        default=True,
        help="""
Send a service token beside the user's token when an upload is registered.

Without it, an upload fails that takes longer than the user's token is valid. Glance's
``[keystone_authtoken] service_token_roles`` must name a role of this user.
""",
    ),
]

FACE_OPTS = [
    cfg.StrOpt(
        "face_url",
        default="",
        help="""
URL of the gateway's S3 face, as ``s3_store_host`` in Glance's stores names it.

With it the gateway is sealed: it writes locations at this URL, with the bucket's real
name, and Glance's own driver reads and writes images through the face. Glance then
needs no key of S3. It needs ``face_keys`` too.
""",
    ),
    cfg.StrOpt(
        "face_keys",
        default="",
        help="""
File with the key pairs that open the S3 face.

Each line has an access key, a secret key of 16 characters or more, and perhaps a
comment, separated by blanks. All pairs are valid; the first is written into locations
of a Glance that needs keys there. The gateway reads the file again when it changes.
""",
    ),
    cfg.StrOpt(
        "face_domain",
        default="",
        help="""
Domain under which the S3 face has a host name for each bucket.

Set it only if Glance has ``s3_store_bucket_url_format = virtual``: the driver then asks
the host ``<bucket>.<face_domain>``, which has to resolve to the face. Without it the
face takes the bucket from the path.
""",
    ),
]

PASTE_OPTS = [
    cfg.StrOpt("config_file", default="", help="The paste file of the pipeline."),
]
