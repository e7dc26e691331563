# SPDX-License-Identifier: Apache-2.0
"""Tries the place that locations are to name, before the first of a store is rewritten.

The data must be there.  And a pair of keys of the face must not open S3.
"""

from __future__ import annotations

import collections
import dataclasses

from s3gateway.config.settings import TransferSettings
from s3gateway.errors import GatewayError
from s3gateway.errors import ObjectNotFound
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.manage import faces
from s3gateway.manage.moves import Change
from s3gateway.manage.output import Output
from s3gateway.s3.store import S3Store

_TRIALS = 3  # images of a store without data after which it is the wrong place


class Trial:
    """Makes sure of each store that its data is where locations are to name it."""

    def __init__(self, transfer: TransferSettings, output: Output) -> None:
        self._transfer = transfer
        self._output = output
        self._proven: set[str] = set()
        self._missing: collections.Counter[str] = collections.Counter()

    def need(self, change: Change) -> None:
        """Look at the data of a location, until there was some in this store.

        :raises GatewayError: if it cannot be read, or the first images have none
        """
        name = change.move.place.name
        if not change.row.needed or name in self._proven:
            return
        try:
            S3Store(change.move.place, self._transfer).stat(change.old.key)
        except ObjectNotFound as error:  # the image may have lost its data
            self._missing[name] += 1
            if self._missing[name] == _TRIALS:
                raise _unfit(name, error) from None
        except StoreError as error:
            raise _unfit(name, error) from None
        else:
            self._must_be_closed(change)
            self._proven.add(name)

    def _must_be_closed(self, change: Change) -> None:
        """Make sure that the keys are a face's alone.

        :raises GatewayError: if they open the S3 server
        """
        place = change.move.place
        for url in change.move.closed:
            server = dataclasses.replace(place, endpoint=url)
            store = faces.asked_once(server, self._transfer)
            try:
                store.stat(change.old.key)
            except StoreDenied:
                continue
            except StoreError as error:
                self._output.note(
                    f"Store {place.name}: whether the pair of keys opens the S3 server "
                    f"is not known ({error}). It must not"
                )
            else:
                if faces.is_one(store):  # another address of the face
                    continue
                raise GatewayError(
                    f"Store {place.name}: the pair of keys opens the S3 server itself. "
                    "Name a pair that only the face knows, as face-key add makes one"
                )


def _unfit(store: str, error: StoreError) -> GatewayError:
    return GatewayError(
        f"Store {store}: no image can be read with the host and keys that its "
        f"locations would get ({error}). Check the URL, the pair of keys, with "
        "https s3_store_cacert, and whether the face or the S3 server answers"
    )
