# SPDX-License-Identifier: Apache-2.0
"""The filter without its guard, to see that the attacks find what it keeps out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s3gateway import factory
from s3gateway import gateway
from s3gateway.locations.requests import Guard


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Any], Any]:
    """Paste's factory."""
    vars(gateway)["canonical"] = as_it_came
    Guard.admit = lambda self, environ: environ  # type: ignore[method-assign]
    return factory.filter_factory(global_conf, **local_conf)


def as_it_came(environ: dict[str, Any]) -> dict[str, Any]:
    """Judge nothing."""
    return environ
