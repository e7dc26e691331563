# SPDX-License-Identifier: Apache-2.0
"""Glance's upload controller over a store that writes data through the gateway.

The controller takes its store as a parameter.  ``Stores`` is ``glance_store`` with
another ``add``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import Protocol

import webob.exc

from s3gateway.errors import GatewayError
from s3gateway.glance.marks import Mark


@dataclasses.dataclass(frozen=True, kw_only=True)
class Added:
    """The result of storing data, as glance_store's ``add`` returns it.

    :ivar url: the location
    :ivar size: in bytes
    :ivar checksum: md5 in hexadecimal
    """

    url: str = dataclasses.field(repr=False)
    size: int
    checksum: str
    multihash: str
    metadata: dict[str, str]


class Data(Protocol):
    """An image's bytes as Glance gives them to a store; reading checks them."""

    def read(self, size: int, /) -> bytes: ...


class Verifier(Protocol):
    """Verifies an image's signature (``cursive.signature_utils``)."""

    def update(self, data: bytes) -> None: ...


#: Puts data into a store.  It takes the data, the name of the digest, and the verifier
#: of the signature, if there is one.  It returns ``None`` if there was no data.
Add = Callable[[Data, str, "Verifier | None"], "Added | None"]


class Stores:
    """``glance_store``, but ``add`` writes data through the gateway.

    :ivar failure: the gateway's error, if ``add`` raised one
    """

    def __init__(self, store_api: Any, add: Add, mark: Mark) -> None:
        self.failure: GatewayError | None = None
        self._store_api = store_api
        self._add = add
        self._mark = mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store_api, name)

    def add_with_multihash(
        self,
        conf: Any,
        image_id: str,
        data: Data,
        size: int,
        backend: str,
        hashing_algo: str,
        **about: Any,
    ) -> Any:
        """Store data in a named backend."""
        return self._added(data, hashing_algo, about) or (
            self._store_api.add_with_multihash(
                conf, image_id, data, size, backend, hashing_algo, **about
            )
        )

    def add_to_backend_with_multihash(
        self,
        conf: Any,
        image_id: str,
        data: Data,
        size: int,
        hashing_algo: str,
        **about: Any,
    ) -> Any:
        """Store data in the only backend."""
        return self._added(data, hashing_algo, about) or (
            self._store_api.add_to_backend_with_multihash(
                conf, image_id, data, size, hashing_algo, **about
            )
        )

    def _added(self, data: Data, algorithm: str, about: dict[str, Any]) -> Any:
        """Return the result as glance_store does; ``None`` if there was no data."""
        try:
            added = self._add(data, algorithm, about.get("verifier"))
            self._mark.check()
        except GatewayError as error:
            self.failure = error
            kind = webob.exc.status_map[error.status]
            raise kind(explanation=str(error)) from error
        if added is None:
            return None
        return dataclasses.astuple(added)


def controller(image_data: Any) -> Any:
    """Return Glance's controller without its own undo, which does not always run."""

    class Controller(image_data.ImageDataController):  # type: ignore[misc]
        def _restore(self, image_repo: Any, image: Any) -> None:
            pass

    return Controller


def deserializer(image_data: Any, data: Data) -> Any:
    """Return Glance's deserializer, which checks the headers of an upload.

    :param data: replaces the body
    """

    class Deserializer(image_data.RequestDeserializer):  # type: ignore[misc]
        def upload(self, request: Any) -> dict[str, Any]:
            return {**super().upload(request), "data": data}

    return Deserializer
