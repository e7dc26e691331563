# SPDX-License-Identifier: Apache-2.0
"""Checks that Glance has every class, function and parameter that ``inside`` uses."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import Any

_IMAGE_DATA = "glance.api.v2.image_data"
_ADD = ("image_id", "data", "size", "hashing_algo", "context", "verifier")
_UPDATE = ("context", "image_id", "values", "from_state")

#: Module, name in it, and parameters that the gateway passes.
RELIED_ON = (
    (
        _IMAGE_DATA,
        "ImageDataController",
        ("db_api", "store_api", "policy_enforcer", "notifier"),
    ),
    (_IMAGE_DATA, "ImageDataController.upload", ("req", "image_id", "data", "size")),
    (_IMAGE_DATA, "ImageDataController.download", ("req", "image_id")),
    (_IMAGE_DATA, "ImageDataController._restore", ("image_repo", "image")),
    (_IMAGE_DATA, "RequestDeserializer.upload", ("request",)),
    (_IMAGE_DATA, "ResponseSerializer", ()),
    ("glance.api.policy", "Enforcer", ()),
    ("glance.common.wsgi", "Resource", ("controller", "deserializer", "serializer")),
    ("glance.common.wsgi", "Request", ("environ",)),
    ("glance.context", "RequestContext", ()),
    ("glance.db", "get_api", ()),
    ("glance.db", "ImageRepo", ("context", "db_api")),
    ("glance.db", "ImageRepo.save", ("image", "from_state")),
    ("glance.db.sqlalchemy.api", "image_update", _UPDATE),
    ("glance.notifier", "Notifier", ()),
    ("glance_store", "add_with_multihash", _ADD),
    ("glance_store", "add_to_backend_with_multihash", _ADD),
)


class Unfit(Exception):
    """Glance is not in this process, or lacks something; the text names it.

    :ivar is_here: whether there is a Glance in this process
    """

    def __init__(self, text: str, *, is_here: bool) -> None:
        super().__init__(text)
        self.is_here = is_here


def check() -> None:
    """Check that everything in ``RELIED_ON`` exists.

    :raises Unfit: if something is missing; the text names it
    """
    if _IMAGE_DATA not in sys.modules:
        raise Unfit("Glance is not in this process", is_here=False)
    for module, name, parameters in RELIED_ON:
        try:
            found: Any = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            accepted = inspect.signature(found).parameters
        except (ImportError, AttributeError, TypeError, ValueError):
            raise Unfit(f"{module} has no {name}", is_here=True) from None
        for parameter in parameters:
            if parameter not in accepted:
                raise Unfit(f"{module}.{name} takes no {parameter}", is_here=True)
