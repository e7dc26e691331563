# SPDX-License-Identifier: Apache-2.0
"""Reads the options of a store's section that say which credentials it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3gateway.config.keys import Chain
from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.errors import ConfigError

if TYPE_CHECKING:
    from s3gateway.config.stores import Section


def keys(name: str, section: Section, ours: Section) -> Keys:
    """Return the configured keys of a store.

    With a chain there may be none: they are then Glance's alone.

    :param ours: the section ``[s3gateway]``
    :raises ConfigError: if one is missing, or a file cannot be read
    """
    pair, files = [], []
    for kind in ("access", "secret"):
        file = ours[f"s3_store_{kind}_key_file"].replace("{store}", name)
        option = f"s3_store_{kind}_key"
        configured = section[option]
        if not file and not _has_chain(section):
            configured = section.required(option, f"the S3 {kind} key")
        pair.append(configured or "")
        files.append(file)
    if bool(pair[0] or files[0]) != bool(pair[1] or files[1]):
        raise ConfigError(
            section.name,
            "s3_store_secret_key",
            "an access key without a secret key, or the other way round; with "
            "s3_store_credentials = chain set both for Glance, or none",
        )
    try:
        return Keys(KeyPair(*pair), *files)
    except (OSError, ValueError) as error:
        raise ConfigError(ours.name, "s3_store_*_key_file", str(error)) from error


def chain(section: Section) -> Chain | None:
    """Return the chain whose keys sign requests, ``None`` if configured ones do.

    :raises ConfigError: if there is a profile for no chain
    """
    profile: str = section["s3_store_profile"] or ""
    if _has_chain(section):
        return Chain(profile)
    if profile:
        raise ConfigError(
            section.name,
            "s3_store_profile",
            "set without s3_store_credentials = chain, so it has no effect; set both "
            "or none",
        )
    return None


def _has_chain(section: Section) -> bool:
    return bool(section["s3_store_credentials"] == "chain")
