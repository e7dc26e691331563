# SPDX-License-Identifier: Apache-2.0
"""Every error that the gateway raises, with its HTTP status and whose fault it is.

Only ``gateway.py`` turns an error into a response; it takes the status from here.
Clients read the texts: none may hold a credential, an S3 host or a bucket.
"""

from __future__ import annotations

from collections.abc import Sequence


class GatewayError(Exception):
    """Base of all errors below.

    :cvar status: HTTP status code
    :cvar fault: whose fault it is: ``client``, ``glance``, ``store`` or ``gateway``
    :ivar headers: headers that the response must have
    """

    status = 500
    fault = "gateway"

    def __init__(self, text: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(text)
        self.headers = tuple(headers)


class ConfigError(GatewayError):
    """The configuration cannot be used: the operator's fault.

    :param section: the section of the configuration file, without brackets
    :param option: the option in it
    :param problem: what is wrong and what to do; never a secret's value
    """

    def __init__(self, section: str, option: str, problem: str) -> None:
        super().__init__(f"[{section}] {option}: {problem}")
        self.section = section
        self.option = option


class UsageError(GatewayError):
    """The operator's fault: a command's arguments cannot be used."""


class RequestError(GatewayError):
    """The client's fault."""

    status = 400
    fault = "client"


class SizeMismatch(RequestError):
    """The body is shorter or longer than the client announced."""


class DigestMismatch(RequestError):
    """The body has another digest than the client or the image announced."""


class ClientGone(RequestError):
    """The body could not be read to its end: the client went away."""


class Forbidden(RequestError):
    """The client may not do this."""

    status = 403


class PreconditionFailed(RequestError):
    """The image's data is another version than the client asked for."""

    status = 412


class RangeNotSatisfiable(RequestError):
    """The requested range holds no byte of the image."""

    status = 416


class TooLarge(RequestError):
    """The body is larger than the operator or the store allows."""

    status = 413


class ContentRefused(RequestError):
    """The image's content is not what its ``disk_format`` says, or unsafe."""

    status = 415


class Conflict(RequestError):
    """Another upload to the same image is running or has won."""

    status = 409


class ImageGone(RequestError):
    """The image was deleted while its data was coming in."""

    status = 410


class TooManyUploads(RequestError):
    """The project has as many uploads running as it may have."""

    status = 503


class GlanceError(GatewayError):
    """Glance's fault: it did not answer, or not as its API says."""

    fault = "glance"


class NotRegistered(GlanceError):
    """Glance did not register the data, and the image proves it."""


class Overwritten(GlanceError):
    """The image has its data, but a concurrent change kept it from becoming active."""

    status = 409


class NotKnown(GlanceError):
    """It is unknown whether Glance changed, or will change, an image's locations."""


class StoreError(GatewayError):
    """The object store's fault.

    :ivar code: the server's error code, or the name of what broke; may be empty
    :ivar region: the bucket's region, if the server names another one
    :ivar store_wide: whether the error concerns the whole store, not one object
    """

    fault = "store"
    code = ""
    region = ""
    store_wide = False


class ObjectNotFound(StoreError):
    """There is no such object, or it is another version."""


class ObjectExists(StoreError):
    """A conditional write found an object under its key."""


class StoreUnavailable(StoreError):
    """The store did not answer, broke off or asked to slow down.

    Worth another try.
    """

    status = 503


class WriteConflict(StoreUnavailable):
    """Another client wrote the same key at the same time; nothing was written."""


class StoreDenied(StoreError):
    """The store refused our credentials or the operation."""

    status = 503


class StoreFull(StoreError):
    """The store has no room left."""

    status = 413
