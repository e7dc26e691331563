#!/bin/bash
#
# deb.sh distribution|venv: builds the Debian packages without a network, installs them,
# runs them and removes them.  On a bare Debian: run.sh.

set -o errexit -o nounset -o pipefail

BUILD=/srv/build
PACKAGES=/srv/packages
PORT=19292
export DEBIAN_FRONTEND=noninteractive

function quietly {
    "$@" > /srv/output 2>&1 || { cat /srv/output; echo "failed: $*"; exit 1; }
}

function apt_install {
    quietly apt-get install --yes --no-install-recommends "$@"
}

function prepare {
    mkdir -p $BUILD $PACKAGES
    echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/not-for-long
    cp -a "$PROJECT" $BUILD/s3gateway
    cd $BUILD/s3gateway
    quietly apt-get update
    apt_install groff lintian
    quietly apt-get build-dep --yes --no-install-recommends "${PROFILE[@]}" ./
}

function fetch_wheels {
    quietly python3 -m pip download --only-binary=:all: --dest=debian/wheels \
        --constraint=tests/constraints/gateway.txt --requirement=requirements.txt
}

function build {
    # From a source package too, where it is the one that a distribution would have.
    quietly unshare --net dpkg-buildpackage --no-sign --build=$BUILDS "${PROFILE[@]}"
    mv ../*.deb $PACKAGES
    echo "built: $(cd $PACKAGES && echo ./*.deb)"
}

function look {
    cd $PACKAGES
    mkdir $BUILD/lintian    # it leaves files there
    TMPDIR=$BUILD/lintian lintian --allow-root --fail-on=error,warning \
        --tag-display-limit=0 ./*.deb
    echo "lintian $(dpkg-query --show --showformat='${Version}' lintian): clean"
    for package in ./*.deb; do
        echo "contents of $package:"
        dpkg-deb --contents "$package" | grep -v -- '-packages/.*/.' |
            awk '{print $1, $2, $6 ($8 ? " -> " $8 : "")}'
    done
}

function install_them {
    cd $PACKAGES
    apt_install ./*.deb
    dpkg-query --show --showformat='${db:Status-Status}: ${Package} ${Version}\n' \
        '*s3gateway*' | grep '^installed'
}

function is {
    [[ "$1" == "$2" ]] || { echo "it is '$1', not '$2'"; exit 1; }
}

# A reader of manuals finds the page, and troff has nothing to say against it.
function try_manual {
    local page=/usr/share/man/man1/s3gateway-manage.1.gz
    zcat $page | groff -t -man -Tutf8 -P-cbou -ww > /srv/page 2> /srv/output
    is "$(cat /srv/output)" ""
    grep -q "secret_key_short" /srv/page
    echo "manual page: $(wc -l < /srv/page) lines"
}

# As bash-completion loads it, for the first word and for a command's option.
function try_completion {
    bash -c '
        source /usr/share/bash-completion/completions/s3gateway-manage
        COMP_WORDS=(s3gateway-manage self) COMP_CWORD=1
        _s3gateway_manage
        COMP_WORDS=(s3gateway-manage gc --del) COMP_CWORD=2
        first=${COMPREPLY[*]}
        _s3gateway_manage
        echo "completed: $first ${COMPREPLY[*]}"'
}

function try_commands {
    s3gateway-manage --help
    try_manual
    try_completion
    is "$(stat --format='%a %U:%G' /etc/s3gateway)" "750 root:s3gateway"
    is "$(stat --format='%a %U:%G' /etc/s3gateway/s3gateway.conf)" "640 root:s3gateway"
    is "$(find /etc/systemd -name '*s3gateway*')" ""    # nothing is enabled
    systemd-analyze verify --man=no s3gateway-api.service s3gateway-gc.timer
    ls -l /usr/lib/systemd/system/s3gateway-* /lib/systemd/system/s3gateway-*
}

# As the unit does it, with the files as they were installed.
function try_service {
    local pid url="http://127.0.0.1:$PORT/healthcheck"
    install --directory --owner=s3gateway /run/s3gateway
    S3GATEWAY_CONFIG=/etc/s3gateway/s3gateway.conf PROMETHEUS_MULTIPROC_DIR=/run/s3gateway \
        setpriv --reuid=s3gateway --regid=s3gateway --clear-groups --no-new-privs \
        --bounding-set=-all s3gateway-api --bind="127.0.0.1:$PORT" > /srv/output 2>&1 &
    pid=$!
    python3 "$PROJECT/tests/bare/ask.py" "$url" || { cat /srv/output; exit 1; }
    kill $pid
    wait $pid
}

# Debian's own Glance has what the filter relies on.
function try_distribution {
    apt_install python3-glance
    python3 -W ignore -c '
from importlib import metadata
import glance.api.v2.image_data
import s3gateway
from s3gateway.glance import relied_on
relied_on.check()
print(s3gateway.__file__)
print("Glance", metadata.version("glance"), "has all that the filter relies on")'
}

function remove_them {
    local left
    quietly apt-get purge --yes '*s3gateway*'
    left=$(find /etc /usr /var/lib/systemd -name '*s3gateway*' -not -path '*/dpkg/*')
    is "$left" ""
    echo "removed"
}

WAY=$1
PROJECT=$(cd "$(dirname "$0")/../.." && pwd)
case $WAY in
    distribution) PROFILE=(); BUILDS=full ;;
    venv) PROFILE=(--build-profiles=pkg.s3gateway.venv); BUILDS=binary ;;
    *) echo "no way: $WAY"; exit 2 ;;
esac
prepare
[[ "$WAY" != venv ]] || fetch_wheels
build
look
install_them
try_commands
try_service
[[ "$WAY" != distribution ]] || try_distribution
remove_them
