#!/bin/bash
#
# enter.sh BASE RUN COMMANDS: the inner half of run.sh, the first process in namespaces of
# its own.  Whatever is left running or mounted ends with it, after it was reported.

set -o errexit -o nounset -o pipefail

BASE=$1
RUN=$2
COMMANDS=$3
ROOT=$RUN/root
CANNOT=125
GRACE=10    # seconds that processes have to end when the commands have ended

# What pip and uv are told about the way to the packages is the same in there.
PASSED="PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT
    UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_HTTP_TIMEOUT
    http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
    CI S3GATEWAY_RUNS S3GATEWAY_SEED"
TRUST=/etc/ssl/certs/ca-certificates.crt

function cannot {
    echo "no bare Debian here: $*" >&2
    exit $CANNOT
}

function mount_root {
    mkdir -p "$ROOT" "$RUN/upper" "$RUN/work"
    if ! mount -t overlay overlay "$ROOT" \
        -o "lowerdir=$BASE,upperdir=$RUN/upper,workdir=$RUN/work" 2> /dev/null; then
        echo "no overlay can be mounted on $RUN: the bare system is copied"
        cp -a "$BASE/." "$ROOT"
        mount --bind "$ROOT" "$ROOT" || cannot "mount is not permitted"
    fi
    mount -t proc proc "$ROOT/proc" || cannot "/proc cannot be mounted"
    mount -t sysfs -o ro sysfs "$ROOT/sys" || cannot "/sys cannot be mounted"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$ROOT/dev/pts" \
        || cannot "/dev/pts cannot be mounted"
    mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev/shm" || cannot "/dev/shm cannot be mounted"
    chroot "$ROOT" true || cannot "chroot is not permitted"
}

function furnish {
    mv "$RUN/project" "$ROOT/root/s3gateway"
    copy /etc/resolv.conf /etc/resolv.conf
    copy /etc/pip.conf /etc/pip.conf
    copy "${HOME:-/root}/.config/pip/pip.conf" /etc/xdg/pip/pip.conf
    copy /etc/uv/uv.toml /etc/uv/uv.toml
    copy "${HOME:-/root}/.config/uv/uv.toml" /etc/uv/uv.toml
}

# Copy a file of this machine's, if there is one, to where everybody reads it in there.
function copy {
    if [[ -e "$1" ]]; then
        install -D -m 0644 "$1" "$ROOT$2"
    fi
}

function run_commands {
    local name words=()
    for name in $PASSED; do
        [[ -z "${!name:-}" ]] || words+=("$name=${!name}")
    done
    # shellcheck disable=SC2016  # the inner shell expands it
    chroot "$ROOT" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        PIP_CERT=$TRUST SSL_CERT_FILE=$TRUST REQUESTS_CA_BUNDLE=$TRUST "${words[@]}" \
        /bin/bash -c 'cd /root/s3gateway && eval "$1"' bash "$COMMANDS" < /dev/null
}

# The processes but this shell; without a program or subshell, which would be more.
function find_processes {
    local directory stat words
    FOUND=()
    for directory in "$ROOT"/proc/[0-9]*; do
        [[ "$directory" != "$ROOT/proc/1" ]] || continue
        read -r stat 2> /dev/null < "$directory/stat" || continue
        mapfile -d "" -t words 2> /dev/null < "$directory/cmdline" || continue
        if [[ "${stat##*) }" != [ZX]* ]]; then
            FOUND+=("running: ${stat%%) *}) ${words[*]:0:12}")
        fi
    done
}

function wait_for_processes {
    local end
    end=$(( SECONDS + GRACE ))
    find_processes
    while [[ ${#FOUND[@]} != 0 && $SECONDS -lt $end ]]; do
        sleep 0.5
        find_processes
    done
}

function find_mounts {
    local -a after
    mapfile -t after < /proc/self/mounts
    local mount
    for mount in "${after[@]}"; do
        [[ "$MOUNTED" == *"$mount"* ]] || FOUND+=("mounted: $mount")
    done
}

# Files but the caches of pip and uv, the locks of uv, what pytest keeps for a look, and
# the .ssh that Debian's systemd makes for root, if it is empty.
function find_files {
    local path
    shopt -s nullglob dotglob
    for path in "$ROOT"/{tmp,var/tmp,dev/shm,root}/*; do
        case ${path#"$ROOT"} in
            /tmp/uv-*.lock|/tmp/pytest-of-root) ;;
            /root/.bashrc|/root/.profile|/root/.cache|/root/s3gateway) ;;
            /root/.ssh) FOUND+=("$path"/*) ;;
            *) FOUND+=("lying about: ${path#"$ROOT"}") ;;
        esac
    done
    while read -r path; do
        FOUND+=("changed in the checkout: $path")
    done < <(git -c safe.directory="*" -C "$ROOT/root/s3gateway" status --porcelain)
}

function main {
    local status=0
    mount_root
    furnish
    MOUNTED=$(< /proc/self/mounts)
    run_commands || status=$?
    wait_for_processes
    find_mounts
    find_files
    if [[ ${#FOUND[@]} != 0 ]]; then
        echo "what the commands have left on the bare Debian:"
        printf '    %s\n' "${FOUND[@]}"
        if [[ $status == 0 ]]; then
            status=1
        fi
    fi
    exit $status
}

main
