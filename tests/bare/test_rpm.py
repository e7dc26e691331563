# SPDX-License-Identifier: Apache-2.0
"""The RPM packages are built by Debian's rpmbuild, and looked at by rpmlint."""

from __future__ import annotations

import pytest

from tests.bare.debian import run_on_bare

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]


def test_the_packages() -> None:
    said = run_on_bare("trixie", "tests/bare/rpm.sh")
    assert "0 errors, 0 warnings" in said
    for name in (
        "/usr/bin/s3gateway-manage",
        "/usr/lib/systemd/system/s3gateway-gc.timer",
        "/usr/share/bash-completion/completions/s3gateway-manage",
        "/usr/share/man/man1/s3gateway-manage.1.gz",
    ):
        assert f" {name}\n" in said
    assert "python3dist(boto3) >= 1.28.0" in said
