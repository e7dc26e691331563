# SPDX-License-Identifier: Apache-2.0
"""The commands of the page about stand-alone mode, as they are written.

The host is a Debian with git, Python and certificates; systemd is installed and does
not run.  There is no Glance and no S3: ``check`` finds that out.
"""

from __future__ import annotations

import pytest

from tests.bare.debian import ROOT
from tests.bare.debian import run_on_bare
from tests.support import readme

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

PAGE = ROOT / "docs" / "source" / "install" / "standalone.rst"
INSTALL, UNINSTALL = readme.blocks("1. Install", PAGE)
SERVE, ENABLE, DISABLE = readme.blocks("3. Serve", PAGE)
NOW = " --now"  # the test of the packages boots a system, and starts the unit in it

_SCRIPT = """
set -o errexit -o xtrace
apt-get -qq update
apt-get -qq install --yes --no-install-recommends procps systemd > /dev/null
{install}
{install}
stat --format='%a %U:%G %n' /etc/s3gateway /etc/s3gateway/s3gateway.conf
{check} || echo "check ends with $?"
{api} --bind=127.0.0.1:19294 &
python3 tests/bare/ask.py http://127.0.0.1:19294/healthcheck
kill $!
wait $!
{enable}
{enable}
systemd-analyze verify --man=no s3gateway-api.service
systemctl is-enabled s3gateway-api
{disable}
{uninstall}
find /opt /etc /usr/local -name '*s3gateway*' | sed 's/^/left: /'
"""


def test_the_commands() -> None:
    check, api = SERVE.splitlines()
    script = _SCRIPT.format(
        install=INSTALL,
        uninstall=UNINSTALL,
        check=check,
        api=api,
        enable=ENABLE.replace(NOW, ""),
        disable=DISABLE.replace(NOW, ""),
    )
    said = run_on_bare("bookworm", script)
    assert "750 root:s3gateway /etc/s3gateway\n" in said
    assert "640 root:s3gateway /etc/s3gateway/s3gateway.conf\n" in said
    assert "check ends with 1" in said  # it says what is missing
    assert "cannot be resolved; check its spelling in [fast]" in said
    assert "/healthcheck 200 OK" in said
    assert "\nenabled\n" in said
    assert "\nleft: " not in said
