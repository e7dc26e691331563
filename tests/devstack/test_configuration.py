# SPDX-License-Identifier: Apache-2.0
"""What the plugin writes into Glance's files, and that it takes it out again."""

from __future__ import annotations

import pathlib
import stat

from tests.devstack.conftest import SECRET
from tests.devstack.conftest import MakeStack
from tests.devstack.stack import ROOT
from tests.devstack.stack import UNTIL_GLANCE_STARTS
from tests.devstack.stack import Stack
from tests.devstack.stack import parsed
from tests.devstack.stack import pipelines

EXAMPLE = ROOT / "etc" / "paste" / "glance-api-paste.ini"

OLD_PASTE = """\
[pipeline:glance-api]
pipeline = cors unauthenticated-context rootapp

# pipeline = rootapp
[pipeline:glance-api-keystone+cachemanagement]
pipeline = cors authtoken context  cache cachemanage rootapp

[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
"""


def test_filter_is_in_every_pipeline(external: Stack) -> None:
    external.succeed(*UNTIL_GLANCE_STARTS)

    assert external.pipelines() == pipelines(EXAMPLE)
    section = parsed(external.paste)["filter:s3gateway"]
    assert section == {"use": "egg:s3gateway#s3gateway"}


def test_second_run_changes_nothing(external: Stack) -> None:
    external.succeed(*UNTIL_GLANCE_STARTS)
    first = external.paste.read_text(), external.config()

    external.succeed("stack post-config")
    assert (external.paste.read_text(), external.config()) == first

    external.succeed(*UNTIL_GLANCE_STARTS)
    assert (external.paste.read_text(), external.config()) == first


def test_unstack_leaves_what_lib_glance_wrote(external: Stack) -> None:
    external.succeed("stack pre-install", "glance")
    paste, config = external.paste.read_text(), external.config()
    for section in ("DEFAULT", "glance_store"):  # what the backends replace
        for option in ("enabled_backends", "default_backend"):
            config.get(section, {}).pop(option, None)
    external.succeed("stack install", "stack post-config")

    external.succeed("unstack")

    assert external.paste.read_text().rstrip() == paste.rstrip()
    left = external.config()
    left["DEFAULT"].pop("enabled_backends", None)
    assert without_empty(left) == without_empty(config)


def without_empty(config: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return a configuration without sections in which nothing is."""
    return {section: options for section, options in config.items() if options}


def test_clean_leaves_nothing_of_ours(external: Stack) -> None:
    external.succeed(*UNTIL_GLANCE_STARTS)

    external.succeed("unstack")
    external.succeed("clean")

    etc = external.here / "etc"
    texts = [path.read_text() for path in etc.rglob("*") if path.is_file()]
    assert not [text for text in texts if "s3gateway" in text or "EXTERNALKEY" in text]
    assert not (etc / "s3gateway").exists()
    assert not (external.here / "opt" / "data" / "s3gateway").exists()


def test_locations_are_shown_or_not_as_devstack_has_it(
    stack: MakeStack, listener: str
) -> None:
    """A filter in Glance's process needs no option of Glance's."""
    there = stack(
        S3GATEWAY_S3_SERVER="external",
        S3GATEWAY_S3_HOST=listener,
        S3GATEWAY_S3_ACCESS_KEY="EXTERNALKEY",
        S3GATEWAY_S3_SECRET_KEY="another-secret-key-0123",
        GLANCE_SHOW_MULTIPLE_LOCATIONS="False",
    )
    there.succeed(*UNTIL_GLANCE_STARTS)
    assert there.config()["DEFAULT"]["show_multiple_locations"] == "False"


def test_stores(external: Stack) -> None:
    external.succeed(*UNTIL_GLANCE_STARTS)

    config = external.config()
    assert config["DEFAULT"]["enabled_backends"] == "cheap:s3,fast:s3"
    assert config["glance_store"] == {"default_backend": "fast"}
    for name in ("fast", "cheap"):
        assert config[name] == {
            "s3_store_host": external.settings["S3GATEWAY_S3_HOST"],
            "s3_store_region_name": "eu-central-1",
            "s3_store_access_key": "EXTERNALKEY",
            "s3_store_secret_key": SECRET.replace("$", "$$"),
            "s3_store_bucket": f"glance-{name}",
            "s3_store_create_bucket_on_put": "True",
            "s3_store_bucket_url_format": "auto",
        }


def test_keys_are_for_the_owner_of_the_file_only(external: Stack) -> None:
    external.record()

    output = external.succeed(*UNTIL_GLANCE_STARTS)

    assert "sed -i -E /[= ]s3gateway" in external.arguments  # it notes what runs
    assert not stat.S_IMODE(external.conf.stat().st_mode) & stat.S_IRWXO
    for text in (output, external.arguments, "\n".join(external.calls)):
        assert SECRET not in text
        assert "two  blanks" not in text
        assert "EXTERNALKEY" not in text


def test_other_stores_stay(external: Stack) -> None:
    external.settings["GLANCE_MULTIPLE_FILE_STORES"] = "disk,fast"

    external.succeed(*UNTIL_GLANCE_STARTS)

    config = external.config()
    assert config["DEFAULT"]["enabled_backends"] == "cheap:s3,disk:file,fast:s3"


def test_stores_of_an_earlier_run_go(external: Stack) -> None:
    external.succeed(*UNTIL_GLANCE_STARTS)
    external.settings["S3GATEWAY_BACKENDS"] = "gold"

    external.succeed(*UNTIL_GLANCE_STARTS)

    config = external.config()
    backends = config["DEFAULT"]["enabled_backends"].split(",")
    assert [name for name in backends if name.endswith(":s3")] == ["gold:s3"]
    assert config["glance_store"]["default_backend"] == "gold"
    stores = [name for name, found in config.items() if "s3_store_host" in found]
    assert stores == ["gold"]


def test_single_store(external: Stack) -> None:
    external.settings["GLANCE_ENABLE_MULTIPLE_STORES"] = "False"

    external.succeed(*UNTIL_GLANCE_STARTS)

    config = external.config()
    assert "enabled_backends" not in config["DEFAULT"]
    store = config["glance_store"]
    assert store["stores"] == "s3,file,http"
    assert store["default_store"] == "s3"
    assert store["s3_store_bucket"] == "glance-fast"
    assert store["s3_store_secret_key"] == SECRET.replace("$", "$$")

    external.succeed("unstack")

    store = external.config()["glance_store"]
    assert store["stores"] == "file,http"
    assert not [name for name in store if name.startswith(("s3", "default"))]


def test_swift_is_enabled_and_gives_the_keys(stack: MakeStack) -> None:
    there = stack()
    there.record()

    output = there.succeed(
        *UNTIL_GLANCE_STARTS, "call eval echo enabled: $ENABLED_SERVICES"
    )

    enabled = output.rpartition("enabled: ")[2].split()[0].split(",")
    wanted = {"s-proxy", "s-object", "s-container", "s-account", "s3api"}
    assert wanted <= set(enabled)
    store = there.config()["fast"]
    assert store["s3_store_host"] == "http://127.0.0.1:8080"
    assert store["s3_store_access_key"] == "EC2ACCESSKEY0001"
    assert store["s3_store_secret_key"] == "ec2secretkey0001"
    assert "ec2secretkey" not in output + there.arguments
    assert "EC2ACCESSKEY" not in output + there.arguments


def test_swift_with_tls(stack: MakeStack) -> None:
    """As in the jobs: DevStack's own certificate authority has to be trusted."""
    there = stack(
        ENABLED_SERVICES="key,mysql,g-api,tls-proxy",
        SSL_BUNDLE_FILE="/opt/stack/data/ca-bundle.pem",
    )

    there.succeed(*UNTIL_GLANCE_STARTS)

    for backend in ("fast", "cheap"):
        store = there.config()[backend]
        assert store["s3_store_host"] == "https://127.0.0.1:8080"
        assert store["s3_store_cacert"] == "/opt/stack/data/ca-bundle.pem"


def test_minio_has_keys_of_its_own(stack: MakeStack, listener: str) -> None:
    there = stack(
        S3GATEWAY_S3_SERVER="minio",
        S3GATEWAY_MINIO_BIN="/bin/true",
        S3GATEWAY_MINIO_PORT=listener.rpartition(":")[2],
    )
    there.record()

    output = there.succeed(*UNTIL_GLANCE_STARTS)

    store = there.config()["fast"]
    assert store["s3_store_host"] == listener
    environment = there.here / "opt" / "data" / "s3gateway" / "minio" / "environment"
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    text = environment.read_text()
    units = there.here / "etc" / "systemd"
    unit = (units / "devstack@s3gateway-minio.service").read_text()
    assert f"MINIO_CONFIG_ENV_FILE={environment}" in unit
    for option in ("s3_store_access_key", "s3_store_secret_key"):
        assert store[option] in text
        assert store[option] not in unit + output + there.arguments
    assert "systemctl start devstack@s3gateway-minio.service" in there.calls

    there.succeed("unstack")
    there.succeed("clean")

    assert "systemctl stop devstack@s3gateway-minio.service" in there.calls
    assert not environment.exists()


def test_server_that_does_not_answer(external: Stack) -> None:
    external.settings["S3GATEWAY_S3_HOST"] = "http://127.0.0.1:1"
    external.settings["SERVICE_TIMEOUT"] = "1"

    error = external.die(*UNTIL_GLANCE_STARTS)

    assert "does not answer" in error


def test_paste_file_with_pipeline_sections(external: Stack) -> None:
    paste = external.here / "paste.ini"
    paste.write_text(OLD_PASTE)

    external.succeed("stack pre-install", *[f"call insert_s3gateway {paste}"] * 2)

    lines = paste.read_text().splitlines()
    assert lines[1] == "pipeline = cors unauthenticated-context s3gateway rootapp"
    assert lines[3] == "# pipeline = rootapp"
    assert lines[5].endswith("  cache cachemanage s3gateway rootapp")
    assert lines[7] == "[composite:rootapp]"

    external.succeed("stack pre-install", f"call remove_s3gateway {paste}")

    assert paste.read_text().rstrip() == OLD_PASTE.rstrip()


def test_paste_file_without_a_pipeline(external: Stack) -> None:
    paste = external.here / "paste.ini"
    paste.write_text("[app:main]\nuse = egg:somebody#else\n")

    error = external.die("stack pre-install", f"call insert_s3gateway {paste}")

    assert "no pipeline" in error


def test_tempest(external: Stack) -> None:
    tempest: pathlib.Path = external.here / "tempest.conf"
    tempest.write_text("[image-feature-enabled]\nmanage_locations = True\n")
    external.settings["TEMPEST_CONFIG"] = str(tempest)

    external.succeed("stack test-config")

    assert parsed(tempest)["image-feature-enabled"] == {
        "manage_locations": "False",
        "http_store_enabled": "False",
    }
