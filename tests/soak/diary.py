# SPDX-License-Identifier: Apache-2.0
"""What clients did and saw, and which error is explained by what went wrong."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator

OK = "ok"
BROKEN = "connection broken"
WRONG = "wrong data"
ONE_BIT = "one wrong bit"
NOT_IMPORTED = "not imported"


@dataclasses.dataclass(frozen=True)
class Deed:
    """One request of a client, or an import with all of its requests.

    :ivar through: the name of the gateway
    :ivar outcome: ``OK``, an unexpected status, or one of the words above
    :ivar moved: bytes of image data
    """

    what: str
    through: str
    image: str
    began: float
    ended: float
    outcome: str = OK
    moved: int = 0
    detail: str = ""

    def __str__(self) -> str:
        return (
            f"{self.what} of {self.image or 'no image'} through {self.through} "
            f"at {self.began:.1f} to {self.ended:.1f}: "
            f"{self.outcome} {self.detail}".rstrip()
        )


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that went wrong on purpose.

    :ivar image: the image that it happened to, empty for all
    :ivar through: the gateway that it happened to, empty for all
    """

    kind: str
    began: float
    ended: float
    image: str = ""
    through: str = ""

    def concerns(self, deed: Deed) -> bool:
        return (
            self.image in ("", deed.image)
            and self.through in ("", deed.through)
            and self.began <= deed.ended
            and deed.began <= self.ended
        )


@dataclasses.dataclass(frozen=True)
class Allowed:
    """An outcome that a client may see.

    :ivar kind: of the cause, as a regular expression
    :ivar deeds: of the client, as a regular expression
    :ivar outcome: as a regular expression
    """

    kind: str
    deeds: str
    outcome: str
    why: str

    def fits(self, deed: Deed, cause: Cause) -> bool:
        return bool(
            re.fullmatch(self.deeds, deed.what)
            and re.fullmatch(self.outcome, deed.outcome)
            and re.fullmatch(self.kind, cause.kind)
            and cause.concerns(deed)
        )


_DRIVERS = "delete|import|copy"  # what Glance's own S3 driver does

ALLOWED = (
    Allowed(
        "client: .*",
        "upload|download|range",
        BROKEN,
        "the connection between this client and the gateway was broken",
    ),
    Allowed(
        "S3: Corrupt|S3: WrongRange",
        "download|range",
        f"{BROKEN}|500",  # this if all of it was read before the first byte was sent
        "wrong bytes of S3 must not be delivered as if they were right",
    ),
    Allowed(
        "S3: Corrupt",
        "range",
        ONE_BIT,
        "a digest is of the whole image: a range over plain http has none",
    ),
    Allowed(
        "S3: .*|S3 away",
        "download|range",
        "503",
        "no byte had come from S3 for five seconds; the client may ask again",
    ),
    Allowed(
        "worker: .*",
        ".*",
        BROKEN,
        "the process that served it had ended, or its grace was over",
    ),
    Allowed(
        "worker: .*|Glance: .*",
        "import|copy",
        NOT_IMPORTED,
        "Glance's tasks end with its process",
    ),
    Allowed(
        "Glance: .*",
        ".*",
        "50[0234]",
        "Glance behind the gateway was away, or its grace was over",
    ),
    Allowed(
        "S3: .*|S3 away",
        _DRIVERS,
        f"500|{NOT_IMPORTED}",
        "Glance's own driver gives up after five tries",
    ),
    Allowed(
        "S3: .*|S3 away",
        "upload",
        "50[03]",
        "Glance's own driver looks at what is registered, and gives up",
    ),
)
#: Only where uploads are registered through Glance's API.
_BY_API = ALLOWED[-1]


class Diary:
    """All deeds and causes.

    :param by_api: names of the gateways that register uploads through Glance's API
    """

    def __init__(self, by_api: Iterable[str] = ()) -> None:
        self.deeds: list[Deed] = []
        self.causes: list[Cause] = []
        self._by_api = set(by_api)
        self._lock = threading.Lock()

    def did(self, deed: Deed) -> None:
        with self._lock:
            self.deeds.append(deed)

    def went_wrong(self, cause: Cause) -> None:
        with self._lock:
            self.causes.append(cause)

    @property
    def errors(self) -> list[Deed]:
        return [deed for deed in self.deeds if deed.outcome != OK]

    def why(self, deed: Deed) -> str:
        """Return why a client may see this, empty if it may not."""
        for allowed in ALLOWED:
            if allowed is _BY_API and deed.through not in self._by_api:
                continue
            if any(allowed.fits(deed, cause) for cause in self.causes):
                return allowed.why
        return ""

    def of_image(self, image: str) -> list[str]:
        """Return what was done with an image, and what went wrong with it, in order."""
        found: list[Deed | Cause] = [d for d in self.deeds if d.image == image]
        found += [cause for cause in self.causes if cause.image == image]
        return [str(each) for each in sorted(found, key=lambda each: each.ended)]

    def unexplained(self) -> list[Deed]:
        """Return the errors that no client should have seen."""
        return [deed for deed in self.errors if not self.why(deed)]

    def reasons(self) -> Iterator[tuple[str, str, int, str]]:
        """Yield deed, outcome, how often, and why that is allowed."""
        counted = Counter(
            (deed.what, deed.outcome, self.why(deed)) for deed in self.errors
        )
        for (what, outcome, why), count in sorted(counted.items()):
            yield what, outcome, count, why or "NOT ALLOWED"
