# SPDX-License-Identifier: Apache-2.0
"""``botocore-data`` writes what botocore reads for S3 into a directory, and no more.

Glance's S3 driver makes a botocore session for each look at an object, and each session
parses these files anew: the endpoints of all services of AWS, and a description of S3
that is mostly documentation.  botocore looks into the directories of ``AWS_DATA_PATH``
before its own and takes from its own what it does not find there.  So the directory
holds only what is cheaper than the original; the small files stay where they are.

botocore is looked at as files, and is not imported.
"""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib import util
from typing import TYPE_CHECKING
from typing import Any

from s3gateway.errors import GatewayError
from s3gateway.errors import UsageError
from s3gateway.manage import arguments
from s3gateway.manage.context import Context

if TYPE_CHECKING:
    from s3gateway.manage.arguments import Commands

#: Says which botocore a directory was made from, and which files belong to it.
RECORD = "s3gateway.json"

#: sts is what botocore asks for credentials, should Glance ever have none of its own.
_SERVICES = ("s3", "sts")
_SERVICE, _RULES = "service-2", "endpoint-rule-set-1"
#: What stays documented: botocore reads the documentation of these itself.
_DOCUMENTED = "clientContextParams"
_COLUMNS = ("file", "size_bytes")

_TEXT = """
Make a directory for AWS_DATA_PATH on a Glance host. It holds what botocore reads for
S3, from the botocore that is installed here, without documentation and other services.
Glance's own S3 driver reads it each time it looks at an object. It saves CPU where
uploads are registered through Glance's API.

Make it again after each upgrade of botocore; "check" says so, with the same
AWS_DATA_PATH. It is for the processes of Glance alone, and not for a Glance with
AWS_USE_FIPS_ENDPOINT.

  s3gateway-manage botocore-data /var/lib/glance/botocore-data
"""


def declare(commands: Commands) -> None:
    """Declare the command, for ``commands``."""
    parser = arguments.add(
        commands,
        "botocore-data",
        run,
        summary="Make a small data directory for botocore in Glance",
        text=_TEXT,
    )
    parser.add_argument(
        "directory", metavar="DIRECTORY", help="new, empty, or made by this command"
    )


def run(context: Context) -> bool:
    """Make the directory that the command line names."""
    directory = pathlib.Path(context.words.directory).absolute()
    rows = make(directory, files_of(installed()), version())
    summary = f"{directory} is made from botocore {version()}"
    context.output.result(rows, _COLUMNS, summary)
    context.output.note(
        f"In [Service] of Glance's unit: Environment=AWS_DATA_PATH={directory}; "
        "then restart Glance."
    )
    return True


def version() -> str:
    """Return the version of the botocore that is installed."""
    return metadata.version("botocore")


def made_from(directory: pathlib.Path) -> str:
    """Return the version of botocore that a directory was made from.

    It is empty if it was not made by this command.
    """
    return str(_record(directory).get("botocore", ""))


def installed() -> pathlib.Path:
    """Return the data directory of the botocore that is installed."""
    spec = util.find_spec("botocore")
    for package in (spec and spec.submodule_search_locations) or ():
        data = pathlib.Path(package) / "data"
        if data.is_dir():
            return data
    raise GatewayError(
        "The botocore that is installed has no directory of data: install it from "
        "PyPI, or from your distribution's package."
    )


def make(
    directory: pathlib.Path, files: dict[str, bytes], made_of: str
) -> list[dict[str, Any]]:
    """Make a directory, or make it anew; return what it holds.

    While it is replaced it is the old one, the new one, or for a moment none: botocore
    then reads its own.

    :raises UsageError: if it cannot be written, or holds other things
    """
    record = {"botocore": made_of, "files": sorted([*files, RECORD])}
    files = {**files, RECORD: json.dumps(record, indent=2).encode() + b"\n"}
    directory = directory.resolve()  # a link to it stays one
    _refuse_others(directory)
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{directory.name}.", dir=directory.parent
        ) as place:
            _write(pathlib.Path(place) / "new", files)
            _swap(pathlib.Path(place), directory)
    except OSError as error:
        raise UsageError(f"DIRECTORY: cannot be written: {error.strerror}") from error
    return [{"file": name, "size_bytes": len(files[name])} for name in sorted(files)]


def _refuse_others(directory: pathlib.Path) -> None:
    """Refuse a directory whose content would be lost.

    :raises UsageError: if it holds anything but what this command has made
    """
    if not os.path.lexists(directory):
        return
    ours = set(_record(directory).get("files", ()))
    found = {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    if not directory.is_dir() or found - ours:
        raise UsageError(
            "DIRECTORY: holds other things; name one that is new, empty, or made by "
            "this command"
        )


def _record(directory: pathlib.Path) -> dict[str, Any]:
    try:
        found = json.loads((directory / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(directory: pathlib.Path, files: dict[str, bytes]) -> None:
    """Write files that everybody may read, whatever the umask: nothing is secret."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def _swap(place: pathlib.Path, directory: pathlib.Path) -> None:
    """Put ``new`` of a working directory where the directory is to be."""
    if directory.exists():
        directory.rename(place / "old")
    (place / "new").rename(directory)


def files_of(data: pathlib.Path) -> dict[str, bytes]:
    """Return what is to be in a directory, by name.

    :param data: a data directory of botocore's
    :raises GatewayError: if it is laid out otherwise than is known
    """
    found = {"endpoints.json": _packed(_endpoints(_read(data, "endpoints")))}
    for name in _names(data, _SERVICE):
        found[f"{name}.json"] = _packed(_undocumented(_read(data, name)))
    for name in _names(data, _RULES):
        found[f"{name}.json"] = _packed(_read(data, name))
    return found


def _names(data: pathlib.Path, model: str) -> Iterator[str]:
    """Yield the names of a model's files, of all versions of each service."""
    for service in _SERVICES:
        found = sorted((data / service).glob(f"*/{model}.json*"))
        if not found:
            raise _unknown(f"{service}/{model}")
        yield from (f"{service}/{path.parent.name}/{model}" for path in found)


def _read(data: pathlib.Path, name: str) -> Any:
    """Read a file of botocore's, as it may be packed.

    :raises GatewayError: if there is none
    """
    for suffix, unpacked in ((".json", bytes), (".json.gz", gzip.decompress)):
        path = data / f"{name}{suffix}"
        if path.is_file():
            return json.loads(unpacked(path.read_bytes()))
    raise _unknown(name)


def _unknown(name: str) -> GatewayError:
    return GatewayError(
        f"The botocore that is installed has no {name}: this release of it is not "
        "known; leave AWS_DATA_PATH unset."
    )


def _packed(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _endpoints(content: dict[str, Any]) -> dict[str, Any]:
    for partition in content["partitions"]:
        services = partition["services"]
        partition["services"] = {n: services[n] for n in _SERVICES if n in services}
    return content


def _undocumented(content: Any) -> Any:
    """Leave out documentation.

    A member of a shape may have that name as well: its value is no text.
    """
    if isinstance(content, list):
        return [_undocumented(item) for item in content]
    if not isinstance(content, dict):
        return content
    return {
        name: value if name == _DOCUMENTED else _undocumented(value)
        for name, value in content.items()
        if name != "documentation" or not isinstance(value, str)
    }
