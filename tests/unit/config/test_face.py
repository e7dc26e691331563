# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import pathlib

import pytest

from s3gateway.config.face import FaceKeys
from s3gateway.config.keys import KeyPair
from s3gateway.errors import ConfigError
from s3gateway.glance.image import Location
from s3gateway.glance.image import location_uri
from s3gateway.glance.image import store_of
from tests.support import configuration

ONE = KeyPair("FACEONE", "secret-of-the-first-pair")
TWO = KeyPair("FACETWO", "secret/of+the=second@pair")
TEXT = f"""# two of them

{ONE.access_key} {ONE.secret_key} controller1, since May
{TWO.access_key}\t {TWO.secret_key}
"""


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "face-keys"
    file.write_text(TEXT)
    file.chmod(0o600)
    return file


def test_all_pairs_are_valid_and_the_first_is_current(path: pathlib.Path) -> None:
    keys = FaceKeys(str(path))
    assert keys.all() == [ONE, TWO]
    assert keys.current() == ONE
    assert keys.of("FACETWO") == TWO
    assert keys.of("OTHER") is None


def test_a_changed_file_is_read_again(path: pathlib.Path) -> None:
    keys = FaceKeys(str(path))
    path.write_text(f"{TWO.access_key} {TWO.secret_key}\n")
    assert keys.of("FACEONE") is None
    assert keys.current() == TWO


def test_a_file_that_is_being_written_changes_nothing(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = FaceKeys(str(path))
    path.write_text("")
    assert keys.all() == [ONE, TWO]
    path.write_text("FACENEW half")
    assert keys.all() == [ONE, TWO]
    assert "The face's key file cannot be read" in caplog.text
    assert "half" not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "FACEONE\n",
        "FACEONE short\n",
        "FACE:ONE secret-of-the-first-pair\n",
        "FACE/ONE secret-of-the-first-pair\n",
        "FACEONE sécret-of-the-first-pair\n",
        f"FACEONE {ONE.secret_key}\nFACEONE {TWO.secret_key}\n",
    ],
)
def test_lines_that_are_no_pairs_are_refused(path: pathlib.Path, text: str) -> None:
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="key") as refused:
        FaceKeys(str(path))
    assert "secret-of" not in str(refused.value)


def test_a_file_for_everybody_is_warned_of(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        FaceKeys(str(path))
    assert "chmod it 0600" in caplog.text


CONFIG = """
[DEFAULT]
enabled_backends = fast:s3
[glance_store]
default_backend = fast
[fast]
s3_store_host = http://s3.example.org:9000
s3_store_access_key = ACCESSKEY
s3_store_secret_key = never/show+this=secret@key
s3_store_bucket = glance
"""


def sealed(tmp_path: pathlib.Path, **options: str) -> pathlib.Path:
    lines = "\n".join(f"{name} = {value}" for name, value in options.items())
    file = tmp_path / "glance-api.conf"
    file.write_text(f"{CONFIG}[s3gateway]\n{lines}\n")
    return file


def test_locations_of_a_sealed_gateway_are_at_its_face(
    tmp_path: pathlib.Path, path: pathlib.Path
) -> None:
    face = {"face_url": "https://gateway:9293/", "face_keys": str(path)}
    settings = configuration.read(sealed(tmp_path, **face))
    store = settings.stores["fast"]
    user = f"{ONE.access_key}:{ONE.secret_key}@"
    uri = location_uri(store, "key", with_credentials=True)
    assert str(uri) == f"s3+https://{user}gateway:9293/glance/key"
    assert store.endpoint == "http://s3.example.org:9000"
    for url in (str(uri), "s3://s3.example.org:9000/glance/key"):
        assert store_of(Location(url, {}), settings.stores) == "fast"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"face_url": "http://gateway:9293"}, "face_url: set face_url and face_keys"),
        ({"face_keys": "/dev/null"}, "face_url: set face_url and face_keys"),
        (
            {"face_url": "gateway:9293", "face_keys": "/dev/null"},
            "face_url: must be the URL of the face",
        ),
        *(
            (
                {"face_url": url, "face_keys": "/dev/null"},
                "face_url: must be the URL of the face",
            )
            for url in (
                "HTTPS://gateway:9293",
                "http://gate way:9293",
                "http://gateway:port",
                "http://gateway:99999",
                "http://user@gateway",
                "http://gateway?x",
                "http://[gateway",
            )
        ),
        (
            {"face_url": "http://gateway:9293", "face_keys": "/dev/null"},
            "face_keys: /dev/null holds no key pair",
        ),
        (
            {
                "face_url": "http://gateway:9293",
                "face_keys": "/dev/null",
                "face_domain": "gateway:9293",
            },
            "face_domain: must be a host name",
        ),
    ],
)
def test_a_face_that_cannot_be_is_refused(
    tmp_path: pathlib.Path, options: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        configuration.read(sealed(tmp_path, **options))
