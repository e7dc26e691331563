# SPDX-License-Identifier: Apache-2.0
"""Whether the S3 face of a sealed gateway answers, and refuses what it must.

All are real requests, each a GET: they read no image and change nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import ipaddress
import secrets
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from urllib import parse

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import StoreError
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Meaning
from s3gateway.s3 import http as s3http
from s3gateway.s3 import replays
from s3gateway.s3.connection import Connection

_OLD = datetime.timedelta(hours=1)
_NOBODY = KeyPair("none", "none")

_ANOTHER_KEY = Meaning(
    "face_refuses_key",
    "refuses the key pair",
    "The pair here is not one of the gateway's face_keys: give Glance's section and "
    "the gateway's file the same, and see that a proxy keeps Host and the path.",
)
#: What is wrong if the face does not say that an unheard-of object is not there.
_MEANINGS = {
    "InvalidAccessKeyId": _ANOTHER_KEY,
    "SignatureDoesNotMatch": _ANOTHER_KEY,
    "NoSuchBucket": Meaning(
        "face_has_no_such_bucket",
        "has no such bucket",
        "No store of the gateway has the bucket that is configured here, or S3 does "
        "not have it yet: set s3_store_bucket to the real name on both sides, and let "
        "check on the gateway's host say whether the bucket is there.",
    ),
    "AuthorizationHeaderMalformed": Meaning(
        "face_in_another_region",
        "has another region",
        "Leave s3_store_region_name away in Glance's section, or set it to the "
        "gateway's.",
    ),
    "NotImplemented": Meaning(
        "face_without_domain",
        "does not know virtual style",
        "s3_store_bucket_url_format = virtual needs face_domain in the gateway's "
        "configuration, and the bucket in front of it as a name of the face; path "
        "needs neither.",
    ),
    "RequestTimeTooSkewed": Meaning(
        "face_clock_differs",
        "has another time",
        "The clocks of this host and of the gateway's are more than 15 minutes apart, "
        "so Glance's driver is refused as well; let NTP set both.",
    ),
    "ServiceUnavailable": Meaning(
        "face_without_store",
        "S3 does not answer the gateway",
        "The gateway's log says why; run check on the gateway's host.",
    ),
    "SSLError": Meaning(
        "face_not_trusted",
        "cannot be asked over TLS",
        "Its certificate must be for the host in the URL; s3_store_cacert must name a "
        "file with its authority, on the gateway's host beside that of S3; and https "
        "is right only if gunicorn or a proxy has a certificate for the face.",
    ),
}
_OTHER = Meaning(
    "face_does_not_answer",
    "does not answer as a face",
    "Look at the face's URL, also whether it is https, at the ports in the gateway's "
    "paste file and those that gunicorn listens on, at firewalls, and at the "
    "gateway's log; with s3_store_bucket_url_format = virtual also whether the "
    "bucket's name in front of the face's resolves.",
)


@dataclasses.dataclass(frozen=True)
class _Question:
    """A request that the face must refuse.

    :ivar code: of the error that is right
    """

    what: str
    code: str
    url: str
    fields: Mapping[str, str]


def check(
    store: StoreSettings, url: str, pair: KeyPair, transfer: TransferSettings
) -> Iterator[Finding]:
    """Yield what is found out about the face of a store.

    :param store: with the addressing style of what asks the face
    :param url: of the face
    :param pair: opens it
    :param transfer: its time-outs
    """
    subject = f"face, store {store.name}"
    asked = _Asked(store, url, transfer)
    try:
        code = asked.code(asked.image(), asked.signed(asked.image(), pair))
    except StoreError as error:  # no answer at all
        yield _wrong(subject, _OTHER, f"{error}. ")
        return
    if code != "NoSuchKey":
        yield _wrong(subject, _MEANINGS.get(code, _OTHER), f"It says {code}. ")
        return
    yield findings.ok("face_answers", subject, "answers the key pair")
    yield _refusals(subject, asked, pair)
    if not (url.startswith("https:") or _is_of_this_host(url)):
        yield findings.note(
            "face_without_tls",
            subject,
            "without TLS",
            "Anybody on the way to it can read the images that pass, and change what "
            "Glance reads: use https if that is not a network of your own.",
        )


def _is_of_this_host(url: str) -> bool:
    """Whether a URL names a loopback address, of which no network is the way."""
    host = parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(subject: str, meaning: Meaning, said: str) -> Finding:
    return findings.error(
        meaning.code, subject, meaning.found, f"{said}{meaning.advice}"
    )


def _refusals(subject: str, asked: _Asked, pair: KeyPair) -> Finding:
    questions = list(asked.questions(pair))
    try:
        passed = [q.what for q in questions if asked.code(q.url, q.fields) != q.code]
    except StoreError as error:
        return findings.error(
            "face_refusals_not_known", subject, "not all was tried", str(error)
        )
    if passed:
        return findings.error(
            "face_does_not_refuse",
            subject,
            f"does not refuse {', '.join(passed)}",
            "What answers is no face, or an older one: the URL may be that of S3 "
            "itself. Do not call this gateway sealed.",
        )
    names = ", ".join(q.what for q in questions)
    return findings.ok("face_refuses", subject, f"refuses {names}")


class _Asked:
    """A face that is asked, as if it were S3.

    :param url: of the face
    """

    def __init__(
        self, store: StoreSettings, url: str, transfer: TransferSettings
    ) -> None:
        self._transfer = transfer
        self._bucket = store.bucket
        self._place = dataclasses.replace(store, endpoint=url, chain=None, face=None)
        self._unsigned = self._connection(_NOBODY)
        self._by_path = self._connection(_NOBODY, addressing="path")
        self._key = str(uuid.uuid4())

    def image(self) -> str:
        """Return the URL of the data of an image that does not exist."""
        return self._unsigned.url(self._bucket, self._key)

    def signed(self, url: str, pair: KeyPair) -> Mapping[str, str]:
        """Return the header fields of a GET."""
        signer = self._connection(pair).signer
        return signer.headers("GET", url, {}, s3http.EMPTY)

    def code(self, url: str, fields: Mapping[str, str]) -> str:
        """Return the code of the error that a GET is answered with, empty if by none.

        :raises StoreError: if there is no answer
        """
        try:
            with contextlib.closing(self._unsigned.http.send("GET", url, fields)):
                return ""
        except StoreError as error:
            if not error.code:
                raise
            return error.code

    def questions(self, pair: KeyPair) -> Iterator[_Question]:
        """Yield what the face must refuse."""
        image = self.image()
        wrong = KeyPair(pair.access_key, secrets.token_hex(20))
        unknown = KeyPair(f"NOBODY{secrets.token_hex(8)}", pair.secret_key)
        # By the path: nobody resolves the name of a bucket that does not exist.
        elsewhere = self._by_path.url(f"no-{secrets.token_hex(8)}", self._key)
        no_image = self._by_path.url(self._bucket, "notes.txt")
        listing = self._by_path.url(self._bucket, "", "list-type=2")
        old = datetime.datetime.now(datetime.timezone.utc) - _OLD
        region = self._unsigned.region
        yield _Question("an unsigned request", "AccessDenied", image, {})
        for what, code, url, opener in (
            ("a wrong secret key", "SignatureDoesNotMatch", image, wrong),
            ("an unknown access key", "InvalidAccessKeyId", image, unknown),
            ("another bucket", "NoSuchBucket", elsewhere, pair),
            ("the key of no image", "AccessDenied", no_image, pair),
            ("a list of the bucket", "NotImplemented", listing, pair),
        ):
            yield _Question(what, code, url, self.signed(url, opener))
        replayed = replays.fields(image, pair, region, old)
        yield _Question("an old date", "RequestTimeTooSkewed", image, replayed)

    def _connection(self, pair: KeyPair, addressing: str = "") -> Connection:
        style = addressing or self._place.addressing
        place = dataclasses.replace(self._place, keys=Keys(pair), addressing=style)
        return Connection(place, self._transfer, pair)
