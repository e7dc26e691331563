# SPDX-License-Identifier: Apache-2.0
"""Unified limits: what Keystone has registered, and what makes Glance ask for it."""

from __future__ import annotations

from tests.support.servers.glance import Config
from tests.support.servers.keystone import REGION
from tests.support.servers.keystone import Keystone

_UNLIMITED = {
    "image_size_total": 1000,  # MiB
    "image_stage_total": 1000,
    "image_count_total": 1000,
    "image_count_uploading": 1000,
}


def register(keystone: Keystone, **limits: int) -> None:
    """Register the limits that Glance asks for.

    :param limits: those that are low, by name
    """
    api = keystone.admin()
    [service] = api.get("services?type=image")["services"]
    known = {
        limit["resource_name"]: limit["id"]
        for limit in api.get("registered_limits")["registered_limits"]
    }
    for name, most in {**_UNLIMITED, **limits}.items():
        fields = {
            "service_id": service["id"],
            "region_id": REGION,
            "resource_name": name,
            "default_limit": most,
        }
        if name in known:
            change = {"registered_limit": {"default_limit": most}}
            api.send("PATCH", f"registered_limits/{known[name]}", change)
        else:
            api.send("POST", "registered_limits", {"registered_limits": [fields]})


def options(keystone: Keystone) -> Config:
    """Return the options of a Glance that asks for limits."""
    [endpoint, *_] = (
        each for each in keystone.endpoints() if each["interface"] == "public"
    )
    return {
        "DEFAULT": {"use_keystone_limits": "true"},
        "oslo_limit": {**keystone.section(), "endpoint_id": endpoint["id"]},
    }
