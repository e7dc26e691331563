# SPDX-License-Identifier: Apache-2.0
"""What differs between the releases of Glance that may stand behind us."""

from __future__ import annotations

import dataclasses
from importlib import metadata


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """How the Glance behind us behaves.

    :ivar credentials_in_uris: location URIs hold the S3 keys
        (glance_store before 5.6)
    :ivar iso_may_hold_gpt: an ISO that is a GPT disk too is an ISO
        (Glance 32 and later; a mismatch before)
    :ivar kernels_may_hold_mbr: in ``aki`` and ``ari`` images a broken MBR is
        not fatal (Glance 33 and later)
    :ivar knows_prefer: ``?prefer=`` says which store to read from
        (Glance 33 and later)
    """

    credentials_in_uris: bool = False
    iso_may_hold_gpt: bool = True
    kernels_may_hold_mbr: bool = True
    knows_prefer: bool = True


def installed() -> Traits:
    """Return the traits of the Glance that is installed beside us.

    Without one, those of the newest release.
    """
    glance = _version("glance")
    return Traits(
        credentials_in_uris=_version("glance_store") < (5, 6),
        iso_may_hold_gpt=glance >= (32,),
        kernels_may_hold_mbr=glance >= (33,),
        knows_prefer=glance >= (33,),
    )


def of_release(release: int) -> Traits:
    """Return the traits of a Glance elsewhere.

    :param release: its major version
    """
    return Traits(
        credentials_in_uris=release < 33,  # which came with glance_store 5.7
        iso_may_hold_gpt=release >= 32,
        kernels_may_hold_mbr=release >= 33,
        knows_prefer=release >= 33,
    )


def _version(package: str) -> tuple[int, ...]:
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return (999,)
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
