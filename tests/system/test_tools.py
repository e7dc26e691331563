# SPDX-License-Identifier: Apache-2.0
"""Tools that people download with: they resume, split, and read at random."""

from __future__ import annotations

import os
import pathlib
import random
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.people import ALICE
from tests.support.servers.cloud import Cloud

pytestmark = pytest.mark.full

MIB = 1024**2
DATA = random.Random(9).randbytes(40 * MIB + 512)  # noqa: S311
TOKEN = f"X-Auth-Token: {ALICE}"
HAVE = 13 * MIB + 5  # bytes that an interrupted download has left


@pytest.fixture(scope="module")
def url(clouds: object) -> Iterator[str]:
    cloud: Cloud = clouds(33)  # type: ignore[operator]
    api = cloud.api(ALICE, gateway=True)
    image_id = api.create()
    assert api.upload(image_id, DATA).status == 204
    yield f"{api.url}/v2/images/{image_id}/file"
    api.delete(image_id)


def use(*words: str | os.PathLike[str]) -> str:
    """Run a tool; return what it said."""
    done = subprocess.run(  # the assertion says more than check would
        words, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def partial(tmp_path: pathlib.Path) -> pathlib.Path:
    """A download that was interrupted."""
    path = tmp_path / "image"
    path.write_bytes(DATA[:HAVE])
    return path


def test_curl_resumes(url: str, partial: pathlib.Path) -> None:
    use("curl", "--fail", "--silent", "-C", "-", "-H", TOKEN, "-o", partial, url)
    assert partial.read_bytes() == DATA


def test_curl_of_what_is_complete(url: str, tmp_path: pathlib.Path) -> None:
    """An ETag saves the second download."""
    etags, path = tmp_path / "etags", tmp_path / "image"
    save = ["--etag-save", str(etags), "--etag-compare", str(etags)]
    use("curl", "--fail", "--silent", *save, "-H", TOKEN, "-o", path, url)
    assert path.read_bytes() == DATA
    words = ["-w", "%{http_code} %{size_download}", "-o", str(path)]
    said = use("curl", "--fail", "--silent", *save, "-H", TOKEN, *words, url)
    assert said == "304 0"


def test_wget_resumes(url: str, partial: pathlib.Path) -> None:
    said = use("wget", "-c", "--header", TOKEN, "-O", partial, url)
    assert "206 Partial Content" in said
    assert partial.read_bytes() == DATA


def test_aria2_splits(url: str, tmp_path: pathlib.Path) -> None:
    split = ["-x8", "-s8", "--min-split-size=1M", "--console-log-level=info"]
    split.append("--max-download-limit=8M")  # or the first one has it all too soon
    where = [f"--dir={tmp_path}", "--out=image"]
    said = use("aria2c", "--no-conf", *split, *where, f"--header={TOKEN}", url)
    assert (tmp_path / "image").read_bytes() == DATA
    assert said.count("206 Partial Content") >= 7


def test_nbdkit_and_qemu_img_read_at_random(url: str, tmp_path: pathlib.Path) -> None:
    """As if the image were a disk."""
    path = tmp_path / "image"
    command = f'qemu-img convert -f raw -O raw "$uri" {path}'
    said = use("nbdkit", "-U", "-", "curl", url, f"header={TOKEN}", "--run", command)
    assert path.read_bytes() == DATA, said
