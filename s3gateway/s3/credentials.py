# SPDX-License-Identifier: Apache-2.0
"""Finds the credentials of botocore's chain, and keeps them fresh for each signature.

botocore renews what it has found some minutes before it expires.  What S3 refuses
before that, or nothing renews, as a profile that another program writes, is looked for
once more in the whole chain.
"""

from __future__ import annotations

import threading
import time

import botocore.session
from botocore.credentials import Credentials
from botocore.credentials import ReadOnlyCredentials
from botocore.credentials import RefreshableCredentials

from s3gateway.config.keys import Chain
from s3gateway.config.keys import KeyPair
from s3gateway.config.stores import StoreSettings
from s3gateway.errors import StoreDenied
from s3gateway.errors import StoreError
from s3gateway.errors import StoreUnavailable
from s3gateway.s3 import logs
from s3gateway.s3 import sources
from s3gateway.s3.sources import FAILURES
from s3gateway.s3.waited import Calls

#: The codes of errors: no source has credentials; one that should have failed.
NONE_FOUND, SOURCE_FAILED = "NoCredentials", "CredentialsFailed"

_PAUSE = 5.0  # seconds between two looks for credentials
_ENOUGH = 30.0  # seconds that credentials must still be valid to be used
_LONGEST = 15.0  # seconds that a source is waited for

_ATTEMPTS = "metadata_service_num_attempts"

#: What S3 servers answer if it is the credentials that they refuse.  The answer to HEAD
#: has no code but its status.
_REFUSALS = {
    "400",
    "403",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "InvalidTokenId",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}


class Chained(Credentials):  # type: ignore[misc]  # botocore has no types
    """The credentials of one store, for boto3 and for the gateway's own signatures.

    It looks for them when they are first used: a server forks after it has loaded the
    gateway.

    :param chain: is told what was used
    """

    def __init__(self, settings: StoreSettings, chain: Chain) -> None:
        super().__init__("", "")
        self._store = settings.name
        self._region = settings.region
        self._chain = chain
        self._lock = threading.Lock()
        self._found: Credentials | None = None
        self._last: ReadOnlyCredentials | None = None
        self._last_of: Credentials | None = None
        self._failure: StoreError | None = None
        self._failed_of: Credentials | None = None
        self._not_before = 0.0
        self._same_until = 0.0
        self._here = threading.local()
        self._calls = Calls(_LONGEST)

    @property
    def kind(self) -> str:
        """What the credentials come from, in words.

        :raises StoreError: if there are none
        """
        return sources.named(self._look().method)[0]

    @property
    def lasting(self) -> bool:
        """Whether botocore renews them, or need not.

        :raises StoreError: if there are none
        """
        found = self._look()
        is_renewed = isinstance(found, RefreshableCredentials)
        return is_renewed or not self.get_frozen_credentials().token

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return credentials for one signature; they have not expired.

        :raises StoreDenied: if the chain has none
        :raises StoreUnavailable: if what has them fails, or does not answer
        """
        found = self._look()
        frozen = self._meanwhile(found) or self._renew(found)
        self._last = self._here.used = frozen
        self._last_of = found
        self._failed_of = None
        self._chain.note(
            KeyPair(frozen.access_key, frozen.secret_key, frozen.token or "")
        )
        return frozen

    def renewed(self, code: str) -> bool:
        """Whether there are others than those that S3 refused this thread.

        It looks for them if no other thread has found any.

        :param code: of S3's answer
        :raises StoreError: if there are none now
        """
        used = getattr(self._here, "used", None)
        if code not in _REFUSALS or used is None:
            return False
        with self._lock:
            if self._last == used and time.monotonic() >= self._same_until:
                self._same_until = time.monotonic() + _PAUSE
                self._found = self._find()
        if self.get_frozen_credentials() == used:
            return False
        self._same_until = 0.0
        return True

    def _meanwhile(self, found: Credentials) -> ReadOnlyCredentials | None:
        """Return what is still good while the source has a rest.

        :raises StoreError: if nothing is, and the source has just failed
        """
        if time.monotonic() >= self._not_before:
            return None
        valid = self._valid(found)
        if valid is None and self._failure and self._failed_of is found:
            raise _again(self._failure)
        return valid

    def _renew(self, found: Credentials) -> ReadOnlyCredentials:
        """Return what was found; botocore renews it if it is time for that.

        A source that fails, or gives what expires soon, is not asked for each request.
        """
        try:
            frozen = self._ask(found)
            if frozen != self._last:
                sources.check_usable(frozen)
        except FAILURES as error:
            failure = self._failed(found.method, error)
            self._failed_of = found
            frozen = self._valid(found)
            if frozen is None:
                raise failure from None
        if isinstance(found, RefreshableCredentials) and found.refresh_needed():
            self._not_before = time.monotonic() + _PAUSE
        return frozen

    def _ask(self, found: Credentials) -> ReadOnlyCredentials:
        """Ask botocore for what it has; wait for a source that it has to ask."""
        if not (isinstance(found, RefreshableCredentials) and found.refresh_needed()):
            return found.get_frozen_credentials()
        if self._calls.is_running(found) and (valid := self._valid(found)):
            return valid
        return self._calls.result(found, found.get_frozen_credentials)

    def _look(self) -> Credentials:
        """Return what was found; find it if it was not."""
        with self._lock:
            if self._found is None:
                if self._failure and time.monotonic() < self._not_before:
                    raise _again(self._failure)
                self._found = self._find()
            return self._found

    def _find(self) -> Credentials:
        """Ask the sources of the chain in turn, each for what it has now."""
        method = ""
        try:
            for source in (
                _session(self._chain, self._region)
                .get_component("credential_provider")
                .providers
            ):
                method = source.METHOD
                found = self._calls.result(method, source.load)
                if found is not None:
                    return found
        except FAILURES as error:
            raise self._failed(method, error) from None
        # Where there were some, a service was only too slow for botocore.
        kind = StoreUnavailable if self._found else StoreDenied
        raise self._noted(
            kind(
                f"Store {self._store} has no credentials: botocore's chain finds none. "
                "Give this process an instance role, a web identity, a profile or "
                "another source, or set s3_store_credentials = static and keys"
            ),
            NONE_FOUND,
        )

    def _valid(self, found: Credentials) -> ReadOnlyCredentials | None:
        """Return what was used last, if it is still good though it was not renewed."""
        if self._last_of is not found or not isinstance(found, RefreshableCredentials):
            return None
        return None if found.refresh_needed(_ENOUGH) else self._last

    def _failed(self, method: str, error: Exception) -> StoreError:
        source, advice = sources.named(method)
        kind = sources.kind_of(error)
        return self._noted(
            StoreUnavailable(
                f"Store {self._store} has no credentials: {source} failed ({kind}). "
                f"Check {advice}"
            ),
            SOURCE_FAILED,
        )

    def _noted(self, error: StoreError, code: str) -> StoreError:
        """Have other threads get this error for a while, and not ask again."""
        error.code = code
        error.store_wide = True
        self._failure = error
        self._not_before = time.monotonic() + _PAUSE
        return error


def _again(error: StoreError) -> StoreError:
    """Return the same error: each is raised once, as it collects a traceback."""
    another = type(error)(str(error))
    another.code, another.store_wide = error.code, error.store_wide
    return another


class _Found:
    """Stands for the chain in the session of boto3's client."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Credentials:
        return self._credentials


def session_of(credentials: Credentials) -> botocore.session.Session:
    """Return a session whose clients sign with these credentials."""
    session = botocore.session.Session()
    session.register_component("credential_provider", _Found(credentials))
    return session


def _session(chain: Chain, region: str) -> botocore.session.Session:
    """Return a session that reads the environment and the files as they are now."""
    logs.keep_secrets_out()
    session = botocore.session.Session(profile=chain.profile or None)
    if region and not session.get_config_variable("region"):
        session.set_config_variable("region", region)  # for STS
    if session.get_config_variable(_ATTEMPTS) == 1:  # of one second, by default
        session.set_config_variable(_ATTEMPTS, 3)
    return session
