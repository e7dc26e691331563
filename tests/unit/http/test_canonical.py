# SPDX-License-Identifier: Apache-2.0
"""Requests that can be read in two ways are refused, all others keep their meaning."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib import parse

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webob import Request

from s3gateway.errors import RequestError
from s3gateway.http.canonical import canonical


def request(method: str = "GET", path: str = "/v2/images", **more: str) -> Any:
    return {"REQUEST_METHOD": method, "PATH_INFO": path, **more}


@pytest.mark.parametrize(
    "environ",
    [
        request("PATCH", "/v2/images/id"),
        request(QUERY_STRING="os_method=x&name=_method&limit=1"),
        request("POST", CONTENT_TYPE="application/json"),
        request("PUT", CONTENT_TYPE="application/x-www-form-urlencoded"),
        request("PROPFIND"),
        request(path="/v2/images/id/tags/a..b"),
        request(path=""),
    ],
)
def test_a_request_with_one_reading_is_not_touched(environ: Any) -> None:
    assert canonical(environ) is environ


@pytest.mark.parametrize(
    "query",
    [
        "_method=PATCH",
        "_method=",
        "_method",
        "limit=1&_method=patch",
        "limit=1;_method=PATCH",
        "%5Fmethod=PATCH",
        "_%6Dethod=PATCH",
        "+_method+=PATCH",
        "_method=GET&_method=PATCH",
    ],
)
def test_an_override_of_the_method_is_refused(query: str) -> None:
    with pytest.raises(RequestError, match="_method"):
        canonical(request(QUERY_STRING=query))


@given(st.text("_method%5F6D=&;+ aPATCH", max_size=40))
def test_what_passes_is_no_override_to_routes(query: str) -> None:
    try:
        canonical(request(QUERY_STRING=query))
    except RequestError:
        return
    assert "_method" not in parse.parse_qs(query, keep_blank_values=True)
    environ: dict[str, Any] = {"QUERY_STRING": query}
    with contextlib.suppress(UnicodeDecodeError):  # Routes takes no method then
        assert "_method" not in Request.blank("/", environ).GET


@pytest.mark.parametrize("method", ["patch", "Patch", "pOST", "get"])
def test_other_spellings_of_a_method_are_refused(method: str) -> None:
    with pytest.raises(RequestError, match=method):
        canonical(request(method))


@pytest.mark.parametrize(
    "path",
    [
        "/v2/images/id\n",
        "/v2/images/id/file\n",
        "/v2/images/\x00id",
        "/v2/images/id\x7f",
        "/v2/./images/id",
        "/v2/images/x/../id",
        "/..",
        "//..//v2/images/id",
    ],
)
def test_a_path_that_others_resolve_is_refused(path: str) -> None:
    with pytest.raises(RequestError, match="path"):
        canonical(request(path=path))


def test_slashes_are_folded_as_glance_folds_them() -> None:
    environ = request(path="//v2///images//id")
    assert canonical(environ) == request(path="/v2/images/id")
    assert environ == request(path="//v2///images//id")


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        "multipart/form-data; boundary=x",
        " multipart/form-data ;",
    ],
)
def test_a_form_is_none_to_routes(kind: str) -> None:
    found = canonical(request("POST", CONTENT_TYPE=kind))
    assert found["CONTENT_TYPE"] == "application/json"
