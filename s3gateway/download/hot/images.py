# SPDX-License-Identifier: Apache-2.0
"""Hot images: what the downloads of a process have of the directory.

An image is hot when two downloads of all of it have begun within ``hot_images_age``, in
whichever process.  Only then its pieces are written.  An image that is downloaded once
costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from s3gateway.config.hot import HotImagesSettings
from s3gateway.download.failover import Copy
from s3gateway.download.hot.directory import Directory
from s3gateway.download.hot.files import Draft
from s3gateway.download.hot.files import Faulty
from s3gateway.download.hot.files import PieceFile
from s3gateway.download.hot.kept import KeptPiece
from s3gateway.download.hot.names import Names
from s3gateway.download.hot.reader import HotReader
from s3gateway.download.hot.sweeping import Sweeper
from s3gateway.http.ranges import Span
from s3gateway.store import ObjectReader


class ColdImage:
    """An image of which nothing is kept."""

    @property
    def is_hot(self) -> bool:
        """Whether the image was asked for twice lately."""
        return False

    def count(self) -> None:
        """Count a download of the whole image."""

    def open(self, span: Span, open_: Callable[[Span], ObjectReader]) -> ObjectReader:
        """Return a reader of a whole piece.

        :param open_: opens it at the store
        """
        return open_(span)

    def kept(self, span: Span) -> KeptPiece | None:
        """Return a whole piece, ``None`` if there is no good file of it."""
        return None

    def forget(self) -> None:
        """Remove what is kept: the store has other data, or none."""


class NoHotImages:
    """What a process has without a directory: nothing."""

    def image(
        self, copy: Copy, size: int, agrees_on: Callable[[str], bool]
    ) -> ColdImage:
        """Return what the directory has of an image.

        :param size: of the image in bytes
        :param agrees_on: whether a version of the object is the one that is read
        """
        return ColdImage()

    def forget(self, image_id: str) -> None:
        """Remove what there is of an image."""

    def tidy(self) -> None:
        """Remove what is old, now and then."""


class HotImages(NoHotImages):
    """The directory, as one process uses it.

    :raises ConfigError: if it cannot be used
    """

    def __init__(self, settings: HotImagesSettings) -> None:
        self.directory = Directory(settings.directory, settings.age)
        self.sweeper = Sweeper(self.directory, settings.size)

    @classmethod
    def of(cls, settings: HotImagesSettings) -> NoHotImages:
        """Make it from the settings.

        :raises ConfigError: if the directory cannot be used
        """
        return cls(settings) if settings.size else NoHotImages()

    def image(
        self, copy: Copy, size: int, agrees_on: Callable[[str], bool]
    ) -> ColdImage:
        if not copy.version.digest or size > self.sweeper.room:
            return ColdImage()
        return HotImage(self, copy, size, agrees_on)

    def forget(self, image_id: str) -> None:
        self.sweeper.forget(image_id)

    def tidy(self) -> None:
        self.sweeper.now_and_then()


class HotImage(ColdImage):
    """What the directory has of one image."""

    def __init__(
        self,
        images: HotImages,
        copy: Copy,
        size: int,
        agrees_on: Callable[[str], bool],
    ) -> None:
        self._images = images
        self._directory = images.directory
        self._image_id = copy.version.image_id
        self._names = Names(copy, size)
        self._agrees_on = agrees_on
        self._is_hot = False

    @property
    def is_hot(self) -> bool:
        self._is_hot = self._is_hot or self._directory.was_used_twice(self._names)
        return self._is_hot

    def count(self) -> None:
        self._directory.count(self._names)

    def open(self, span: Span, open_: Callable[[Span], ObjectReader]) -> ObjectReader:
        return HotReader(self, span, open_) if self.is_hot else open_(span)

    def kept(self, span: Span) -> KeptPiece | None:
        found = self.find(span)
        return None if found is None else KeptPiece(span, found, self.discard)

    def forget(self) -> None:
        self._images.forget(self._image_id)

    def find(self, span: Span) -> PieceFile | None:
        """Return the file of a piece, ``None`` if there is no good one."""
        found = self._directory.find(self._names, span)
        if found is not None and not self._agrees_on(found.etag):
            found.close()
            self.discard(span, Faulty("it is of another version of its object"))
            return None
        return found

    def draft(self, span: Span) -> Draft:
        return self._directory.draft(self._names, span)

    def drafted(self, span: Span) -> int:
        return self._directory.drafted(self._names, span)

    def write(self, draft: Draft, block: memoryview) -> bool:
        return self._directory.write(draft, block)

    def publish(self, draft: Draft, span: Span, etag: str) -> None:
        if self._directory.publish(draft, self._names, span, etag):
            self._images.sweeper.wrote(span.length)

    def discard(self, span: Span, error: Exception) -> None:
        self._directory.discard(self._names, span, error)
