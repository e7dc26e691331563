#!/bin/bash
#
# boot.sh SUITE RUN: boots a bare Debian that run.sh --keep has left in RUN, with systemd
# as its first process, and with the packages in its /srv/packages; runs probe.sh in it.
#
# It has namespaces and a cgroup of its own, no network, and cannot set what the kernel has
# in /proc/sys.  Its root is no chroot, as the kernel gives no user namespace in one, which
# PrivateUsers= needs.  The exit status is 125 if this is not permitted here.

set -o errexit -o nounset -o pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
SUITE=$1
RUN=$2
BASE=${S3GATEWAY_BARE:-$HERE/../../.bare}/$SUITE
CANNOT=125
LIMIT=300    # seconds

function cannot {
    echo "no system can be booted here: $*" >&2
    exit $CANNOT
}

# In the namespaces: mount the system, and go on as its systemd.
function boot {
    local root=$RUN/root
    mount -t overlay overlay "$root" \
        -o "lowerdir=$BASE,upperdir=$RUN/upper,workdir=$RUN/work" || cannot "no overlay"
    mount -t proc proc "$root/proc"
    mount -o bind,ro "$root/proc/sys" "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" || cannot "no cgroup2"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mkdir -p "$root/.old"
    cd "$root"
    pivot_root . .old
    exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/bash -c '
        umount --lazy /.old
        python3 /srv/up.py
        dpkg --install /srv/packages/*.deb > /srv/output 2>&1 || cat /srv/output
        systemctl --quiet enable s3gateway-api.service probe.service
        exec env container=bare /lib/systemd/systemd --unit=multi-user.target
    ' < /dev/null
}

function furnish {
    install -m 0644 "$HERE/ask.py" "$RUN/upper/srv/ask.py"
    install -m 0755 "$HERE/probe.sh" "$RUN/upper/srv/probe.sh"
    rm -f "$RUN/upper/srv/probe.log"
    # The loopback device of a new network namespace is down: SIOCSIFFLAGS, IFF_UP.
    cat > "$RUN/upper/srv/up.py" << 'END'
import fcntl, socket, struct
with socket.socket() as sock:
    fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))
END
    cat > "$RUN/upper/etc/systemd/system/probe.service" << 'END'
[Unit]
After=s3gateway-api.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash /srv/probe.sh
StandardOutput=file:/srv/probe.log
StandardError=inherit
[Install]
WantedBy=multi-user.target
END
}

# A cgroup for the system, under the one mount of cgroup2 that there is.
function make_cgroup {
    local mount
    mount=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) \
        || cannot "no cgroup2"
    CGROUP=$mount/s3gateway-bare-$$
    mkdir "$CGROUP" 2> /dev/null || cannot "no cgroup of its own"
}

function remove_cgroup {
    find "$CGROUP" -depth -type d -exec rmdir {} \; 2> /dev/null || true
    [[ ! -e "$CGROUP" ]] || echo "left: $CGROUP"
}

function main {
    [[ $EUID == 0 ]] || cannot "only root can have one"
    make_cgroup
    trap remove_cgroup EXIT
    furnish
    (
        echo 0 > "$CGROUP/cgroup.procs"
        exec timeout --kill-after=5 $LIMIT unshare --mount --propagation private --pid \
            --ipc --uts --net --cgroup --fork --kill-child bash "$0" --inside "$SUITE" "$RUN"
    ) || true
    sleep 1
    cat "$RUN/upper/srv/probe.log"
}

if [[ "$1" == --inside ]]; then
    SUITE=$2
    RUN=$3
    BASE=${S3GATEWAY_BARE:-$HERE/../../.bare}/$SUITE
    boot
fi
main
