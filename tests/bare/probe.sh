#!/bin/bash
#
# probe.sh: what boot.sh runs in the system that it has booted.  Asks the service, reloads
# and stops it, and starts gc, which has no Glance to ask.

set -o errexit -o nounset -o pipefail

API=s3gateway-api.service
GC=s3gateway-gc.service
URL=http://127.0.0.1:9292/healthcheck

function property {
    systemctl show --property="$1" --value "$2"
}

function is {
    [[ "$2" == "$3" ]] || { echo "$1 is '$2', not '$3'"; exit 1; }
    echo "$1: $2"
}

python3 /srv/ask.py $URL
is "user" "$(stat --format=%U "/proc/$(property MainPID $API)")" s3gateway
grep -E '^(CapBnd|NoNewPrivs|Seccomp):' "/proc/$(property MainPID $API)/status"
compgen -G "/run/s3gateway/counter_*.db"
systemctl reload $API
sleep 3
python3 /srv/ask.py $URL
is "restarts" "$(property NRestarts $API)" 0
systemd-analyze security --no-pager $API | tail -n 1
systemctl stop $API
is "result" "$(property Result $API)" success
[[ ! -e /run/s3gateway ]] || { echo "/run/s3gateway is still there"; exit 1; }
id glance > /dev/null 2>&1 || useradd --system glance
systemctl start $GC || true
is "gc without a Glance" "$(property ExecMainStatus $GC)" 2
journalctl --no-pager --output=cat --unit=$GC | grep s3gateway-manage
echo "the units work"
