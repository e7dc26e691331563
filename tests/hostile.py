# SPDX-License-Identifier: Apache-2.0
"""Runs a command where all that a machine's owner may have configured is wrong for it.

    python -m tests.hostile pytest tests/clients

The home directory and the environment name another region, other credentials, another
cloud and a proxy that is not there.  So does ``/etc``, in a layer over it that nobody
else sees, where one can be mounted.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

NOWHERE = "http://127.0.0.1:9"  # the port of discard, which nobody serves

_OSLO = f"""\
[DEFAULT]
bind_host = 192.0.2.1
enabled_backends = wrong:s3
show_multiple_locations = false
transport_url = rabbit://192.0.2.1
[database]
connection = sqlite:////nowhere/hostile.sqlite
[glance_store]
default_backend = wrong
[wrong]
s3_store_host = {NOWHERE}
[keystone_authtoken]
auth_url = {NOWHERE}
[s3gateway]
glance_url = {NOWHERE}
[token]
provider = jws
"""
_POLICY = '"default": "!"\n"get_image": "!"\n"get_images": "!"\n"add_image": "!"\n'
_MYSQL = "[client]\nsocket = /nowhere\n[mysqld]\nport = 9\ndatadir = /nowhere\n"
_CLOUDS = f"""\
clouds:
  hostile:
    auth: {{auth_url: "{NOWHERE}", username: wrong, password: wrong}}
    region_name: nowhere
"""
_GIT = "[commit]\n\tgpgsign = true\n[core]\n\thooksPath = /nowhere\n[init\n"

#: By their path below the home directory.
AT_HOME = {
    ".aws/config": (
        f"[default]\nregion = nowhere-1\nendpoint_url = {NOWHERE}\n"
        "s3 =\n  addressing_style = virtual\n"
    ),
    ".aws/credentials": (
        "[default]\naws_access_key_id = WRONG\naws_secret_access_key = wrong\n"
    ),
    ".boto": "[Credentials]\naws_access_key_id = WRONG\n",
    ".config/openstack/clouds.yaml": _CLOUDS,
    ".config/openstack/secure.yaml": _CLOUDS,
    ".curlrc": f"proxy = {NOWHERE}\n",
    ".gitconfig": _GIT,
    ".glance/glance.conf.d/hostile.conf": _OSLO,
    ".keystone/keystone.conf.d/hostile.conf": _OSLO,
    ".my.cnf": _MYSQL,
    ".netrc": "machine 127.0.0.1 login wrong password wrong\n",
    ".wgetrc": f"http_proxy = {NOWHERE}\nuse_proxy = on\n",
    "glance.conf.d/hostile.conf": _OSLO,
    "gunicorn.conf.d/hostile.conf": _OSLO,
    "policy.yaml": _POLICY,
    "uwsgi.conf.d/hostile.conf": _OSLO,
}

#: By their path below ``/etc``.
IN_ETC = {
    "boto.cfg": AT_HOME[".boto"],
    "ceph/ceph.conf": "[global]\nmon host = 192.0.2.1\n",
    "gitconfig": _GIT,
    "glance/glance-api.conf": _OSLO,
    "glance/glance.conf.d/hostile.conf": _OSLO,
    "glance/policy.d/hostile.yaml": _POLICY,
    "glance/policy.yaml": _POLICY,
    "keystone/keystone.conf": _OSLO,
    "keystone/keystone.conf.d/hostile.conf": _OSLO,
    "keystone/policy.yaml": _POLICY,
    "my.cnf": _MYSQL,
    "mysql/my.cnf": _MYSQL,
    "openstack/clouds.yaml": _CLOUDS,
    "policy.d/hostile.yaml": _POLICY,
    "s3gateway/gunicorn/s3gateway.py": 'bind = "127.0.0.1:9"\nworker_class = "no"\n',
    "s3gateway/paste/s3gateway-paste.ini": "[composite:main]\nuse = egg:no\n",
    "s3gateway/s3gateway.conf": _OSLO,
    "s3gateway/s3gateway.conf.d/hostile.conf": _OSLO,
    "swift/swift.conf": (
        "[swift-hash]\nswift_hash_path_suffix = wrong\n"
        "[swift-constraints]\nmax_file_size = 10\nmax_object_name_length = 10\n"
    ),
    "wgetrc": AT_HOME[".wgetrc"],
}

ENVIRONMENT = {
    "ALL_PROXY": NOWHERE,
    "AWS_ACCESS_KEY_ID": "WRONG",
    "AWS_CA_BUNDLE": "/nowhere/ca.pem",
    "AWS_DEFAULT_REGION": "nowhere-1",
    "AWS_ENDPOINT_URL": NOWHERE,
    "AWS_PROFILE": "nobody",
    "AWS_SECRET_ACCESS_KEY": "wrong",
    "CEPH_ARGS": "--mon-host=192.0.2.1",
    "CURL_CA_BUNDLE": "/nowhere/ca.pem",
    "GIT_DIR": "/nowhere",
    "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:9",
    "HTTP_PROXY": NOWHERE,
    "LC_ALL": "de_DE.UTF-8",
    "MINIO_ROOT_USER": "wrong",
    "OS_AUTH_URL": NOWHERE,
    "OS_CLOUD": "hostile",
    "OS_DATABASE__CONNECTION": "sqlite:////nowhere/hostile.sqlite",
    "OS_DEFAULT__ENABLED_BACKENDS": "wrong:s3",
    "OS_GLANCE_CONFIG_DIR": "/nowhere",
    "OS_PASSWORD": "wrong",
    "OS_USERNAME": "wrong",
    "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem",
    "SSL_CERT_FILE": "/nowhere/ca.pem",
    "UWSGI_MODULE": "no.module:application",
    "http_proxy": NOWHERE,
    "https_proxy": NOWHERE,
}

# $1 is a directory with files for /etc, the command follows.
_LAYER = """
set -e
files=$1 layer=$1.layer
shift
mkdir -p "$layer"
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work"
cp -r "$files/." "$layer/upper"
mount -t overlay overlay /etc \\
    -o "lowerdir=/etc,upperdir=$layer/upper,workdir=$layer/work"
exec "$@"
"""


def main(command: list[str]) -> int:
    """Run the command; return its exit code."""
    with tempfile.TemporaryDirectory(prefix="s3gw-hostile-") as name:
        home, etc = pathlib.Path(name, "home"), pathlib.Path(name, "etc")
        _write(home, AT_HOME)
        _write(etc, IN_ETC)
        layered = [*_UNSHARED, "sh", "-c", _LAYER, "sh", str(etc)]
        env = {**os.environ, **ENVIRONMENT, "HOME": str(home)}
        env["XDG_CONFIG_HOME"] = str(home / ".config")
        tried = subprocess.run([*layered, "true"], check=False, capture_output=True)
        if tried.returncode:
            print("only HOME and the environment are hostile: /etc takes no layer here")
            layered = []
        return subprocess.run([*layered, *command], env=env, check=False).returncode


_UNSHARED = ("unshare", "--mount", "--propagation=private")


def _write(directory: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
