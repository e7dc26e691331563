#!/bin/bash
#
# Runs commands on a bare Debian: a system with git, make, Python and certificates, in
# which nothing was ever done before.
#
#   tests/bare/run.sh [--suite SUITE] [--keep] [COMMANDS]
#
#   SUITE     bookworm (Debian 12, Python 3.11) or trixie (Debian 13, Python 3.13)
#   COMMANDS  for a shell, in a clone of HEAD; the README's two if there are none
#   --keep    leaves the system as the commands have left it, for a look
#
# It needs root, and debootstrap, which it installs where it can.  The bare system is
# built once and kept in .bare (or where S3GATEWAY_BARE says); each run has a layer of its
# own over it, and processes and mounts of its own: enter.sh.
#
# The exit status is that of the commands.  It is 1 if they have succeeded and have left
# something running, mounted or in a temporary directory, and 125 if no such system can
# be had here; the last line on standard error says why.

set -o errexit -o nounset -o pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
PROJECT=$(cd "$HERE/../.." && pwd)
BARE=${S3GATEWAY_BARE:-$PROJECT/.bare}
MIRROR=${S3GATEWAY_DEBIAN_MIRROR:-http://deb.debian.org/debian}
PACKAGES=git,make,python3,python3-venv,ca-certificates
CANNOT=125

function cannot {
    echo "no bare Debian here: $*" >&2
    exit $CANNOT
}

function usage {
    sed -n '3,/^$/ s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

function read_words {
    SUITE=bookworm
    KEEP=""
    while [[ "${1:-}" == --* ]]; do
        case $1 in
            --suite) SUITE=${2:?--suite needs a name}; shift ;;
            --keep) KEEP=yes ;;
            *) usage ;;
        esac
        shift
    done
    COMMANDS=${*:-make demo && make test}
}

function check_permissions {
    [[ $EUID == 0 ]] || cannot "only root can have one"
    unshare --mount --pid --ipc true 2> /dev/null || cannot "unshare is not permitted"
}

function get_debootstrap {
    if ! command -v debootstrap > /dev/null; then
        { apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes \
            --no-install-recommends debootstrap; } > "$BARE/apt.log" 2>&1 \
            || cannot "debootstrap is not there, and apt-get does not install it"
    fi
}

# Build the system that all runs begin with, under another name until it is whole.
function build_base {
    local base=$BARE/$SUITE
    [[ ! -e "$base" ]] || return 0
    echo "building a bare Debian ($SUITE) in $base"
    rm -rf "$base.new"
    debootstrap --variant=minbase --include=$PACKAGES "$SUITE" "$base.new" "$MIRROR" \
        > "$BARE/$SUITE.log" 2>&1 || cannot "debootstrap failed, see $BARE/$SUITE.log"
    # The authority of a proxy on the way out of here is one that this machine trusts.
    cp -L /etc/ssl/certs/ca-certificates.crt "$base.new/etc/ssl/certs/"
    printf '%s\n' "127.0.0.1 localhost" "::1 localhost" "127.0.1.1 $(uname -n)" \
        > "$base.new/etc/hosts"
    mv "$base.new" "$base"
}

# Clone HEAD; whose repository it is, and whether it is a shallow one, does not matter.
function clone_project {
    local safe=$RUN/gitconfig
    printf '[safe]\n\tdirectory = *\n' > "$safe"
    GIT_CONFIG_GLOBAL=$safe git -c advice.detachedHead=false clone --quiet --no-local \
        "$PROJECT" "$RUN/project" || cannot "git does not clone $PROJECT"
    if [[ -n "$(GIT_CONFIG_GLOBAL=$safe git -C "$PROJECT" status --short)" ]]; then
        echo "what is not committed in $PROJECT is not tested"
    fi
}

function main {
    local status=0
    read_words "$@"
    check_permissions
    mkdir -p "$BARE"
    get_debootstrap
    build_base
    RUN=$(mktemp -d "$BARE/run-$SUITE-XXXXXX")
    [[ -n "$KEEP" ]] || trap 'rm -rf "$RUN"' EXIT
    clone_project
    # In the background, as bash looks at signals only when its children have ended.
    unshare --mount --propagation private --pid --ipc --fork --kill-child \
        bash "$HERE/enter.sh" "$BARE/$SUITE" "$RUN" "$COMMANDS" &
    trap 'kill -KILL $!' INT TERM
    wait $! || status=$?
    wait
    [[ -z "$KEEP" ]] || echo "the system is kept in $RUN"
    exit $status
}

main "$@"
