# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3gateway import uris

# What S3 servers make keys from, and what operators type.
ACCESS_KEYS = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", min_size=1, max_size=40
)
SECRET_KEYS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=20)
SERVICES = st.builds(
    lambda host, port, path: f"{host}{port}{path}",
    NAMES,
    st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format)),
    st.one_of(st.just(""), NAMES.map("/{}".format)),
)


@given(
    scheme=st.sampled_from(uris.SCHEMES),
    service=SERVICES,
    bucket=NAMES,
    key=st.one_of(st.uuids().map(str), st.uuids().map(lambda uuid: f"{uuid}.0123abcd")),
    access_key=ACCESS_KEYS,
    secret_key=SECRET_KEYS,
)
def test_what_glance_writes_is_read_back(
    scheme: str, service: str, bucket: str, key: str, access_key: str, secret_key: str
) -> None:
    uri = uris.StoredURI(
        scheme=scheme,
        service=service,
        bucket=bucket,
        key=key,
        access_key=access_key,
        secret_key=secret_key,
    )
    assert uris.try_parse(str(uri)) == uri
    bare = uri.without_credentials()
    assert uris.try_parse(str(bare)) == bare


def test_a_secret_is_not_in_a_repr() -> None:
    assert "SECRET" not in repr(uris.try_parse("s3://AK:SECRET@h/b/k"))


@pytest.mark.parametrize(
    ("url", "service", "bucket", "key", "access_key", "secret_key"),
    [
        ("s3://h/b/k", "h", "b", "k", "", ""),
        ("s3://h:9000/b/k", "h:9000", "b", "k", "", ""),
        ("s3+https://h/base/b/k", "h/base", "b", "k", "", ""),
        ("s3+http://AK:SK@h:1/b/k", "h:1", "b", "k", "AK", "SK"),
        ("s3://AK:a/b+c=@d:e@h/b/k", "h", "b", "k", "AK", "a/b+c=@d:e"),
        ("s3://AK:%2F%40@h/b/k", "h", "b", "k", "AK", "%2F%40"),
        ("S3://h/b/k", "h", "b", "k", "", ""),
        ("s3://h//b/k", "h", "b", "k", "", ""),
    ],
)
def test_uris_of_all_ages(
    url: str, service: str, bucket: str, key: str, access_key: str, secret_key: str
) -> None:
    uri = uris.try_parse(url)
    assert uri is not None
    assert (uri.service, uri.bucket, uri.key) == (service, bucket, key)
    assert (uri.access_key, uri.secret_key) == (access_key, secret_key)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3",
        "s3://",
        "s3://h",
        "s3://h/b",
        "s3:///b/k",
        "s3://AK:SK@/b/k",
        "rbd://h/b/k/s",
        "file:///var/lib/glance/images/1",
        "http://s3.example/b/k",
    ],
)
def test_other_urls_are_no_location_of_ours(url: str) -> None:
    assert uris.try_parse(url) is None


def test_masked_form_is_told_from_the_stored_one() -> None:
    image_id = str(uuid.uuid4())
    mask = uris.Mask()
    url = mask.url("fast", image_id)
    assert url == f"s3://fast/{image_id}"
    assert mask.parse(url) == ("fast", image_id)
    assert mask.parse(f"s3://host/bucket/{image_id}") is None
    assert mask.parse(f"s3://AK:SK@host/{image_id}") is None
    assert mask.parse("s3://host/bucket") is None
    assert uris.try_parse(url) is None


_ID = "6f2c5a1e-0000-4000-8000-000000000000"


@pytest.mark.parametrize("key", [_ID, _ID.upper(), f"{_ID}.0123456789abcdef"])
def test_keys_of_images(key: str) -> None:
    assert uris.is_image_key(key)


@pytest.mark.parametrize(
    "key",
    ["", _ID[1:], f"{_ID}.", f"{_ID}.x", f"{_ID}\n", f"{'-' * 36}.0123456789abcdef"],
)
def test_other_keys(key: str) -> None:
    assert not uris.is_image_key(key)


@pytest.mark.parametrize(
    "form",
    [
        "s3://glance/{store}:{image_id}",
        "s3+https://{store}.{image_id}",
        "s3://x/{store}-{image_id}",
    ],
)
def test_other_forms_of_masks(form: str) -> None:
    image_id = str(uuid.uuid4())
    mask = uris.Mask(form)
    assert mask.parse(mask.url("fast", image_id)) == ("fast", image_id)


@pytest.mark.parametrize(
    "form",
    [
        "",
        "s3://{store}",
        "s3://{image_id}",
        "{store}/{image_id}",
        "http://{store}/{image_id}",
        "s3://host/{store}/{image_id}",
        "s3://{store}/{store}/{image_id}",
    ],
)
def test_masks_that_could_not_be_told_apart(form: str) -> None:
    with pytest.raises(ValueError, match=r"must|look like"):
        uris.Mask(form)
