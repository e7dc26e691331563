# SPDX-License-Identifier: Apache-2.0
"""Glance's upload controller, with one place for data that is ours.

Its store is a parameter of it: ``glance_store``, of which all is as it is but ``add``.
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
    """What a store says of the data that it took, as glance_store's ``add`` does.

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
    """An image's bytes as Glance hands them to a store; reading checks them."""

    def read(self, size: int, /) -> bytes: ...


class Verifier(Protocol):
    """What verifies an image's signature (``cursive.signature_utils``)."""

    def update(self, data: bytes) -> None: ...


#: Puts data into a store; is handed the name of the digest and what verifies the
#: signature, if there is one.  ``None`` if there was no data.
Add = Callable[[Data, str, "Verifier | None"], "Added | None"]


class Stores:
    """``glance_store`` with one place for data that is ours."""

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
        """Store data in the backend of a name."""
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
        """Return what glance_store returns; ``None`` if there was no data."""
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
    """Return Glance's controller without its way back, which it does not always go."""

    class Controller(image_data.ImageDataController):  # type: ignore[misc]
        def _restore(self, image_repo: Any, image: Any) -> None:
            pass

    return Controller


def deserializer(image_data: Any, data: Data) -> Any:
    """Return what checks an upload's header fields as Glance does.

    :param data: what is read in place of the body
    """

    class Deserializer(image_data.RequestDeserializer):  # type: ignore[misc]
        def upload(self, request: Any) -> dict[str, Any]:
            return {**super().upload(request), "data": data}

    return Deserializer
