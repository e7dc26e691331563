# SPDX-License-Identifier: Apache-2.0
"""Header fields through a gateway, by the tables of RFC 9110 and of auth_token."""

from __future__ import annotations

import pytest

from s3gateway.standalone import headers

_AUTH_TOKEN = [
    "X-Identity-Status",
    "X-Is-Admin-Project",
    "X-Service-Catalog",
    "OpenStack-System-Scope",
    "X-Role",
    "X-User",
    "X-Tenant",
    "X-Tenant-Id",
    "X-Tenant-Name",
    *(
        f"X{service}-{name}"
        for service in ("", "-Service")
        for name in (
            "Domain-Id",
            "Domain-Name",
            "Project-Id",
            "Project-Name",
            "Project-Domain-Id",
            "Project-Domain-Name",
            "User-Id",
            "User-Name",
            "User-Domain-Id",
            "User-Domain-Name",
            "Roles",
            "Identity-Status",
        )
    ),
]


@pytest.mark.parametrize("name", _AUTH_TOKEN)
def test_what_auth_token_says_goes_no_further(name: str) -> None:
    assert headers.is_identity(name.lower())


def test_every_field_that_auth_token_removes_is_known() -> None:
    request = pytest.importorskip("keystonemiddleware.auth_token._request")
    fields = request._AuthTokenRequest.blank("/")._all_auth_headers()
    assert [name for name in fields if not headers.is_identity(name.lower())] == []


@pytest.mark.parametrize(
    "name",
    ["x-auth-token", "x-service-token", "x-user-agent", "x-image-meta-store"],
)
def test_other_fields_go_on(name: str) -> None:
    assert not headers.is_identity(name)
    key = "HTTP_" + name.upper().replace("-", "_")
    assert (name, "x") in headers.towards_glance({key: "x"}, host="h")


@pytest.mark.parametrize(
    ("connection", "gone"),
    [("X-One", {"x-one"}), ("x-one , X-TWO", {"x-one", "x-two"}), ("", set())],
)
def test_fields_that_connection_names_end(connection: str, gone: set[str]) -> None:
    environ = {"HTTP_CONNECTION": connection, "HTTP_X_ONE": "1", "HTTP_X_TWO": "2"}
    names = {name for name, _ in headers.towards_glance(environ, host="h")}
    assert {"x-one", "x-two"} - names == gone
    fields = [("Connection", connection), ("X-One", "1"), ("X-Two", "2")]
    kept = {name.lower() for name, _ in headers.towards_client(fields)}
    assert kept == {"x-one", "x-two"} - gone


@pytest.mark.parametrize(
    ("via", "been"),
    [
        (f"1.1 {headers.PSEUDONYM}", True),
        (f"1.0 proxy, 1.1 {headers.PSEUDONYM}", True),
        ("1.1 s3gateway", False),
        ("1.1 s3gateway-0123456789abcdef", False),
        (f"1.1 proxy ({headers.PSEUDONYM})", False),
        ("", False),
    ],
)
def test_a_request_that_comes_back_is_known(via: str, been: bool) -> None:
    assert headers.has_been_here({"HTTP_VIA": via}) is been


@pytest.mark.parametrize(("count", "circles"), [(4, False), (5, True)])
def test_many_gateways_in_a_row_are_a_circle(count: int, circles: bool) -> None:
    via = ", ".join(f"1.1 s3gateway-{number:016x}" for number in range(count))
    assert headers.is_led_in_circles({"HTTP_VIA": via}) is circles


def test_glance_is_asked_for_what_the_gateway_can_read() -> None:
    fields = dict(headers.towards_glance({"HTTP_ACCEPT_ENCODING": "gzip"}, host="h"))
    assert fields["accept-encoding"] == "identity"
