# SPDX-License-Identifier: Apache-2.0
"""A real Glance starts with the filter, or says in one line why not."""

from __future__ import annotations

import pathlib
import shutil
import uuid

import pytest

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.servers import glance
from tests.support.servers.cloud import Cloud
from tests.support.servers.glance import GlanceSpec
from tests.support.servers.identity import token
from tests.support.servers.processes import ServerFailed

ALICE = token("alice", "acme", "member", "reader")


def serve(cloud: Cloud, tmp_path: pathlib.Path, **fast: str) -> glance.Serving:
    """Serve a Glance whose store ``fast`` has other options, and no tables."""
    spec = GlanceSpec(bin_dir=cloud.bin_dir, gateway=True, config={"fast": fast})
    database = f"sqlite:///{tmp_path}/glance.sqlite"
    return glance.serving(spec, tmp_path / "api", cloud.stores(), database)


@pytest.mark.parametrize(
    ("option", "value"),
    tiers.but(
        [("s3_store_secret_key", ""), ("s3_store_bucket", "g33-cheap-too")],
        [
            ("s3_store_secret_key", ""),
            ("s3_store_host", "minio:9000"),
            ("s3_store_bucket_url_format", "subdomain"),
            ("s3_store_large_object_chunk_size", "4"),
            ("s3_store_bucket", "g33-cheap-too"),
        ],
    ),
)
def test_a_wrong_store_section_stops_the_start(
    cloud: Cloud, tmp_path: pathlib.Path, option: str, value: str
) -> None:
    with (
        pytest.raises(ServerFailed) as failed,
        serve(cloud, tmp_path, **{option: value}),
    ):
        pass
    lines = [line for line in str(failed.value).splitlines() if "ConfigError: " in line]
    assert len(set(lines)) == 1, failed.value
    assert f"[fast] {option}: " in lines[0]
    assert cloud.s3.secret_key not in (tmp_path / "api" / "glance.log").read_text()


def test_by_api_without_show_multiple_locations_everything_passes_through(
    cloud: Cloud,
) -> None:
    how = {
        "config": {
            "DEFAULT": {"show_multiple_locations": "false"},
            "s3gateway": {"registration": "api"},
        }
    }
    running = cloud.glance(gateway=True, **how)
    assert "show_multiple_locations is not set" in running.log
    api = Api(running.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, b"some data").status == 204
    assert image_id in cloud.objects("fast")  # under stock's own key
    assert api.download(image_id).body == b"some data"
    assert api.delete(image_id).status == 204


def test_drop_in_directories_are_read_as_glance_reads_them(cloud: Cloud) -> None:
    bucket = "dropped-in"
    cloud.s3.client().create_bucket(Bucket=bucket)
    there = pathlib.Path.home() / ".glance" / "glance-api.conf.d"
    there.mkdir(parents=True)
    options = {
        "fast": {"s3_store_bucket": bucket},
        "s3gateway": {"show_locations": "never"},
    }
    (there / "50-site.conf").write_text(glance.ini(options))
    try:
        how = {"config": {"DEFAULT": {"default_log_levels": "amqp=WARN"}}}
        api = cloud.api(ALICE, gateway=True, **how)
    finally:
        shutil.rmtree(there)
    image_id = api.create()
    assert api.upload(image_id, b"some data").status == 204
    listed = cloud.s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [found["Key"].split(".")[0] for found in listed] == [image_id]
    assert not {"locations", "direct_url"} & set(api.show(image_id))
    assert api.download(image_id).body == b"some data"
    assert api.delete(image_id).status == 204


def test_no_credential_reaches_the_log(cloud: Cloud) -> None:
    how = {"config": {"DEFAULT": {"debug": "true"}}}
    running = cloud.glance(gateway=True, **how)
    api = Api(running.url, ALICE)
    image_id = api.create()
    assert api.upload(image_id, b"x" * 9_000_000).status == 204
    assert api.download(image_id).status == 200
    assert api.upload(str(uuid.uuid4()), b"x").status == 404
    ours = [line for line in running.log.splitlines() if " s3gateway" in line]
    text = "\n".join(ours)
    for hidden in (cloud.s3.secret_key, cloud.s3.access_key, "Signature="):
        assert hidden not in running.log  # nor in what Glance's own driver logs
    for hidden in (cloud.s3.endpoint.partition("//")[2], ALICE):
        assert hidden not in text


def test_the_shipped_paste_file_is_glances_with_the_filter(cloud: Cloud) -> None:
    """The shipped paste file has everything that Glance's file has."""
    theirs = cloud.bin_dir.parent / "etc" / "glance" / "glance-api-paste.ini"
    ours = glance.ROOT / "etc" / "paste" / "glance-api-paste.ini"
    expected = glance.with_filter(theirs.read_text())
    assert glance.parsed(ours.read_text()) == {
        section: options
        for section, options in glance.parsed(expected).items()
        if section != "filter:gzip"  # in no pipeline
    }


def test_one_line_for_each_transfer(cloud: Cloud) -> None:
    how = {"config": {"DEFAULT": {"debug": "true"}}}
    running = cloud.glance(gateway=True, **how)
    api = Api(running.url, ALICE)
    image_id = api.create()
    answers = [
        api.upload(image_id, b"x" * 9_000_000),
        api.download(image_id),
        api.upload(image_id, b"again"),
    ]
    about = [line for line in running.log.splitlines() if image_id in line]
    lines = [line for line in about if " s3gateway.monitoring.transfers " in line]
    for line, words, answer in zip(
        lines,
        ("upload of image {}, store fast: ok, 9000000", "download of image {}"),
        answers[:2],
        strict=True,
    ):
        assert words.format(image_id) in line
        assert " 0 retries" in line
        assert answer.headers["x-openstack-request-id"] in line
    assert any(
        "is left to Glance: the image does not await data" in line for line in about
    )
