# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pathlib
import textwrap
from collections.abc import Callable

import pytest

from s3gateway.config.settings import Settings
from s3gateway.config.stores import MIB
from s3gateway.config.stores import Writing
from s3gateway.errors import ConfigError
from tests.support import configuration

CONFIGURATIONS = pathlib.Path(__file__).parents[2] / "fixtures" / "configuration"
Read = Callable[[str], Settings]

SECRET = "never/show+this=secret@key"


def load(path: pathlib.Path) -> Settings:
    return configuration.read(path)


@pytest.fixture
def read(tmp_path: pathlib.Path) -> Read:
    def read(text: str) -> Settings:
        path = tmp_path / "glance-api.conf"
        path.write_text(textwrap.dedent(text))
        return load(path)

    return read


def multi(**options: str) -> str:
    """Return a configuration with one S3 store and these options in it."""
    block = {
        "s3_store_host": "http://s3.example.org:9000",
        "s3_store_access_key": "ACCESSKEY",
        "s3_store_secret_key": SECRET,
        "s3_store_bucket": "glance",
        **options,
    }
    lines = "\n".join(f"{name} = {value}" for name, value in block.items() if value)
    return (
        "[DEFAULT]\nenabled_backends = fast:s3,disk:file\n"
        f"[glance_store]\ndefault_backend = fast\n[fast]\n{lines}\n"
    )


@pytest.mark.parametrize(
    ("name", "stores", "default", "multi_store"),
    [
        ("flashblade", {"flashblade"}, "flashblade", True),
        ("original-spec", {"test"}, "test", True),
        ("minio-beside-others", {"minio"}, "minio", True),
        ("rgw-single-store", {"s3"}, "s3", False),
        ("aws", {"frankfurt", "virginia"}, "frankfurt", True),
    ],
)
def test_the_tutorials_blocks_load(
    name: str, stores: set[str], default: str, multi_store: bool
) -> None:
    found = load(CONFIGURATIONS / f"{name}.conf")
    assert set(found.stores) == stores
    assert found.default_store == default
    assert found.multi_store is multi_store
    assert found.show_multiple_locations


def test_every_fixture_is_tested() -> None:
    assert len(list(CONFIGURATIONS.glob("*.conf"))) == 5


def test_what_a_block_means() -> None:
    minio = load(CONFIGURATIONS / "minio-beside-others.conf").stores["minio"]
    assert minio.endpoint == "http://minio.example.org:9000"
    assert minio.service == "minio.example.org:9000"
    assert minio.scheme == "s3"
    assert minio.part_size == 10 * MIB
    assert minio.large_object_size == 100 * MIB
    assert minio.max_parts_in_flight == 10
    assert minio.create_bucket
    rgw = load(CONFIGURATIONS / "rgw-single-store.conf").stores["s3"]
    assert rgw.endpoint == "https://rgw.example.org:8443"
    assert rgw.scheme == "s3+https"


def test_backend_defaults_are_behind_a_stores_own_options() -> None:
    stores = load(CONFIGURATIONS / "aws.conf").stores
    found = {store.keys.current().access_key for store in stores.values()}
    assert found == {"AKIAIOSFODNN7EXAMPLE"}
    assert {store.addressing for store in stores.values()} == {"virtual"}
    assert stores["frankfurt"].request_checksums == "when_supported"
    assert stores["virginia"].request_checksums == "when_required"


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("http://s3.example.org:9000/", "http://s3.example.org:9000"),
        ("http://192.0.2.1", "http://192.0.2.1"),
        ("https://s3.example.org/", "https://s3.example.org"),
        ("https://s3.example.org:443/base/", "https://s3.example.org:443/base"),
        ("http://[2001:db8::1]:9000", "http://[2001:db8::1]:9000"),
    ],
)
def test_hosts_of_all_forms(read: Read, host: str, endpoint: str) -> None:
    assert read(multi(s3_store_host=host)).stores["fast"].endpoint == endpoint


def test_what_s3_is_told_of_what_is_written(read: Read) -> None:
    told = {
        "s3_store_server_side_encryption": "aws:kms",
        "s3_store_kms_key_id": "images-key",
        "s3_store_storage_class": "STANDARD_IA",
        "s3_store_object_metadata": "true",
    }
    expected = Writing(
        encryption="aws:kms",
        kms_key="images-key",
        storage_class="STANDARD_IA",
        metadata=True,
    )
    assert read(multi(**told)).stores["fast"].writing == expected
    assert read(multi()).stores["fast"].writing == Writing()


def test_glances_defaults(read: Read) -> None:
    found = read(multi())
    assert found.image_size_cap == 1024**4
    assert found.hashing_algorithm == "sha512"
    assert found.require_image_format_match
    assert not found.show_multiple_locations
    assert found.stores["fast"].addressing == "auto"


@pytest.mark.parametrize(
    ("options", "section", "option"),
    [
        ({"s3_store_host": ""}, "fast", "s3_store_host"),
        ({"s3_store_host": "ftp://example.org"}, "fast", "s3_store_host"),
        ({"s3_store_host": "s3.example.org"}, "fast", "s3_store_host"),
        ({"s3_store_host": "http://user:pw@example.org"}, "fast", "s3_store_host"),
        ({"s3_store_access_key": ""}, "fast", "s3_store_access_key"),
        ({"s3_store_secret_key": ""}, "fast", "s3_store_secret_key"),
        ({"s3_store_bucket": ""}, "fast", "s3_store_bucket"),
        (
            {"s3_store_bucket_url_format": "subdomain"},
            "fast",
            "s3_store_bucket_url_format",
        ),
        (
            {"s3_store_large_object_chunk_size": "4"},
            "fast",
            "s3_store_large_object_chunk_size",
        ),
        (
            {"s3_store_large_object_chunk_size": "10MiB"},
            "fast",
            "s3_store_large_object_chunk_size",
        ),
        ({"s3_store_thread_pools": "0"}, "fast", "s3_store_thread_pools"),
        ({"s3_store_large_object_size": "-1"}, "fast", "s3_store_large_object_size"),
        (
            {"s3_store_request_checksum_calculation": "always"},
            "fast",
            "s3_store_request_checksum_calculation",
        ),
        *[
            ({"s3_store_region_name": region}, "fast", "s3_store_region_name")
            for region in ("my_dc", "-eu", "eu-", "eu.west", "x" * 64, "1")
        ],
        (
            {"s3_store_server_side_encryption": "rot13"},
            "fast",
            "s3_store_server_side_encryption",
        ),
        ({"s3_store_kms_key_id": "key"}, "fast", "s3_store_kms_key_id"),
        ({"s3_store_storage_class": "GLACIER"}, "fast", "s3_store_storage_class"),
        ({"s3_store_storage_class": "a b"}, "fast", "s3_store_storage_class"),
        *[
            (
                {"s3_store_bucket": bucket, "s3_store_bucket_url_format": "virtual"},
                "fast",
                "s3_store_bucket",
            )
            for bucket in ("Glance", "ab", "a_b", "a..b", "192.0.2.1", "-ab", "ab-")
        ],
    ],
)
def test_a_wrong_block_stops_the_start_with_one_line(
    read: Read, options: dict[str, str], section: str, option: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(multi(**options))
    assert (caught.value.section, caught.value.option) == (section, option)
    text = str(caught.value)
    assert text.startswith(f"[{section}] {option}: ")
    assert "\n" not in text
    assert SECRET not in text


@pytest.mark.parametrize("default", ["", "default_backend = slow"])
def test_the_default_backend_must_be_enabled(read: Read, default: str) -> None:
    with pytest.raises(ConfigError, match="enabled_backends: fast, disk") as caught:
        read(multi().replace("default_backend = fast", default))
    assert caught.value.option == "default_backend"


@pytest.mark.parametrize(
    ("buckets", "overlap"),
    [
        (("glance", "glance-cheap"), True),
        (("glance-cheap", "glance"), True),
        (("glance", "glance"), True),
        (("glance-fast", "glance-cheap"), False),
    ],
)
def test_stores_that_glance_could_confuse_are_refused(
    read: Read, buckets: tuple[str, str], overlap: bool
) -> None:
    one, other = (
        multi(s3_store_bucket=bucket).partition("[fast]")[2] for bucket in buckets
    )
    text = (
        "[DEFAULT]\nenabled_backends = fast:s3,cheap:s3\n"
        f"[glance_store]\ndefault_backend = fast\n[fast]{one}[cheap]{other}"
    )
    if not overlap:
        assert set(read(text).stores) == {"fast", "cheap"}
        return
    with pytest.raises(ConfigError, match="would confuse the two"):
        read(text)


def test_no_s3_store_at_all_is_no_error(read: Read) -> None:
    found = read(
        "[DEFAULT]\nenabled_backends = a:file\n[glance_store]\ndefault_backend = a\n"
    )
    assert not found.stores
    assert not read("[glance_store]\nstores = file\n").stores


def test_an_unknown_hash_is_refused(read: Read) -> None:
    with pytest.raises(ConfigError, match="hashlib has no 'sha1024'"):
        read(multi().replace("[DEFAULT]", "[DEFAULT]\nhashing_algorithm = sha1024"))


def test_a_file_that_does_not_parse() -> None:
    with pytest.raises(ConfigError):
        configuration.parse(pathlib.Path("/nonexistent/glance-api.conf"))


def test_secrets_are_not_in_the_settings_repr(read: Read) -> None:
    text = repr(read(multi()))
    assert SECRET not in text
    assert "ACCESSKEY" not in text
