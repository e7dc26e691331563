# SPDX-License-Identifier: Apache-2.0
"""Options of ``[s3gateway]``: memory, speed, time-outs and retries of transfers."""

from __future__ import annotations

from oslo_config import cfg

TRANSFER_OPTS = [
    cfg.BoolOpt(
        "fast_lanes",
        default=True,
        help="""
With gunicorn, read upload bodies directly from the socket, which saves CPU.

If false, the gateway reads them through ``wsgi.input``. The option has no effect with
other WSGI servers.
""",
    ),
    cfg.IntOpt(
        "upload_buffer",
        default=64,
        min=10,
        help="""
Most memory one upload may fill with parts on their way to S3, in MiB.

The number of parts in flight is this value divided by the part size
(``s3_store_large_object_chunk_size``), at most ``s3_store_thread_pools`` and at least
two. More memory means more parts at once, which helps if each connection to S3 is
slow.
""",
    ),
    cfg.IntOpt(
        "upload_memory",
        default=512,
        min=0,
        help="""
Most memory all uploads of a process may fill with parts, in MiB.

When it is used up, uploads wait for each other. Every upload may use at least one
part, so the total can exceed this value by one part per upload.
""",
    ),
    cfg.IntOpt(
        "download_piece",
        default=8,
        min=1,
        help="Size of the pieces that a download reads ahead, in MiB.",
    ),
    cfg.IntOpt(
        "download_window",
        default=12,
        min=1,
        help="""
Most pieces of one download that are under way or in memory at once.

A download begins with one connection. It opens more while the client waits for S3,
for example if S3 is far away. With 1 it never opens another.
""",
    ),
    cfg.IntOpt(
        "download_memory",
        default=512,
        min=0,
        help="""
Most memory all downloads of a process may fill with pieces, in MiB.

Downloads of the same image at the same time share its pieces, so that S3 sends them
once. When the memory is used up, further downloads use one connection each. With 0
nothing is read ahead or shared.
""",
    ),
    cfg.StrOpt(
        "hot_images",
        default="0",
        sample_default="20GiB",
        help="""
Size of the directory that keeps the data of hot images for all workers of a host.

It is a number with a unit, for example ``20GiB``; 0 for no directory. An image is hot
when two downloads of it have begun within ``hot_images_age``. The workers then read it
from S3 once for all of them. What was used longest ago goes first. An image that is
larger than the directory is not kept.
""",
    ),
    cfg.StrOpt(
        "hot_images_dir",
        default="/var/cache/s3gateway",
        help="""
The directory of hot images, on a local disk.

It holds the data of private images, so it must belong to the gateway's user and have
the mode 0700. If it does not exist, the gateway makes it. Several gateways may use the
same directory; the smallest ``hot_images`` counts.
""",
    ),
    cfg.FloatOpt(
        "hot_images_age",
        default=86400.0,
        min=60.0,
        help="""
How long data stays in the directory of hot images after it was read from S3, in
seconds.

After this time it is read from S3 again. Images that are deleted through another host
stay in the directory of this host for so long.
""",
    ),
    cfg.BoolOpt(
        "verify_downloads",
        default=False,
        help="""
Check the digest of an image while it is downloaded.

If the digest differs from Glance's, the gateway closes the connection before the last
byte. It does not check ranges.
""",
    ),
    cfg.IntOpt(
        "drain_limit",
        default=64,
        min=0,
        help="""
Most of a refused request's body that the gateway reads and discards, in MiB.

If the connection is closed while the client is still sending, the client often sees a
reset and not the refusal. The gateway sends the answer and then reads up to this
much, so that the client can read the answer. It does not wait for clients that send
nothing, nor for clients without a token.
""",
    ),
    cfg.FloatOpt(
        "connect_timeout",
        default=10.0,
        min=0.1,
        help="Longest time to connect to an address of S3, in seconds.",
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=60.0,
        min=0.1,
        help="""
Longest time S3 may be silent before or within an answer, in seconds.

While no byte of the image has moved, and the client can be told, the gateway waits for
an answer for at most 30 seconds, and at most 10 while another store has a copy.
""",
    ),
    cfg.FloatOpt(
        "retry_time",
        default=60.0,
        min=0.0,
        help="""
How long the gateway repeats a failed request to S3, in seconds.

It limits the retries of one part of an upload. If a store fails in the middle of a
download and no other store has the image, it also limits how long the download waits
for the store. Before the first byte has moved, the gateway tries a store that it
cannot reach for 5 seconds, and one that answers with errors for 40, and then answers
503.
""",
    ),
    cfg.IntOpt(
        "upload_rate",
        default=0,
        min=0,
        help="""
Most that all uploads of a process receive, in MiB per second; 0 for no limit.

Uploads that are faster are held back, and do not fail. Uploads that are left to Glance
are not counted.
""",
    ),
    cfg.IntOpt(
        "download_rate",
        default=0,
        min=0,
        help="""
Most that all downloads of a process send, in MiB per second; 0 for no limit.

Downloads that are faster are held back, and do not fail.
""",
    ),
    cfg.IntOpt(
        "project_rate",
        default=0,
        min=0,
        help="""
Most that the uploads of one project in a process receive, and as much that its
downloads send, in MiB per second; 0 for no limit.

Transfers that are left to Glance are not counted.
""",
    ),
    cfg.IntOpt(
        "project_uploads",
        default=0,
        min=0,
        help="""
Most uploads of one project that a process has running at once; 0 for any number.

Further ones are refused before their data is read, with 503 and a Retry-After header.
Uploads that are left to Glance count too, and so does data that is staged for an
import. Each process counts for itself: a host takes as many times more as it has
processes.
""",
    ),
]
