# SPDX-License-Identifier: Apache-2.0
"""The connection to one S3 server: boto3 client, keys, region.

A boto3 session costs fifteen times as much as a client, so each process has one of each
for a store.  botocore decides addressing, region and proxies; the bare requests of
``http.py`` follow it.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar
from urllib import parse

import boto3
import botocore.client
import botocore.httpsession
import urllib3
from oslo_log import log

from s3gateway.config.keys import KeyPair
from s3gateway.config.settings import TransferSettings
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.s3 import credentials
from s3gateway.s3 import dates
from s3gateway.s3 import http as s3http
from s3gateway.s3 import logs
from s3gateway.s3.credentials import Chained
from s3gateway.store import Buffers

LOG = log.getLogger(__name__)

T = TypeVar("T")

_KEY_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0)  # seconds
#: How long it may take to replace both of two key files, in seconds.
_ROTATION = 10.0
#: How long a silent server counts as down, in seconds.
_MOMENT = 30.0

# Old regional host names; glance_store reads the region from them.
_AWS_REGION = re.compile(
    r"https?://s3-([a-z]+(?:-[a-z]+)+-[0-9])\.amazonaws\.com(?:\.cn)?"
)

_AWS_HOST = re.compile(r"(https?://)s3(?:[.-][a-z0-9-]+)?(\.amazonaws\.com(?:\.cn)?)")


class Connection:
    """One process's connections to one store.

    :ivar keys: the pair of keys that sign its requests, or the chain
    :ivar cacert: file of CAs to verify the server with
    :ivar client: the boto3 client, safe for threads
    :ivar region: the region in the signatures
    :ivar http: the connections that carry image bytes
    :ivar signer: signs the requests on them
    :ivar secure: whether they use TLS
    :param region: the bucket's region, if it differs from the settings
    """

    def __init__(
        self,
        store: StoreSettings,
        transfer: TransferSettings,
        keys: KeyPair | Chained,
        region: str = "",
    ) -> None:
        self.keys = keys
        if region:
            store = _elsewhere(store, region)
        logs.keep_secrets_out()
        session = _session(keys)
        # An unreadable date must not fail the whole response.
        session._session.get_component("response_parser_factory").set_parser_defaults(
            timestamp_parser=dates.lenient
        )
        cacert = store.cacert or session._session.get_config_variable("ca_bundle")
        self.cacert = cacert or botocore.httpsession.get_cert_path(True)
        self.client = session.client("s3", **_client_options(store, transfer, cacert))
        self.client.meta.events.register("before-call.s3", _follow_no_redirect)
        self.http = s3http.S3HTTP(
            store.name,
            store.endpoint,
            cacert=self.cacert,
            connect_timeout=transfer.connect_timeout,
            read_timeout=transfer.read_timeout,
        )
        self.region = self._presigned(store.bucket)[1]
        self.signer = s3http.Signer(session.get_credentials(), self.region)
        self.secure = store.endpoint.startswith("https:")
        self._bases: dict[str, str] = {}

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: Buffers = (),
        payload: str = "",
    ) -> urllib3.BaseHTTPResponse:
        """Send a signed request, once; return the answer with its body unread.

        :param payload: the payload hash to sign, if not the usual
        """
        # Over plain http the signature must cover the bytes; TLS protects them.
        usual = s3http.UNSIGNED if self.secure and method == "PUT" else ""
        said = payload or usual or s3http.payload_hash(data)
        signed = self.signer.headers(method, url, headers, said)
        return self.http.send(method, url, signed, data)

    def url(self, bucket: str, key: str, query: str = "") -> str:
        """Return the URL of an object in the store's addressing style."""
        if bucket not in self._bases:
            self._bases[bucket] = self._presigned(bucket)[0]
        url = self._bases[bucket] + parse.quote(key, safe="/~")
        return f"{url}?{query}" if query else url

    def _presigned(self, bucket: str) -> tuple[str, str]:
        """Return the base URL and the region that botocore chooses for a bucket."""
        url = self.client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "-"}
        )
        base, _, query = url.partition("?")
        scope = parse.parse_qs(query)["X-Amz-Credential"][0].split("/")
        return base.removesuffix("-"), scope[-3]


class Access:
    """One process's access to one store: follows changes of the keys and the region.

    :ivar region: the bucket's region in an answer of the server; empty if none
    :ivar chained: the credentials of botocore's chain, ``None`` if it is not used
    """

    def __init__(self, settings: StoreSettings, transfer: TransferSettings) -> None:
        self.region = ""
        self.chained = Chained(settings, settings.chain) if settings.chain else None
        self._settings = settings
        self._transfer = transfer
        self._connection: Connection | None = None
        self._connecting = threading.Lock()
        self._down_until = 0.0

    @property
    def connection(self) -> Connection:
        """The connection; a new one after the keys have changed."""
        keys = self.chained or self._settings.keys.current()
        if self.chained is not None:
            self.chained.get_frozen_credentials()  # before the effort of a client
        with self._connecting:
            if self._connection is None or self._connection.keys != keys:
                self._connection = Connection(
                    self._settings, self._transfer, keys, self.region
                )
            return self._connection

    @property
    def is_down(self) -> bool:
        """Whether the last request, a moment ago, got no answer."""
        return time.monotonic() < self._down_until

    def allowed(self, do: Callable[[Connection], T]) -> T:
        """Call a function; call it again if the bucket is in another region."""
        try:
            done = self._in_region(do)
        except StoreError as error:
            silent = isinstance(error, StoreUnavailable) and error.store_wide
            self._down_until = time.monotonic() + _MOMENT if silent else 0.0
            raise
        self._down_until = 0.0
        return done

    def _in_region(self, do: Callable[[Connection], T]) -> T:
        try:
            return self._with_keys(do)
        except StoreError as error:
            if not self._follow(error.region):
                raise
        return self._with_keys(do)

    def _with_keys(self, do: Callable[[Connection], T]) -> T:
        """Call a function; call it again if the keys have changed.

        The two key files are not replaced at the same moment.  While only one is new,
        the keys do not match, so after a change the call is retried for a while.
        Without a change a refusal is final.
        """
        if self.chained is not None:
            return self._with_chain(do, self.chained)
        for pause in _KEY_PAUSES:
            connection = self.connection
            try:
                return do(connection)
            except StoreDenied:
                if not self._may_be_allowed_soon(connection.keys):
                    raise
            time.sleep(pause)
        return do(self.connection)

    def _with_chain(self, do: Callable[[Connection], T], chained: Chained) -> T:
        try:
            return do(self.connection)
        except StoreError as error:
            if not chained.renewed(error.code):
                raise
        return do(self.connection)

    def _may_be_allowed_soon(self, used: KeyPair | Chained) -> bool:
        """Whether the keys have changed since this call, or may change soon."""
        keys = self._settings.keys
        if not keys.from_files:
            return False
        return keys.read_again() != used or keys.changed_within(_ROTATION)

    def _follow(self, region: str) -> bool:
        """Switch to the region that the server names; return whether it is another."""
        if not region or region == self.connection.region:
            return False
        LOG.warning(
            "The bucket of store %(store)s is in region %(region)s: set "
            "s3_store_region_name = %(region)s in [%(store)s]",
            {"store": self._settings.name, "region": region},
        )
        with self._connecting:
            self.region = region
            self._connection = None
        return True


def _elsewhere(store: StoreSettings, region: str) -> StoreSettings:
    """Return a store's settings for another region; AWS has one host a region."""
    host = _AWS_HOST.fullmatch(store.endpoint)
    endpoint = f"{host[1]}s3.{region}{host[2]}" if host else store.endpoint
    return dataclasses.replace(store, region=region, endpoint=endpoint)


def _session(keys: KeyPair | Chained) -> boto3.session.Session:
    if isinstance(keys, Chained):
        return boto3.session.Session(botocore_session=credentials.session_of(keys))
    return boto3.session.Session(
        aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key
    )


def _follow_no_redirect(params: dict[str, Any], **others: Any) -> None:
    """Have botocore take an answer for what it is; ``Access`` knows regions as well.

    To find a region out it asks again for ever where a proxy redirects all requests, as
    to https.
    """
    context = params["context"]
    context.setdefault("s3_redirect", {})["redirected"] = True
    context["s3_redirected"] = True  # what older releases look at


def _client_options(
    store: StoreSettings, transfer: TransferSettings, cacert: str | None
) -> dict[str, Any]:
    region = store.region or None
    endpoint: str | None = store.endpoint
    old_host = _AWS_REGION.fullmatch(store.endpoint)
    if old_host and not region:
        region, endpoint = old_host.group(1), None
    return {
        "endpoint_url": endpoint,
        "region_name": region,
        "use_ssl": store.endpoint.startswith("https:"),
        "verify": cacert,
        "config": _config(store, transfer),
    }


def _config(store: StoreSettings, transfer: TransferSettings) -> botocore.client.Config:
    options: dict[str, Any] = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": store.addressing},
        "connect_timeout": transfer.connect_timeout,
        "read_timeout": transfer.read_timeout,
        "retries": {"total_max_attempts": 1},  # the gateway itself retries
    }
    checksums = {
        "request_checksum_calculation": store.request_checksums,
        # Answers with image data do not come through the client.
        "response_checksum_validation": "when_required",
    }
    try:
        return botocore.client.Config(**options, **checksums)
    except TypeError:  # botocore before 1.36 has no such options and no checksums
        return botocore.client.Config(**options)
