# SPDX-License-Identifier: Apache-2.0
"""Canonical requests: every component behind the gateway reads them the same way.

Routes, WebOb, ``paste.urlmap`` and a proxy in front of Glance differ in how they read a
request.  Routes takes the method from a query parameter or a form, and its patterns
end before a newline; a proxy resolves dots.  If two of them could read a request
differently, the gateway refuses it.  It brings all others into one form, and judges
and forwards that form.
"""

from __future__ import annotations

import re
from urllib import parse

from s3gateway.errors import RequestError
from s3gateway.http.wsgi import Environ

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

# Routes looks for its ``_method`` in forms too (routes.middleware.is_form_post).
_OVERRIDE = "_method"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
#: Glance ignores the media type of a POST; its API documents this one.
_JSON = "application/json"

_SLASHES = re.compile(r"//+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def canonical(environ: Environ) -> Environ:
    """Return the request in canonical form; the same object if it has it already.

    :raises RequestError: if it can be read in more than one way
    """
    _check_method(environ["REQUEST_METHOD"])
    _check_query(environ.get("QUERY_STRING", ""))
    changed = {}
    path = environ.get("PATH_INFO", "")
    if (folded := _folded(path)) != path:
        changed["PATH_INFO"] = folded
    if environ["REQUEST_METHOD"] == "POST" and _is_form(environ):
        changed["CONTENT_TYPE"] = _JSON
    return {**environ, **changed} if changed else environ


def _check_method(method: str) -> None:
    """Refuse other spellings of a method: a server behind us may accept them."""
    if method not in _METHODS and method.upper() in _METHODS:
        raise RequestError(
            f"The method {method} is not understood. Send {method.upper()}."
        )


def _check_query(query: str) -> None:
    """Refuse the parameter ``_method``, in any encoding and with any separator."""
    names = (part.partition("=")[0] for part in re.split("[&;]", query))
    if any(parse.unquote_plus(name).strip() == _OVERRIDE for name in names):
        raise RequestError(
            "The query parameter _method is not supported. Send the request with the "
            "method itself."
        )


def _folded(path: str) -> str:
    """Return a path with single slashes, as ``paste.urlmap`` makes it."""
    if _CONTROL.search(path):
        raise RequestError("The path holds a control character. Leave it out.")
    folded = _SLASHES.sub("/", path)
    if any(segment in (".", "..") for segment in folded.split("/")):
        raise RequestError("The path holds a segment . or .. . Resolve it first.")
    return folded


def _is_form(environ: Environ) -> bool:
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0]
    return media_type.strip().lower() in _FORMS
