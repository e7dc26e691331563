# SPDX-License-Identifier: Apache-2.0
"""The directory of ``botocore-data`` under Glance's own S3 driver.

Everything runs in the environments of Glance, with the botocore that is there.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import secrets
from typing import Any

import pytest

from tests.support.faults.fault import Request
from tests.support.faults.faultproxy import FaultProxy
from tests.support.s3.s3server import S3Server
from tests.support.servers import environments
from tests.support.servers.glance import s3_store
from tests.support.servers.processes import run

#: Uses the driver as Glance does; prints what came of each step.
DRIVER = """
import io, json, sys, warnings
warnings.simplefilter("ignore")
import glance_store
from oslo_config import cfg

options = json.loads(sys.argv[1])
conf = cfg.ConfigOpts()
glance_store.register_opts(conf)
conf([])
for name, value in options.items():
    conf.set_override(name, value, group="glance_store")
glance_store.create_stores(conf)
stored = {}

def add(name, size):
    data = bytes(range(256)) * (size // 256)
    added = glance_store.add_to_backend_with_multihash(
        conf, name, io.BytesIO(data), size, "sha512")
    stored[name] = added[0]
    return added[1:4]

def get(uri):
    data, size = glance_store.get_from_backend(uri)
    return sum(map(len, data)), size

def delete(uri):
    glance_store.delete_from_backend(uri)

def attempt(call, *words):
    try:
        return call(*words)
    except Exception as error:
        return f"{type(error).__name__} {error}"

steps = []
for name, size in (("small", 2560), ("large", 11 * 1024**2)):
    steps.append(attempt(add, name, size))
    steps.append(attempt(add, name, size))  # there is one already
    steps.append(attempt(glance_store.get_size_from_backend, stored.get(name)))
    steps.append(attempt(get, stored.get(name)))
    steps.append(attempt(delete, stored.get(name)))
    steps.append(attempt(get, stored.get(name)))
    steps.append(attempt(glance_store.get_size_from_backend, stored.get(name)))
conf.set_override("s3_store_bucket", "no-such-bucket-" + options["s3_store_bucket"],
                  group="glance_store")
conf.set_override("s3_store_create_bucket_on_put", False, group="glance_store")
glance_store.create_stores(conf)
steps.append(attempt(add, "nowhere", 256))
print(json.dumps(steps))
"""

#: Prints the requests that a client would send to AWS, by what it is configured with.
REQUESTS = """
import itertools, json
import boto3
from botocore.awsrequest import AWSResponse
from botocore.client import Config

def sent_by(client, bucket):
    seen = []
    def send(request, **more):
        signed = request.headers["Authorization"]
        signed = signed.decode() if isinstance(signed, bytes) else signed
        seen.append([request.url, signed.split("/", 2)[2].split(", Signature")[0]])
        answer = AWSResponse(request.url, 200, {}, None)
        answer._content = b""
        return answer
    client.meta.events.register("before-send.s3", send)
    client.head_object(Bucket=bucket, Key="key")
    client.meta.events.unregister("before-send.s3", send)
    return seen

found = {}
session = boto3.session.Session("access", "secret")
regions = [None, "us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "nowhere-7"]
endpoints = [None, "http://127.0.0.1:9", "https://s3.amazonaws.com"]
styles = ["auto", "path", "virtual"]
for case in itertools.product(regions, endpoints, styles, [False, True]):
    region, endpoint, style, dual = case
    options = {"addressing_style": style, "use_dualstack_endpoint": dual}
    try:
        client = session.client(
            "s3", endpoint_url=endpoint, region_name=region,
            config=Config(s3=options))
        for bucket in ("bucket", "dots.in.it"):
            found[f"{case} {bucket}"] = sent_by(client, bucket)
    except Exception as error:
        found[str(case)] = repr(error)
print(json.dumps(found))
"""

#: Prints the median of the CPU seconds of a session with a client.
COST = """
import statistics, time
import boto3

def cost():
    began = time.process_time()
    boto3.session.Session("access", "secret").client(
        "s3", endpoint_url="http://127.0.0.1:9", region_name="us-east-1")
    return time.process_time() - began

cost()
print(statistics.median(cost() for _ in range(30)))
"""

#: What differs from one run to the next.
_PASSING = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "host"}


@pytest.fixture(scope="module", params=["glance-30", "glance-33"])
def programs(request: pytest.FixtureRequest) -> pathlib.Path:
    """Where the programs of an environment with a Glance are."""
    return environments.bin_dir(request.param)


@pytest.fixture(scope="module")
def directory(
    programs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """A directory that was made there."""
    made = tmp_path_factory.mktemp("data") / "botocore-data"
    run([programs / "s3gateway-manage", "botocore-data", made])
    return made


def output(
    programs: pathlib.Path,
    program: str,
    *words: str,
    data_path: pathlib.Path | None = None,
) -> Any:
    """Run a program with that data path; return what its last line says."""
    env = {"AWS_DATA_PATH": str(data_path)} if data_path else {}
    done = run([programs / "python", "-c", program, *words], env=env)
    return json.loads(done.stdout.splitlines()[-1])


def on_the_wire(requests: list[Request]) -> list[tuple[Any, ...]]:
    """Return requests without what is another in each run."""
    return sorted(
        (
            request.method,
            request.path,
            re.sub("uploadId=[^&]*", "uploadId", request.query),
            sorted(
                (name, re.sub(r"cfg/[^ ]*|m/[^ ]*", "", value))
                for name, value in request.headers.items()
                if name not in _PASSING
            ),
        )
        for request in requests
    )


def test_glances_driver_sends_the_same_requests(
    programs: pathlib.Path, directory: pathlib.Path, s3: S3Server
) -> None:
    bucket = f"data-{secrets.token_hex(8)}"
    s3.client().create_bucket(Bucket=bucket)
    runs = []
    for data_path in (None, directory):
        with FaultProxy(s3.endpoint) as proxy:
            through = dataclasses.replace(s3, endpoint=proxy.endpoint)
            options = {
                **s3_store(through, bucket, s3_store_large_object_size="5"),
                "stores": "s3",
                "default_store": "s3",
            }
            words = json.dumps(options)
            steps = output(programs, DRIVER, words, data_path=data_path)
        runs.append((steps, on_the_wire(proxy.requests)))
    s3.client().delete_bucket(Bucket=bucket)
    (steps, requests), (slim_steps, slim_requests) = runs
    assert slim_steps == steps
    assert slim_requests == requests
    # One image after the other: written, refused, looked at, read, deleted, gone.
    for image, size in (steps[:7], 2560), (steps[7:14], 11 * 1024**2):
        assert image[0][0] == size
        assert image[1].startswith("Duplicate")
        assert image[2:4] == [size, [size, size]]
        assert image[4] is None
        assert all(step.startswith("NotFound") for step in image[5:])
    assert steps[14].startswith("BackendException")
    assert any("partNumber=2" in query for _, _, query, _ in requests)
    assert {method for method, *_ in requests} == {
        "DELETE", "GET", "HEAD", "POST", "PUT",
    }  # fmt: skip


def test_aws_is_reached_at_the_same_addresses(
    programs: pathlib.Path, directory: pathlib.Path
) -> None:
    whole = output(programs, REQUESTS)
    assert output(programs, REQUESTS, data_path=directory) == whole
    assert len(whole) > 100


def test_a_session_is_cheaper(programs: pathlib.Path, directory: pathlib.Path) -> None:
    whole = output(programs, COST)
    slim = output(programs, COST, data_path=directory)
    print(f"{programs.parent.name}: {whole:.4f} and {slim:.4f} CPU seconds a session")
    assert slim < whole
