# SPDX-License-Identifier: Apache-2.0
"""The command line: which commands there are, and what ``--help`` teaches."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable
from collections.abc import Sequence

from oslo_config import cfg

from s3gateway.config import options
from s3gateway.config import remote
from s3gateway.config import sources
from s3gateway.config.sources import Sources
from s3gateway.manage import config
from s3gateway.manage import gc
from s3gateway.manage import locations
from s3gateway.manage import metrics
from s3gateway.manage import migrate
from s3gateway.manage import selftest
from s3gateway.manage import status
from s3gateway.manage import verify
from s3gateway.manage.check import command
from s3gateway.manage.context import Context

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_DESCRIPTION = """
Looks after the images that s3gateway keeps in S3. It runs where Glance is installed
and reads Glance's configuration; "check" is the first thing to run.
"""

_EPILOG = """
exit codes: 0 all is well, 1 something was found that is not, 2 the command line or
the configuration is wrong, 3 it could not be found out
"""

_CHECK = """
Looks at the configuration, the paste file, Keystone (where [keystone_authtoken] is
set), each S3 store and Glance, and says what is wrong and what to do. Small objects
are written to each bucket and deleted again.

  s3gateway-manage check
  s3gateway-manage --json check | jq '.rows[] | select(.state == "error")'
"""

_VERIFY = """
Looks at each image's objects in S3: whether they are there and as long as Glance says.
With --deep each is read and its digest is compared; that takes as long as
downloading it. Exit code 1: an object is missing, has another size or other data.

  s3gateway-manage verify --all
  s3gateway-manage verify --deep --image 6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11
"""

_COPY = """
Copies an image's data into another S3 store, and adds it to the image's locations.
Inside of one S3 server the server copies; otherwise the bytes come through here. The
copy is read back and compared with the digest that Glance shows before the image
refers to it. Glance goes on serving the image all the time.

  s3gateway-manage copy 6f2c5a1e-0b8c-4a53-9a37-2f1d8f6b7c11 --to fast
"""

_MIGRATE = """
Copies all images of a store into an S3 store, as "copy" does, and has Glance delete
each in the old store once its copy is verified. Stop it at any time and run it again:
images that have been moved are not touched again. One that was being copied when this
was killed can be claimed again after [s3gateway] claim_grace seconds. Each moved image
gets another updated_at. Images that are not active are skipped.

  s3gateway-manage migrate --from file --to fast --dry-run
  s3gateway-manage migrate --from file --to fast
"""

_GC = """
Finds what uploads and copies that died have left: claims, multipart uploads and
objects. Nothing is deleted without --delete, nothing that is younger than
[s3gateway] claim_grace, that an image refers to, whose upload is alive, or that does
not say that it belongs to this Glance ([s3gateway] glance_id).

A bucket belongs to exactly one Glance database. To a database that is empty, or older
than the bucket, the newer images' objects belong to nobody: after Glance's database
was restored from a backup, do not run this with --delete until the images that are
newer than the backup are registered again or given up. It leaves alone what is newer
than the last change in the database and what is of images that the database has never
had, and deletes nothing if the database has no image, or if more than 100 objects or
a tenth of all would go. --force leaves these checks out.

Exit code 1: something was found, or had to stay.

  s3gateway-manage gc
  s3gateway-manage gc --delete
  s3gateway-manage gc --delete --store fast --older-than 7d --limit 50
"""

_METRICS = """
Prints what the gateways of this host have counted, in Prometheus' text format, or
shows it over HTTP on an address of its own. PROMETHEUS_MULTIPROC_DIR must be set, to
the same directory as for Glance.

  s3gateway-manage metrics
  s3gateway-manage metrics --listen 127.0.0.1:9309
"""

_AUDIT = """
Counts the locations in S3 of all images by store and by the id of the access key in
them; no secret key is shown. Glance up to 32 writes both keys into each location, and
needs them there. Exit code 1: a location holds a key.

  s3gateway-manage locations audit
  s3gateway-manage --json locations audit | jq '.rows[]'
"""

_SCRUB = """
Has Glance 33 or later take the keys out of its locations: it does so itself when it
shows an image, and this shows all that have one. Each gets another updated_at. Older
releases cannot read a location without keys: there this refuses. Change the keys
afterwards: they are known to all who have seen them.

  s3gateway-manage locations scrub
"""


def parse(arguments: Sequence[str]) -> cfg.ConfigOpts:
    """Parse the command line and the files it names, or Glance's own.

    :raises cfg.Error: if a file cannot be parsed
    """
    conf = cfg.ConfigOpts()
    conf.register_cli_opts([
        cfg.BoolOpt("json", default=False, help="Print results as JSON."),
        cfg.SubCommandOpt("command", title="commands", handler=_add_commands),
    ])  # fmt: skip
    read = _sources(arguments)
    conf(
        args=list(read.arguments),
        project="glance",
        prog="s3gateway-manage",
        default_config_files=list(read.files),
        default_config_dirs=list(read.directories),
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    return conf


def _sources(arguments: Sequence[str]) -> Sources:
    """Return what is to be read, with the whole command line as its arguments.

    Glance reads its drop-in directories beside a file that its command line names, and
    before it.  A stand-alone gateway reads those of its own file, and after it.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[])
    named, others = parser.parse_known_args(list(arguments))
    alone = sources.of_files(named.config_file)
    if named.config_file and _stands_alone(alone):
        return dataclasses.replace(alone, arguments=others)
    return dataclasses.replace(sources.of_glance(), arguments=list(arguments))


def _stands_alone(read: Sources) -> bool:
    conf = cfg.ConfigOpts()
    conf.register_opts(remote.REMOTE_OPTS, group=options.GROUP)
    files, directories = list(read.files), list(read.directories)
    conf([], default_config_files=files, default_config_dirs=directories)
    return bool(conf[options.GROUP].glance_url)


def _add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    """Declare the commands, for oslo.config's ``SubCommandOpt``."""
    everything = "whether everything is as it should be"
    _add(commands, "check", command.run, _CHECK, everything)
    _add_verify(commands)
    copy = _add(commands, "copy", migrate.copy, _COPY, "an image into another store")
    copy.add_argument("image_id", metavar="IMAGE", help="its id")
    _add_target(copy)
    moved = _add(
        commands, "migrate", migrate.migrate, _MIGRATE, "all images of a store"
    )
    moved.add_argument(
        "--from", dest="source", metavar="STORE", required=True, help="any store"
    )
    _add_target(moved)
    _add_gc(commands)
    _add_locations(commands)
    selftest.declare(commands)
    config.declare(commands)
    status.declare(commands)
    shown = _add(commands, "metrics", metrics.run, _METRICS, "what was counted")
    shown.add_argument(
        "--listen", metavar="ADDRESS:PORT", default="", help="show it over HTTP"
    )


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[Context], bool],
    text: str,
    summary: str,
) -> argparse.ArgumentParser:
    """Add a command whose help is a text of ours, as it is written above."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=text.strip(),
        epilog=_EPILOG.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _add_verify(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    parser = _add(
        commands, "verify", verify.run, _VERIFY, "whether images are whole in S3"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--image", action="append", metavar="ID", default=[], help="may be repeated"
    )
    which.add_argument("--all", action="store_true", help="all images")
    parser.add_argument(
        "--deep", action="store_true", help="read them and compare their digests"
    )


def _add_gc(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "gc", gc.run, _GC, "what uploads that died have left")
    parser.add_argument(
        "--delete", action="store_true", help="collect it; without this it is shown"
    )
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        default=[],
        help="look only here; may be repeated",
    )
    parser.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        default=0.0,
        help="leave alone what is younger: 90s, 30m, 12h or 7d",
    )
    parser.add_argument(
        "--limit", type=_number, metavar="N", help="collect no more than N"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="collect even if the database seems to be the wrong one",
    )


def _age(text: str) -> float:
    """Return an age of the command line in seconds."""
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age, as 90s, 30m, 12h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def _number(text: str) -> int:
    """Return a number of the command line that is 1 or more."""
    if not re.fullmatch("[0-9]*[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="STORE", required=True, help="an S3 store")
    parser.add_argument(
        "--dry-run", action="store_true", help="only show which images it would be"
    )


def _add_locations(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    group = commands.add_parser(
        "locations", help="S3 credentials in the locations that Glance's database holds"
    ).add_subparsers(dest="subcommand", required=True)
    _add(group, "audit", _audit, _AUDIT, "count those that hold a key")
    _add(group, "scrub", _scrub, _SCRUB, "have Glance 33 or later take them out")


def _audit(context: Context) -> bool:
    stores = {name: store.settings for name, store in context.stores.items()}
    return locations.audit(context.glance, stores, context.output)


def _scrub(context: Context) -> bool:
    return locations.scrub(context.glance, context.output)
