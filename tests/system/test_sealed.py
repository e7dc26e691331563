# SPDX-License-Identifier: Apache-2.0
"""A sealed gateway: all of Glance's flows go through its face, none has a key of S3."""

from __future__ import annotations

import io
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures

import pytest
from botocore.exceptions import ClientError

from tests.support import tiers
from tests.support.clients.api import Api
from tests.support.people import ALICE
from tests.support.servers import sealed
from tests.support.servers.cloud import Cloud
from tests.support.servers.identity import token
from tests.support.servers.sealed import Sealed
from tests.support.servers.standalone import FACE_KEYS

ADMIN = token("root", "admins", "admin", "member", "reader")
MIB = 1024**2
DATA = random.Random(24).randbytes(17 * MIB + 3)  # noqa: S311
SMALL = DATA[: MIB + 1]
GLANCE_ID = "of-the-sealed-glance"


@pytest.fixture(params=tiers.but((33,), (30, 31, 32, 33)), scope="module")
def ground(
    request: pytest.FixtureRequest, clouds: Callable[[int], Cloud]
) -> Iterator[Sealed]:
    with sealed.serving(clouds(request.param), glance_id=GLANCE_ID) as found:
        yield found


def urls(ground: Sealed, image_id: str) -> list[str]:
    """Return an image's locations in Glance's database."""
    query = "SELECT value FROM image_locations WHERE image_id = %s AND deleted = 0"
    return [row[0] for row in ground.cloud.rows(query, image_id)]


def goes(ground: Sealed, api: Api, image_id: str) -> None:
    """Delete an image, and make sure that its data is gone."""
    assert ground.cloud.kept(image_id)
    assert api.delete(image_id).status == 204
    assert ground.cloud.kept(image_id) == []


@pytest.mark.parametrize("data", [SMALL, DATA], ids=["one request", "parts"])
def test_an_upload_of_a_user(ground: Sealed, data: bytes) -> None:
    api = ground.users(ALICE)
    image_id = api.create(name="of a user")
    assert api.upload(image_id, data).status == 204
    image = api.show(image_id)
    assert (image["status"], image["size"]) == ("active", len(data))
    assert image["locations"][0]["url"] == f"s3://fast/{image_id}"
    assert api.download(image_id).body == data
    assert ground.stock(ALICE).download(image_id).body == data
    goes(ground, api, image_id)


def test_locations_are_at_the_face_and_hold_no_key_of_s3(ground: Sealed) -> None:
    api = ground.users(ALICE)
    image_id = api.create()
    assert api.upload(image_id, SMALL).status == 204
    [url] = urls(ground, image_id)
    user = "" if ground.cloud.release == 33 else f"{':'.join(FACE_KEYS)}@"
    host = ground.url.removeprefix("http://")
    start = f"s3://{user}{host}/{ground.bucket()}/{image_id}."
    assert url.startswith(start)
    goes(ground, ground.stock(ALICE), image_id)


def test_a_registration_asks_s3_nothing(ground: Sealed) -> None:
    """Glance asks for the size; the gateway has just written the object."""
    api = ground.users(ALICE)
    image_id = api.create()
    assert api.upload(image_id, SMALL).status == 204
    [key] = ground.cloud.objects("fast").keys() & {
        key for key in ground.cloud.kept(image_id) if not key.startswith(".")
    }
    assert ground.asked(key) == ["PUT"]
    goes(ground, api, image_id)


@pytest.mark.parametrize("data", [SMALL, DATA], ids=["one request", "parts"])
def test_an_upload_of_glance_itself(ground: Sealed, data: bytes) -> None:
    api = ground.stock(ALICE)
    image_id = api.create(name="by Glance")
    assert api.upload(image_id, data).status == 204
    assert list(ground.cloud.kept(image_id)) == [image_id]
    head = ground.cloud.s3.client().head_object(Bucket=ground.bucket(), Key=image_id)
    assert head["Metadata"]["glance-id"] == GLANCE_ID
    assert api.download(image_id).body == data
    assert ground.users(ALICE).download(image_id).body == data
    part = ground.users(ALICE).download(image_id, Range="bytes=1000-1999")
    assert (part.status, part.body) == (206, data[1000:2000])
    goes(ground, api, image_id)


def test_an_upload_of_unknown_length_of_glance_itself(ground: Sealed) -> None:
    api = ground.stock(ALICE)
    image_id = api.create()
    assert api.upload(image_id, iter([SMALL, DATA])).status == 204
    assert ground.users(ALICE).download(image_id).body == SMALL + DATA
    goes(ground, api, image_id)


def test_an_import(ground: Sealed) -> None:
    api = ground.users(ALICE)
    image_id = api.create(name="imported")
    stage = f"/v2/images/{image_id}/stage"
    kind = {"Content_Type": "application/octet-stream"}
    assert api.request("PUT", stage, DATA, **kind).status == 204
    method = {"method": {"name": "glance-direct"}, "stores": ["fast"]}
    sent = api.send_json("POST", f"/v2/images/{image_id}/import", method)
    assert sent.status == 202
    api.wait_until(image_id, lambda image: image["status"] == "active")
    assert api.download(image_id).body == DATA
    goes(ground, api, image_id)


def test_a_copy_to_another_store(ground: Sealed) -> None:
    api, admin = ground.users(ALICE), ground.users(ADMIN)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    before = set(ground.cloud.objects("cheap"))
    admin.copy(image_id, "cheap")
    assert set(ground.cloud.objects("cheap")) - before == {image_id}
    assert admin.download(image_id, "?prefer=cheap").body == DATA
    goes(ground, api, image_id)


def test_an_image_from_before(ground: Sealed) -> None:
    """From Glance 33 on its driver takes host and keys from the configuration.

    Before, it takes the keys from the location, and the face does not know those of S3:
    such locations are moved to the face first (``tests/manage/test_sealing.py``).
    Glance 32 writes the keys of its configuration into a location that it reads.
    """
    before = ground.cloud.api(ALICE, gateway=False)
    image_id = before.create()
    assert before.upload(image_id, SMALL).status == 204
    assert ground.url not in "".join(urls(ground, image_id))
    assert ground.users(ALICE).download(image_id).body == SMALL
    seen = len(ground.proxy.requests)
    answer = ground.stock(ALICE).download(image_id)
    if ground.cloud.release < 32:
        assert answer.status >= 400
        goes(ground, before, image_id)
        return
    assert answer.body == SMALL
    assert len(ground.proxy.requests) > seen
    last = before if ground.cloud.release == 32 else ground.stock(ALICE)
    goes(ground, last, image_id)


def code(call: Callable[[], object]) -> str:
    """Return the code of the error that boto3 raises."""
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


def test_who_has_the_wrong_key_or_bucket_is_told_so_by_boto3(ground: Sealed) -> None:
    key = str(uuid.uuid4())
    place = {"Bucket": ground.bucket(), "Key": key}
    wrong = ground.driver(aws_secret_access_key="wrong-key-of-the-face")
    put = {"Body": SMALL, **place}
    assert code(lambda: wrong.put_object(**put)) == "SignatureDoesNotMatch"
    other = ground.driver(aws_access_key_id="OTHER")
    assert code(lambda: other.get_object(**place)) == "InvalidAccessKeyId"
    s3 = ground.cloud.s3
    real = ground.driver(
        aws_access_key_id=s3.access_key, aws_secret_access_key=s3.secret_key
    )
    assert code(lambda: real.get_object(**place)) == "InvalidAccessKeyId"
    right = ground.driver()
    assert code(lambda: right.head_bucket(Bucket="other")) == "404"
    nothing = {"Bucket": "other", "Key": key}
    assert code(lambda: right.get_object(**nothing)) == "NoSuchBucket"
    assert code(lambda: right.get_object(**place)) == "NoSuchKey"
    bucket = {"Bucket": ground.bucket()}
    assert code(lambda: right.list_objects_v2(**bucket)) == "NotImplemented"
    assert code(lambda: right.delete_bucket(**bucket)) == "NotImplemented"
    copy = {**place, "CopySource": place}
    assert code(lambda: right.copy_object(**copy)) == "NotImplemented"
    assert ground.cloud.kept(key) == []


def test_a_stock_client_of_s3(ground: Sealed) -> None:
    """Its transfer manager cuts into parts, and checks what it sends and reads."""
    driver, key = ground.driver(), f"{uuid.uuid4()}.0123456789abcdef"
    place = {"Bucket": ground.bucket(), "Key": key}
    driver.upload_fileobj(io.BytesIO(DATA), **place)
    assert driver.head_object(**place)["ContentLength"] == len(DATA)
    assert driver.get_object(**place)["Body"].read() == DATA
    part = driver.get_object(Range="bytes=5000000-5999999", **place)
    assert part["Body"].read() == DATA[5000000:6000000]
    assert part["ContentRange"] == f"bytes 5000000-5999999/{len(DATA)}"
    assert code(lambda: driver.get_object(Range="bytes=99999999-", **place)) == (
        "InvalidRange"
    )
    driver.delete_object(**place)
    begun = driver.create_multipart_upload(**place)["UploadId"]
    driver.upload_part(UploadId=begun, PartNumber=1, Body=SMALL, **place)
    driver.abort_multipart_upload(UploadId=begun, **place)
    gone = {"UploadId": begun, "PartNumber": 1, "Body": SMALL, **place}
    assert code(lambda: driver.upload_part(**gone)) == "NoSuchUpload"
    assert ground.cloud.kept(key) == []


def test_nothing_of_s3_is_on_the_glance_host(ground: Sealed) -> None:
    directory = ground.glance.directory
    files = [path for path in directory.rglob("*") if path.is_file()]
    texts = {path: path.read_bytes() for path in files}
    assert any(FACE_KEYS[1].encode() in text for text in texts.values())
    s3 = ground.cloud.s3
    secrets = [s3.access_key, s3.secret_key, f":{ground.proxy.port}"]
    found = [
        (path.name, secret)
        for path, text in texts.items()
        for secret in secrets
        if secret.encode() in text
    ]
    assert found == []
    images = []
    for api in (ground.users(ALICE), ground.stock(ALICE)):
        images.append(api.create())
        assert api.upload(images[-1], SMALL).status == 204
    dump = str(
        ground.cloud.rows(
            "SELECT * FROM image_locations WHERE image_id IN (%s, %s)", *images
        )
    )
    assert dump.count(ground.bucket()) == 2
    assert not any(secret in dump for secret in secrets)
    for image_id in images:
        goes(ground, ground.users(ALICE), image_id)
    log = ground.gateway.log
    assert s3.secret_key not in log
    assert FACE_KEYS[1] not in log


def test_requests_that_wait_for_glance_leave_threads_for_the_face(
    clouds: Callable[[int], Cloud],
) -> None:
    """All of them wait for Glance at once, and Glance for the face."""
    with sealed.serving(clouds(33), "--threads=4", most=2) as ground:
        statuses: Counter[int] = Counter()

        def upload(_: int) -> None:
            api = ground.users(ALICE)
            image_id = ground.stock(ALICE).create()
            while (answer := api.upload(image_id, SMALL)).status == 503:
                statuses[503] += 1
                time.sleep(0.2)
            statuses[answer.status] += 1
            assert ground.stock(ALICE).delete(image_id).status == 204

        with futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(upload, range(12)))
        assert statuses[204] == 12
        assert statuses[503]
        assert set(statuses) == {204, 503}
