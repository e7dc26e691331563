#!/bin/bash
#
# rpm.sh: builds the RPM packages with Debian's rpmbuild, without a network, and looks
# at them.  On a bare Debian: run.sh.
#
# Debian's packages are none that rpm knows, so --nodeps.  Debian has none of Fedora's
# macros: the directories are defined here, and the scriptlets stay empty.

set -o errexit -o nounset -o pipefail

PROJECT=$(cd "$(dirname "$0")/../.." && pwd)
SPEC=$PROJECT/rpm/s3gateway.spec
TOP=/srv/rpm
export DEBIAN_FRONTEND=noninteractive
export XDG_CONFIG_HOME=/srv/config
export DEB_PYTHON_INSTALL_LAYOUT=deb_system    # /usr, as everywhere else, not /usr/local

function quietly {
    "$@" > /srv/output 2>&1 || { cat /srv/output; echo "failed: $*"; exit 1; }
}

function prepare {
    echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/not-for-long
    quietly apt-get update
    quietly apt-get install --yes --no-install-recommends \
        rpm rpmlint python3-pip python3-wheel
    # What the code imports, and what builds it, is the same as for the Debian package.
    (cd "$PROJECT" && quietly apt-get build-dep --yes --no-install-recommends ./)
    VERSION=$(rpmspec --query --srpm --queryformat '%{version}' "$SPEC")
    mkdir -p $TOP/SOURCES
    git -c safe.directory='*' -C "$PROJECT" archive --prefix="s3gateway-$VERSION/" \
        --output="$TOP/SOURCES/s3gateway-$VERSION.tar.gz" HEAD
}

function build {
    quietly unshare --net rpmbuild -ba --nodeps \
        --define "_topdir $TOP" \
        --define "_unitdir /usr/lib/systemd/system" \
        --define "_sysusersdir /usr/lib/sysusers.d" \
        --define "_tmpfilesdir /usr/lib/tmpfiles.d" \
        --define "python3_sitelib /usr/lib/python3/dist-packages" "$SPEC"
}

function look {
    local package
    rpmlint --config "$PROJECT/rpm/rpmlint.toml" "$SPEC" $TOP/RPMS/noarch/*.rpm
    for package in "$TOP"/RPMS/noarch/*.rpm; do
        echo "contents of $(basename "$package"):"
        rpm --query --package --list --verbose "$package"
        echo "requires of $(basename "$package"):"
        rpm --query --package --requires "$package"
    done
}

prepare
build
look
