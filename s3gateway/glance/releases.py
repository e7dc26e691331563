# SPDX-License-Identifier: Apache-2.0
"""Differences between the supported releases of Glance."""

from __future__ import annotations

import dataclasses
from importlib import metadata


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """Behaviour of one release of Glance.

    :ivar credentials_in_uris: location URIs hold the S3 keys
        (glance_store before 5.6)
    :ivar certain: it is the Glance that is installed here; of one elsewhere the
        configuration may say something wrong
    :ivar iso_may_hold_gpt: an ISO that is also a GPT disk is accepted as ISO
        (Glance 32 and later)
    :ivar kernels_may_hold_mbr: a broken MBR in an ``aki`` or ``ari`` image is
        accepted (Glance 33 and later)
    :ivar knows_prefer: ``?prefer=`` names the store to read from
        (Glance 33 and later)
    """

    credentials_in_uris: bool = False
    certain: bool = False
    iso_may_hold_gpt: bool = True
    kernels_may_hold_mbr: bool = True
    knows_prefer: bool = True


def installed() -> Traits:
    """Return the traits of the installed Glance, without one of the newest release."""
    glance = _version("glance")
    return Traits(
        credentials_in_uris=_version("glance_store") < (5, 6),
        certain=True,
        iso_may_hold_gpt=glance >= (32,),
        kernels_may_hold_mbr=glance >= (33,),
        knows_prefer=glance >= (33,),
    )


def of_release(release: int) -> Traits:
    """Return the traits of a release.

    :param release: the major version
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
